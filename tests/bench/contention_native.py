# SPDX-License-Identifier: Apache-2.0
"""What neighbours do to a small job under the driver's time slicing, under MPS, and under us: the same
program with the same jobs, as bare processes, as clients of an MPS server of our own, and as VMs. All in
one run; each row is measured in the three ways right after each other."""

import functools
import os
import shutil
import subprocess
import tempfile

from contention_client import Client, Program, run_together
from host import wait_for

NEIGHBOURS = 8
DEPTH = 8
PAUSE_US = 500
FULL = 2048  # the product's outer dimensions, in 16384 blocks
SMALL = 64  # in 16

# What is beside the small job: how many, how long each of their jobs is when alone, how large.
ROWS = [("nothing", 0, 0, FULL),
        ("1 with 1 ms", 1, 1000, FULL),
        ("8 with 1 ms", NEIGHBOURS, 1000, FULL),
        ("8 with 0.1 ms", NEIGHBOURS, 100, FULL),
        ("8 with 10 ms", NEIGHBOURS, 10000, FULL),
        ("8 with 1 ms, 16 blocks", NEIGHBOURS, 1000, SMALL)]
WAYS = {"time_slicing": "time slicing", "mps": "MPS", "ours": "ours"}
CONTROL = "nvidia-cuda-mps-control"


class Mps:
    """An MPS server whose folders are private, so that no other process joins it; the GPU's compute
    mode stays as it is."""

    def __init__(self):
        self.work = tempfile.mkdtemp(prefix="vgpu-mps-")
        self.environment = {"CUDA_MPS_PIPE_DIRECTORY": f"{self.work}/pipe",
                            "CUDA_MPS_LOG_DIRECTORY": f"{self.work}/log"}
        for folder in self.environment.values():
            os.mkdir(folder)
        try:
            self.process = subprocess.Popen([CONTROL, "-f"], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                            env=dict(os.environ, **self.environment))
        except OSError:
            shutil.rmtree(self.work)
            raise
        try:
            wait_for("the MPS control daemon listens", lambda: os.listdir(f"{self.work}/pipe"))
        except RuntimeError:
            self.stop()
            raise

    def stop(self):
        try:
            subprocess.run([CONTROL], input="quit\n", text=True, timeout=30, check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           env=dict(os.environ, **self.environment))
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.work)


def shape(number):
    """Depth and pause of the small job's program, which is the first, and of the others."""
    return (1, PAUSE_US) if number == 0 else (DEPTH, 0)


def bare(host, program, way, environment):
    return [Program([program, "--native"], dict(host.environment, **environment), host.started,
                    f"{way} {number}", *shape(number)) for number in range(1 + NEIGHBOURS)]


def tenants(host, program):
    clients = []
    for number in range(1 + NEIGHBOURS):
        uuid = host.register(f"vm{number + 1}", number + 1, priority="low" if number else "high",
                             quotas={"gpu_memory_bytes": 0, "window_bytes": 0})
        clients.append(Client(host, program, uuid, f"VM {number + 1}", *shape(number)))
    return clients


@functools.cache
def calibrated(client, us, side):
    """The inner dimension with which a job takes so long without us, alone."""
    client.become(side, 0)
    client.calibrate(us)
    return client.inner


def run_row(clients, side, inner, window_s):
    for client in clients[1:]:
        client.become(side, inner)
    figures = run_together(clients, window_s)
    return dict(figures[clients[0]],
                neighbours_jobs_per_s=sum(figures[client]["jobs_per_s"] for client in clients[1:]))


def measure_row(ways, row, window_s):
    title, count, us, side = row
    inner = calibrated(ways["time_slicing"][1], us, side) if us else 0
    measured = {way: run_row(ways[way][:1 + count], side, inner, window_s) if way in ways else None
                for way in WAYS}
    ours = measured["ours"]["p99_us"]
    return {"beside": title, "neighbours": count, "job_us": us,
            "blocks": (side // 16) ** 2, **measured,
            "p99_ratio": {way: measured[way]["p99_us"] / ours if measured[way] and ours else None
                          for way in ("time_slicing", "mps")}}


def measure_native(host, program, window_s):
    """The whole table; MPS is missing where its control program is."""
    mps = Mps() if shutil.which(CONTROL) else None
    try:
        # Named for the one as for the other: who sees no place of a server joins none.
        ways = {"time_slicing": bare(host, program, "process", {
            "CUDA_MPS_PIPE_DIRECTORY": "/nonexistent/vgpu"})}
        if mps:
            ways["mps"] = bare(host, program, "MPS client", mps.environment)
        ways["ours"] = tenants(host, program)
        for clients in ways.values():
            clients[0].become(FULL, 0)
        return {"gpu": ways["time_slicing"][0].gpu,
                "rows": [measure_row(ways, row, window_s) for row in ROWS]}
    finally:
        # Its clients first, or it waits for them.
        for process in host.started:
            if process is not host.mediator and process.poll() is None:
                process.terminate()
                process.wait()
        if mps:
            mps.stop()


def print_native(result):
    print(f"GPU: {result['gpu']}\nA small job, p50 / p99 in ms, and p99 as a multiple of ours\n")
    print(f"{'beside':<24}" + "".join(f"{title:>18}" for title in WAYS.values())
          + "".join(f"{WAYS[way] + ', x':>18}" for way in ("time_slicing", "mps")))
    for row in result["rows"]:
        cells = [f"{row[way]['p50_us'] / 1e3:.3f} / {row[way]['p99_us'] / 1e3:.3f}"
                 if row[way] else "-" for way in WAYS]
        cells += [f"{ratio:.2f}" if ratio else "-" for ratio in row["p99_ratio"].values()]
        print(f"{row['beside']:<24}" + "".join(f"{cell:>18}" for cell in cells))
    print("\nJobs of the neighbours, all together, a second\n")
    for row in result["rows"][1:]:
        print(f"{row['beside']:<24}" + "".join(
            f"{row[way]['neighbours_jobs_per_s']:>18.0f}" if row[way] else f"{'-':>18}"
            for way in WAYS))
