# SPDX-License-Identifier: Apache-2.0
"""What an operator does with the dashboard; tests/ui/dashboard.sh starts what it needs."""

import http.client
import json
import os
import socket
import sys
import time

from webdriver import ENTER, ESCAPE, TAB, Browser

BUSY = os.environ["VGPU_BUSY"]
HOLDER = os.environ["VGPU_HOLDER"]
HOSTILE = '<img src=x onerror="document.title=1">'
PICTURES = os.environ.get("VGPU_SCREENSHOTS")

# The row of the VM that the first argument names.
ROW = "[...document.querySelectorAll('#rows tr')].find((row) => row.querySelector('.name').textContent === arguments[0])"
FOCUS = "document.activeElement"


class Control(http.client.HTTPConnection):
    """The control socket: what the mediator says, whatever the dashboard shows."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["VGPU_CONTROL"])


def control(method, path, body=None):
    connection = Control("localhost")
    connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"} if body else {})
    body = connection.getresponse().read()
    connection.close()
    return json.loads(body) if body else None


def check(what, holds):
    if not holds:
        raise AssertionError(what)


def picture(browser, name):
    if PICTURES:
        browser.picture(os.path.join(PICTURES, f"{name}.png"))


def sign_in(browser, token):
    browser.wait("sign in", "document.getElementById('login').open")
    browser.type("#token", token)
    browser.press(ENTER)


def check_login(browser):
    check("the redirection", browser.script("return location.pathname") == "/ui/")
    browser.wait("a token is asked for", "document.getElementById('login').open")
    check("shown without a token", not browser.script("return document.querySelector('#rows tr')"))
    sign_in(browser, f"wrong.{64 * '0'}")
    browser.wait("a wrong token", "document.getElementById('login-error').textContent.includes('there is no such token')")
    picture(browser, "login")
    sign_in(browser, os.environ["VGPU_READER"])
    browser.wait("live", "document.getElementById('connection').textContent === 'live'")
    check("the token is kept for longer", browser.script("return localStorage.length + document.cookie.length") == 0)


def check_shown(browser):
    browser.wait("all VMs", "document.querySelectorAll('#rows tr').length === 6")
    check("a name became markup", not browser.script("return document.querySelector('img')"))
    check("a name was run", browser.script("return document.title") == "vGPU")
    browser.wait("the hostile name", f"{ROW} !== undefined", HOSTILE)
    browser.wait("pool A and its GPU", "document.querySelector('#pools .card').textContent.match(/Pool A.*1 contexts|Pool A.*6 VMs/)")
    check("a GPU", browser.script("return document.querySelectorAll('#pools .gpu').length") >= 1)
    text = browser.script(f"return {ROW}.textContent", "web1")
    for part in ("high", "weight 200", "of 10 MiB", "at most 50", "of 5,000/s"):
        check(f"no '{part}' in {text}", part in text)
    shown = browser.script(f"return {ROW}.querySelector('.bar').ariaValueNow", "web1")
    used = control("GET", f"/v1/vms/{HOLDER}")["usage"]["gpu_memory_bytes"]
    check(f"a bar of {shown} for {used}", used > 0 and int(shown) == round(100 * used / 10485760))
    browser.script(f"{ROW}.querySelector('.name').click()", "web1")
    browser.wait("the channel", "document.getElementById('channels').textContent.match(/open, 1(\\.\\d+)? MiB/)")


def check_drift(browser):
    """What libvirt's domain differs in is shown as text, until it does not."""
    shown = f"!{ROW}.querySelector('.state + .state').hidden"
    words = "document.getElementById('quotas').textContent"
    check("drift of nothing", not browser.script(f"return {shown}", "web1"))
    report = {"state": "running", "starts": 0, "drift": [{"what": "weight", "detail": HOSTILE}]}
    control("PUT", f"/v1/vms/{HOLDER}/domain/state", report)
    browser.wait("drift", shown, "web1")
    browser.wait("what drifts", f"{words}.includes('Drift: weight' + arguments[0])", HOSTILE)
    picture(browser, "drift")
    control("PUT", f"/v1/vms/{HOLDER}/domain/state", {**report, "drift": []})
    browser.wait("no drift", f"!({shown})", "web1")
    browser.wait("no words of it", f"!{words}.includes('Drift')")


