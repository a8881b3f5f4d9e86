# SPDX-License-Identifier: Apache-2.0
"""For Python scripts that run the project's programs on this host, with or without a GPU: a mediator
of the script's own, with its sockets and state in a private folder. tests/lib.sh is the same for
shell tests."""

import http.client
import json
import os
import socket
import subprocess
import time


def wait_for(what, condition, seconds=60.0, pause=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(pause)
    raise RuntimeError(f"not within {seconds:g} s: {what}")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Host:
    def __init__(self, work, mediator, worker, backend, environment=None):
        self.work = work
        self.program = mediator
        self.worker = worker
        self.backend = backend
        self.environment = dict(os.environ, **(environment or {}))
        self.gpus = [0]
        self.settings = []  # lines of the first section
        self.scheduler = []  # of the scheduler's
        self.started = []
        self.logs = []

    def spawn(self, command, log, **variables):
        path = f"{self.work}/{log}.log"
        self.logs.append(path)
        with open(path, "ab") as file:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                       env=dict(self.environment, **variables))
        self.started.append(process)
        return process

    def start_mediator(self):
        config = f"{self.work}/mediatord.conf"
        os.mkdir(f"{self.work}/libvirt")
        with open(config, "w") as file:
            file.write(f"""[mediatord]
control-socket = {self.work}/control.sock
link-dir = {self.work}/link
libvirt-run-dir = {self.work}/libvirt
state = {self.work}/state.db
worker = {self.worker}
keeper = {os.path.dirname(self.worker)}/vgpu-keeper
keeper-socket = {self.work}/keeper.sock
gpuinfo = {os.path.dirname(self.worker)}/vgpu-gpuinfo
backend = {self.backend}
default-pool = A
{chr(10).join(self.settings)}
[scheduler]
{chr(10).join(self.scheduler)}
[pool A]
gpus = {",".join(map(str, self.gpus))}
""")
        self.mediator = self.spawn([self.program, "--config", config], "mediatord")
        wait_for("the mediator answers", self.answers)

    def answers(self):
        try:
            return self.rest("GET", "/healthz")["status"] == "ok"
        except OSError:
            if self.mediator.poll() is not None:
                raise RuntimeError("the mediator ended")
            return False

    def rest(self, method, path, body=None):
        connection = UnixConnection(f"{self.work}/control.sock")
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
            return json.loads(text) if text else None
        finally:
            connection.close()

    def register(self, name, number, **settings):
        """The VM's UUID; this user may use its link."""
        uuid = f"6f0f6c1e-5d0b-4f8f-9a57-3f0f9d7c{number:04x}"
        self.rest("PUT", f"/v1/vms/{uuid}", {"name": name, "link_uid": os.getuid(), **settings})
        return uuid

    def link(self, uuid):
        return f"{self.work}/link/{uuid}.sock"

    def show_logs(self):
        for log in self.logs:
            if os.path.exists(log):
                with open(log, errors="replace") as file:
                    print(f"--- the end of {log}", *file.readlines()[-30:], sep="\n")

    def stop(self):
        for process in reversed(self.started):
            if process.poll() is None:
                process.terminate()
        for process in self.started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
