# SPDX-License-Identifier: Apache-2.0
"""Just enough of WebDriver, W3C's protocol, to drive Chromium through chromedriver."""

import base64
import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

TAB, ENTER, ESCAPE = "\ue004", "\ue007", "\ue00c"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """A Chromium of the test's own; with it, everything that it started ends."""

    def __init__(self):
        self.profile = tempfile.TemporaryDirectory()
        log = os.path.join(self.profile.name, "log")
        # A process group: Chromium's processes are its own, too.
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0", f"--log-path={log}"], stdout=subprocess.PIPE,
            text=True, start_new_session=True)
        self.session = None
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                self.url = f"http://127.0.0.1:{line.split()[-1].rstrip('.')}"
                break
        arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage",
                     "--hide-scrollbars",
                     f"--user-data-dir={self.profile.name}/profile"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # Chromium's own does not work as root
        made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = made["sessionId"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("DELETE", "")
        except OSError:
            pass
        os.killpg(self.driver.pid, signal.SIGKILL)
        self.driver.wait()
        self.profile.cleanup()

    def call(self, method, path, body=None):
        where = self.url + (f"/session/{self.session}" if self.session else "") + path
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(where, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"].splitlines()[0]) from None

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def script(self, text, *arguments):
        """What the body of a function gives; arguments[0] and so on are its arguments."""
        return self.call("POST", "/execute/sync", {"script": text, "args": list(arguments)})

    def wait(self, what, text, *arguments):
        """Until the expression is true."""
        end = time.monotonic() + 60
        while not (value := self.script(f"return {text}", *arguments)):
            if time.monotonic() > end:
                raise AssertionError(f"{what}: never {text} {arguments}")
            time.sleep(0.02)
        return value

    def find(self, selector):
        found = self.call("POST", "/element", {"using": "css selector", "value": selector})
        return found[ELEMENT]

    def click(self, selector):
        self.call("POST", f"/element/{self.find(selector)}/click")

    def type(self, selector, text):
        self.call("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def press(self, *keys):
        """On the keyboard, wherever the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [
            {"type": "key", "id": "keyboard", "actions": actions}]})

    def devtools(self, command, **parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def picture(self, path):
        """Of the whole page."""
        made = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(made["data"]))

    def complaints(self):
        """What the browser said of the page as errors, violations of its policy included."""
        lines = self.call("POST", "/se/log", {"type": "browser"})
        return [line["message"] for line in lines if line["level"] == "SEVERE"]
