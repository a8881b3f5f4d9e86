# SPDX-License-Identifier: Apache-2.0
"""contention-client, one VM's program: its channel, and the jobs that it is told to run there."""

import os
import subprocess
import time

LEAD_S = 0.3  # all are at work for so long before it is measured


class Program:
    """`depth` jobs are outstanding at a time, with a pause after each."""

    def __init__(self, command, environment, started, name, depth, pause_us=0):
        self.name = name
        self.depth, self.pause_us = depth, pause_us
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=environment)
        started.append(self.process)
        self.gpu = " ".join(self.answer("ready"))

    def answer(self, word):
        words = self.process.stdout.readline().split()
        if not words or words[0] != word:
            raise RuntimeError(f"{self.name}: '{' '.join(words)}' where '{word}' was due")
        return words[1:]

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def calibrate(self, us):
        self.tell(f"length {us}")
        length, inner = self.answer("length")
        self.job_us, self.inner = float(length), int(inner)

    def become(self, side, inner):
        """Its jobs are of these dimensions from now on."""
        for word, value in (("side", side), ("inner", inner)):
            self.tell(f"{word} {value}")
            self.answer(word)

    def start(self, begin_ns, end_ns):
        self.tell(f"run {self.depth} {self.pause_us} {begin_ns} {end_ns}")

    def ran(self, window_s):
        jobs, p50, p99, _ = (float(word) for word in self.answer("ran"))
        return {"jobs_per_s": jobs / window_s, "p50_us": p50, "p99_us": p99}


class Client(Program):
    """The program of one VM."""

    def __init__(self, host, program, uuid, name, depth, pause_us=0):
        self.uuid = uuid
        super().__init__([program, host.link(uuid)], host.environment, host.started, name, depth,
                         pause_us)


def run_together(clients, window_s):
    """What each of them did, all at once."""
    begin = time.monotonic_ns() + int(LEAD_S * 1e9)
    for client in clients:
        client.start(begin, begin + int(window_s * 1e9))
    return {client: client.ran(window_s) for client in clients}


def programs(folder):
    """The mediator, the worker, the client, and what they need in the environment."""
    if os.path.exists(f"{folder}/bin/contention-client"):
        return [f"{folder}/bin/{name}" for name in ("vgpu-mediatord", "vgpu-worker",
                                                    "contention-client")], \
            {"LD_LIBRARY_PATH": f"{folder}/lib"}
    return [f"{folder}/{name}" for name in ("mediatord/vgpu-mediatord", "vgpu-worker",
                                            "tests/bench/contention-client")], {}