def check_plots(browser):
    browser.script(f"{ROW}.querySelector('.name').click()", HOSTILE)
    for title in ("Latency", "Time in the queue"):
        browser.wait(f"a line of {title}",
                     "document.querySelector(`svg[aria-label^='${arguments[0]}'] path`).getAttribute('d').includes('L')", title)
        label = browser.script("return document.querySelector(`svg[aria-label^='${arguments[0]}']`).ariaLabel", title)
        check(f"no times in {label}", "s" in label.split("p99 ")[1])
    browser.wait("working", f"{ROW}.querySelector('.state').textContent === 'working'", HOSTILE)
    browser.wait("requests", f"parseFloat({ROW}.children[5].textContent) > 0", HOSTILE)


def check_refusals(browser):
    """With a token that may only look; and of a VM that is gone."""
    browser.script(f"{ROW}.querySelector('[data-action=pause]').click()", "idle1")
    browser.click("#confirm-yes")
    browser.wait("a refusal", "document.getElementById('confirm-error').textContent.includes(\"token's role\")")
    browser.press(ESCAPE)
    browser.click("#sign-out")
    sign_in(browser, os.environ["VGPU_OPERATOR"])
    browser.wait("VMs again", f"{ROW} !== undefined", "idle4")
    browser.script(f"{ROW}.querySelector('[data-action=quarantine]').click()", "idle4")
    gone = [vm["uuid"] for vm in control("GET", "/v1/vms")["vms"] if vm.get("name") == "idle4"][0]
    control("DELETE", f"/v1/vms/{gone}")
    browser.click("#confirm-yes")
    browser.wait("a VM that is gone", "document.getElementById('confirm-error').textContent.includes('Not done')")
    check("a refusal closed the question", browser.script("return document.getElementById('confirm').open"))
    browser.click("#confirm-no")
    browser.wait("the row goes", f"{ROW} === undefined", "idle4")


def tab_to(browser, label):
    for _ in range(60):
        if browser.script(f"return {FOCUS}.ariaLabel") == label:
            return
        browser.press(TAB)
    raise AssertionError(f"the focus never comes to {label}")


def check_keyboard(browser):
    browser.script("document.activeElement.blur()")
    tab_to(browser, "Pause web1")
    check("the focus is not visible", browser.script(f"return getComputedStyle({FOCUS}).outlineStyle") == "solid")
    browser.press(ENTER)
    browser.wait("the question", "document.getElementById('confirm').open")
    picture(browser, "question")
    check("the focus is not on Cancel", browser.script(f"return {FOCUS}.id") == "confirm-no")
    browser.press(ESCAPE)
    check("the focus is lost", browser.script(f"return {FOCUS}.ariaLabel") == "Pause web1")
    check("paused without a yes", control("GET", f"/v1/vms/{HOLDER}")["hold"] == "none")
    browser.press(ENTER, TAB, ENTER)
    browser.wait("paused", f"{ROW}.querySelector('.state').textContent === 'paused'", "web1")
    check("not paused", control("GET", f"/v1/vms/{HOLDER}")["hold"] == "paused")
    browser.wait("the focus stays", f"{FOCUS}.ariaLabel === 'Resume web1'")
    browser.press(ENTER, TAB, ENTER)
    browser.wait("resumed", f"{ROW}.querySelector('.state').textContent !== 'paused'", "web1")
    check("not resumed", control("GET", f"/v1/vms/{HOLDER}")["hold"] == "none")


