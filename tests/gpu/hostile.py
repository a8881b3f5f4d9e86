# SPDX-License-Identifier: Apache-2.0
"""Tenants that leak, hang, reach for their worker's memory, or do nothing for long: what it costs
them, and that it costs nobody else."""

import os
import signal
import time

from stack import (GIB, MIB, Background, Job, check, driver_gpus, say, skipped, stable, wait_for)

# A dead process's channel: found by its guest's daemon within 2 s, and its worker, which a kernel
# may keep from ending by itself, killed 2 s later.
GONE_WITHIN_S = 4.5


def first_mapping(pid):
    """An address in ordinary memory of a process that it can write to."""
    with open(f"/proc/{pid}/maps") as file:
        lines = [line.split() for line in file]
    heap = [line for line in lines if line[-1] == "[heap]"]
    writable = [line for line in lines if line[1] == "rw-p" and line[4] == "0"]
    return int((heap or writable)[0][0].split("-")[0], 16) + 256


class InGuest:
    """tests/gpu/tenant.c in a guest, in the background."""

    def __init__(self, guest, name, *arguments):
        self.guest = guest
        self.out = f"/tmp/{name}.out"
        guest.must(f"/tmp/tenant pci {' '.join(arguments)} >{self.out} 2>&1 & echo $! >/tmp/{name}.pid")
        self.pid = guest.must(f"cat /tmp/{name}.pid").strip()
        wait_for(f"{name} waits", lambda: "ready" in self.output(), 30)

    def output(self):
        return self.guest.run(f"cat {self.out}").stdout

    def kill(self):
        self.guest.must(f"kill -9 {self.pid}")


def give_number(guest, path, number):
    guest.must(f"echo {number} >{path}.new && mv {path}.new {path}")


def gone_after(stack, workers, memory, before):
    """Seconds until none of these workers is there and their memory is free; None: not in time."""
    started = time.monotonic()
    while time.monotonic() < started + 10:
        if not workers & stack.workers() and (not memory or memory.used() <= before + 16 * MIB):
            return time.monotonic() - started
        time.sleep(0.01)
    return None


def check_leak(guest, memory):
    """A process that dies with memory that it never freed, beside vgpu-agent's daemon."""
    stack = guest.stack
    known = stack.workers()
    before = stable(memory) if memory else 0
    leak = InGuest(guest, "leak", "hold", str(512 * MIB if memory else MIB))
    held = stable(memory) - before if memory else 0
    workers = stack.workers() - known
    check(workers and (not memory or held >= 512 * MIB), "a process leaks GPU memory",
          f"{held // MIB} MiB with its context")
    leak.kill()
    took = gone_after(stack, workers, memory, before)
    check(took is not None and took <= GONE_WITHIN_S,
          "the memory of a process that died is free", f"after {took} s")


def check_forever(guest, other, memory):
    """A kernel that never ends, beside another channel of its VM, and another VM."""
    stack = guest.stack
    jobs = [Job(guest, "beside"), Job(other, "beside")]
    known = stack.workers()
    before = stable(memory)
    endless = InGuest(guest, "forever", "forever", "/tmp/guest.ptx")
    workers = stack.workers() - known
    runs = [Background(job.guest, job.command(), 120) for job in jobs]
    for job, run in zip(jobs, runs):
        result = run.wait()
        print(result.stderr, end="")
        check(result.returncode == 0 and job.right(),
              f"{job.guest.name}: a job beside a kernel that never ends")
    endless.kill()
    took = gone_after(stack, workers, memory, before)
    check(took is not None and took <= GONE_WITHIN_S,
          "a kernel that never ends is gone with its process", f"after {took} s")
    result = guest.run(jobs[0].command())
    check(result.returncode == 0 and jobs[0].right(), "and the VM's next job is right")


def check_host_pointer(guest):
    """A kernel that writes to an address at which its worker has ordinary memory."""
    stack = guest.stack
    known = stack.workers()
    guest.must("rm -f /tmp/address")
    poke = InGuest(guest, "poke", "poke", "/tmp/guest.ptx", "/tmp/address")
    workers = stack.workers() - known
    if not check(len(workers) == 1, "a tenant's worker is found"):
        poke.kill()
        return
    try:
        address = first_mapping(workers.pop())
    except PermissionError:
        skipped.append("a kernel that uses an address of its worker: /proc/PID/maps is closed to us")
        poke.kill()
        return
    give_number(guest, "/tmp/address", hex(address))
    wait_for("the poke ends", lambda: "poke " in poke.output(), 30)
    print(poke.output(), end="")
    check("poke failed" in poke.output() and "ILLEGAL_ADDRESS" in poke.output(),
          f"a guest's kernel that writes to its worker's memory at {address:#x} faults")


def check_images(guest):
    """Every form that a tenant's own kernels come in."""
    for image in ("guest.ptx", "guest.cubin", "guest.fatbin", "ptx.fatbin"):
        if image != "guest.ptx":
            guest.put(f"{guest.stack.work}/{image}", f"/tmp/{image}")
        job = Job(guest, "image")
        result = guest.run(job.command(image=f"/tmp/{image}"))
        print(result.stderr, end="")
        check(result.returncode == 0 and job.right(), f"{guest.name}: a kernel from {image}")