def check_quarantine(browser):
    browser.script(f"{ROW}.querySelector('.name').click()", "web1")
    for action, held in (("quarantine", "quarantined"), ("release", "none")):
        browser.script(f"{ROW}.querySelector(`[data-action=${{arguments[1]}}]`).click()", "web1", action)
        browser.click("#confirm-yes")
        browser.wait(action, "!document.getElementById('confirm').open")
        check(f"not {held}", control("GET", f"/v1/vms/{HOLDER}")["hold"] == held)
        browser.wait(f"{action} is shown", f"({ROW}.querySelector('.state').textContent === 'quarantined') === arguments[1]",
                     "web1", held == "quarantined")
        browser.wait(f"why, at {action}", "document.getElementById('quotas').textContent.includes('by the operator') === arguments[0]",
                     held == "quarantined")
        picture(browser, held)


def check_filter(browser):
    browser.type("#filter", "idle")
    browser.wait("the filter", "[...document.querySelectorAll('#rows tr')].filter((row) => !row.hidden).length === 3")
    browser.script("const box = document.getElementById('filter'); box.value = ''; box.dispatchEvent(new Event('input'))")


def check_layout(browser):
    """At every width, in both colours: nothing beside the page, and nothing that jumps."""
    grounds = set()
    browser.script(f"{ROW}.querySelector('.name').click()", HOSTILE)
    browser.wait("a line", "document.querySelector('svg path').getAttribute('d').includes('L')")
    for width, height in ((1280, 900), (400, 860)):
        for scheme in ("light", "dark"):
            browser.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                             deviceScaleFactor=1, mobile=False)
            browser.devtools("Emulation.setEmulatedMedia",
                             features=[{"name": "prefers-color-scheme", "value": scheme}])
            wide = browser.script("return document.documentElement.scrollWidth")
            check(f"{wide} pixels at {width}", wide <= width)
            outside = browser.script("""
                return [...document.querySelectorAll('button, input, .bar, figure')]
                    .filter((node) => node.checkVisibility())
                    .filter((node) => node.getBoundingClientRect().right > innerWidth)
                    .map((node) => node.outerHTML)""")
            check(f"at {width}, outside: {outside}", not outside)
            grounds.add(browser.script("return getComputedStyle(document.body).backgroundColor"))
            picture(browser, f"{width}-{scheme}")
        browser.script("""
            window.jumps = [];
            new PerformanceObserver((list) => {
                for (const entry of list.getEntries())
                    window.jumps.push(...entry.sources.map((source) => source.node?.outerHTML));
            }).observe({ type: 'layout-shift' });
            performance.clearResourceTimings();""")
        browser.wait("three looks", "performance.getEntriesByType('resource').length >= 12")
        jumps = browser.script("return window.jumps")
        check(f"at {width}, these jump: {jumps}", not jumps)
    check(f"light and dark are {grounds}", len(grounds) == 2)


def check_end(browser):
    browser.click("#sign-out")
    browser.wait("signed out", "document.getElementById('login').open")
    check("the token stays", browser.script("return sessionStorage.length") == 0)
    check("what was seen stays", not browser.script("return document.querySelector('#rows tr')"))
    # What the mediator refused is in the browser's list, too; there must be nothing else.
    bad = [line for line in browser.complaints() if "Failed to load resource" not in line]
    check(f"the browser complains: {bad}", not bad)


def main():
    with Browser() as browser:
        browser.devtools("Emulation.setDeviceMetricsOverride", width=1280, height=900,
                         deviceScaleFactor=1, mobile=False)
        browser.open(f"{sys.argv[1]}/ui")
        for step in (check_login, check_shown, check_drift, check_plots, check_refusals, check_keyboard, check_quarantine,
                     check_filter, check_layout, check_end):
            began = time.monotonic()
            try:
                step(browser)
            except AssertionError:
                print("\n".join(browser.complaints()))
                picture(browser, "failed")
                raise
            print(f"{step.__name__}: {time.monotonic() - began:.1f} s")


main()