def check_load(guests, channels):
    """Several VMs with several channels each, all at once; every result is checked."""
    jobs = [[Job(guest, f"load{number}") for number in range(channels)] for guest in guests]
    runs = [Background(guest, " ".join(f"({job.command(1)}; echo ended $?) &" for job in own) + " wait",
                       180) for guest, own in zip(guests, jobs)]
    right = 0
    for own, run in zip(jobs, runs):
        result = run.wait()
        print(result.stderr, end="")
        if result.stdout.count("ended 0") == channels:
            right += sum(job.right() for job in own)
    check(right == len(guests) * channels,
          f"{len(guests)} VMs with {channels} channels each at once, results right",
          f"{right} of {len(guests) * channels}")


def check_context(stack, uuid, memory, figures):
    """A channel that holds nothing gives its context back, and takes one again."""
    path = f"{stack.work}/again"

    def context():
        record = stack.rest("GET", f"/v1/vms/{uuid}")
        return any(channel["context"] for channel in record["channels"])

    low = stable(memory) if memory else 0
    tenant = stack.tenant(uuid, "idle", path)
    first = tenant.stdout.readline().strip()
    tenant.stdout.readline()
    wait_for("the context is given back", lambda: not context(), 10)
    if memory:
        # The channel took the warm worker's context, and the next warm worker makes one meanwhile.
        wait_for("its memory is free, and the next warm worker ready",
                 lambda: abs(stable(memory) - low) <= 16 * MIB, 20)
    with open(path, "w") as file:
        file.write("1\n")
    again = tenant.stdout.readline().strip()
    if memory:
        figures["context_mib"] = (memory.used() - low) // MIB
        wait_for("the context is given back again", lambda: not context(), 10)
        wait_for("its memory is free again", lambda: memory.used() <= low + 16 * MIB, 5)
    os.unlink(path)
    check(tenant.wait(30) == 0 and again.startswith("next use"),
          "a context is given back and taken again", f"{first}, {again}")
    if memory:
        check(figures["context_mib"] >= 300, "the GPU's memory rises and falls with it",
              f"{figures['context_mib']} MiB")


def opening_ms(stack, uuid, count, pause_ms):
    tenant = stack.tenant(uuid, "open", str(count), str(pause_ms))
    text = tenant.communicate(timeout=120)[0]
    check(tenant.returncode == 0, f"{count} channels opened, {pause_ms} ms after another")
    return [float(line.split()[2]) for line in text.splitlines() if line.startswith("opened in")]


def measure_opening(stack, uuid, figures):
    """With time for the next warm worker to be made ready, and without."""
    for name, pause_ms in (("warm", 1500), ("in_a_row", 0)):
        times = opening_ms(stack, uuid, 6, pause_ms)
        figures[f"open_{name}_ms"] = times
        say(f"a channel opens, {name.replace('_', ' ')}: " +
            ", ".join(f"{value:.1f}" for value in times) + " ms")


# What is charged comes in blocks of so much (docs/device-spec.md, Memory).
GRANULE = 2 * MIB
# What a context is taken to cost where mediatord.conf does not say (context-memory).
STATED_CONTEXT = 526 * MIB


def charged_and_taken(stack, uuid, arguments):
    """What the VM is charged with for a tenant that waits, and its worker's memory by the driver; None
    where the driver does not say."""
    tenant = stack.tenant(uuid, *arguments)
    try:
        line = tenant.stdout.readline()
        if line.strip() != "ready":
            raise RuntimeError(f"tenant {arguments[0]}: {line}")
        channel = stack.rest("GET", f"/v1/vms/{uuid}")["channels"][0]
        taken = [process["memory_bytes"]
                 for gpu in driver_gpus(f"{stack.folder}/bin/vgpu-gpuinfo").values()
                 for process in gpu["processes"] or [] if process["pid"] == channel["worker_pid"]]
        return channel["memory_used_bytes"], taken[0] if taken else None
    finally:
        tenant.send_signal(signal.SIGKILL)
        tenant.wait()
        wait_for("its channel is gone",
                 lambda: not stack.rest("GET", f"/v1/vms/{uuid}")["channels"], 30)


def check_charges(stack, uuid):
    """No tenant has more of a GPU than it is charged with, beside its context."""
    rows = [("1 byte", ("hold", "1")), ("3 MiB", ("hold", str(3 * MIB))),
            ("512 MiB and a byte", ("hold", str(512 * MIB + 1))), ("2 GiB", ("hold", str(2 * GIB))),
            ("a module", ("poke", f"{stack.work}/guest.ptx", f"{stack.work}/never"))]
    context = None
    print(f"{'what is held':<22}{'charged':>10}{'NVML':>10}{'difference':>12}  MiB")
    for what, arguments in rows:
        charged, taken = charged_and_taken(stack, uuid, arguments)
        if taken is None:
            skipped.append("charges beside NVML's figures: it has none of our processes")
            return
        print(f"{what:<22}{charged / MIB:>10.2f}{taken / MIB:>10.2f}"
              f"{(taken - charged) / MIB:>12.2f}", flush=True)
        if context is None:
            context = taken - charged
            check(context <= STATED_CONTEXT, "a context takes no more than is stated",
                  f"{context / MIB:.2f} of {STATED_CONTEXT // MIB} MiB")
            continue
        check(taken - context <= charged + GRANULE, f"{what}: NVML says no more than was charged",
              f"{(taken - context - charged) / MIB:.2f} MiB more, beside the context")


def start_daemon(guest):
    guest.put(f"{guest.stack.folder}/tests/gpu/tenant", "/tmp/tenant")
    guest.must("chmod 755 /tmp/tenant; vgpu-agent daemon >/tmp/daemon.log 2>&1 &")


def say_mig(gpus):
    cut = gpus.mig()
    if cut:
        say(f"MIG is enabled on GPU {', '.join(map(str, cut))}: its first instance is what is used")
    else:
        say("MIG is not enabled")
