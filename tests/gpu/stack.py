# SPDX-License-Identifier: Apache-2.0
"""A keeper, a mediator, and QEMU guests with a vGPU, for the checks of tests/gpu/guest."""

import array
import ctypes
import json
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from host import Host, wait_for  # noqa: E402

MIB = 1 << 20
GIB = 1 << 30
TCG = "tcg,thread=multi"
COUNT = 1 << 18  # numbers that the tenant's kernel mixes
ROUNDS = 3
CLOCK = 1_700_000_000  # at most this many cycles a second: a GPU that runs faster ends sooner
CORRECT_WITHIN_S = 2.0  # a dead guest's memory is free by then

failures = []
skipped = []


def say(text):
    print(f"{time.strftime('%T')} {text}", flush=True)


def check(held, what, detail=""):
    print(f"{'PASS' if held else 'FAIL'}: {what}" + (f" ({detail})" if detail else ""), flush=True)
    if not held:
        failures.append(what)
    return held


def output(result, what):
    """What a command printed that has to succeed."""
    if result.returncode != 0:
        raise RuntimeError(f"{what}: {result.returncode} {result.stderr}{result.stdout}")
    return result.stdout


def driver_gpus(gpuinfo):
    """What the driver says of each GPU, by the program that the mediator asks it with."""
    result = subprocess.run([gpuinfo], capture_output=True, text=True, timeout=60)
    return {gpu["index"]: gpu for gpu in json.loads(output(result, gpuinfo))["gpus"]}


class Gpus:
    """The host's GPUs, through NVML: what is in use there counts for all processes."""

    class Info(ctypes.Structure):
        _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong),
                    ("used", ctypes.c_ulonglong)]

    def __init__(self):
        self.nvml = ctypes.CDLL("libnvidia-ml.so.1")
        count = ctypes.c_uint()
        if self.nvml.nvmlInit_v2() != 0 or self.nvml.nvmlDeviceGetCount_v2(
                ctypes.byref(count)) != 0:
            raise RuntimeError("NVML does not start")
        self.devices = []
        for index in range(min(count.value, 2)):
            device = ctypes.c_void_p()
            self.nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device))
            self.devices.append(device)

    def used_of(self, index):
        info = self.Info()
        if self.nvml.nvmlDeviceGetMemoryInfo(self.devices[index], ctypes.byref(info)) != 0:
            raise RuntimeError("NVML does not tell the memory in use")
        return info.used

    def used(self):
        """The bytes in use on those that the mediator has."""
        return sum(self.used_of(index) for index in range(len(self.devices)))

    def mig(self):
        """Which GPUs are cut into instances: their indices."""
        current, pending = ctypes.c_uint(), ctypes.c_uint()
        return [index for index, device in enumerate(self.devices)
                if self.nvml.nvmlDeviceGetMigMode(device, ctypes.byref(current),
                                                  ctypes.byref(pending)) == 0 and current.value]


class Stack(Host):
    def __init__(self, folder, backend, work, gpus):
        super().__init__(work, f"{folder}/bin/vgpu-mediatord", f"{folder}/bin/vgpu-worker", backend,
                         {"LD_LIBRARY_PATH": f"{folder}/lib"})
        self.folder = folder
        self.gpus = list(range(gpus))
        self.settings = ["context-idle = 1s", "log-level = debug"]

    def records(self):
        return [self.rest("GET", f"/v1/vms/{vm['uuid']}")
                for vm in self.rest("GET", "/v1/vms")["vms"]]

    def workers(self):
        """The processes of all channels."""
        return {channel["worker_pid"] for record in self.records()
                for channel in record["channels"] if channel["worker_pid"]}

    def tenant(self, uuid, *arguments):
        """tests/gpu/tenant.c on the host, without a VM; its output can be read."""
        process = subprocess.Popen(
            [f"{self.folder}/tests/gpu/tenant", f"local:{self.link(uuid)}", *arguments],
            env=self.environment, stdout=subprocess.PIPE, text=True)
        self.started.append(process)
        return process

    def register_guest(self, name, number):
        return self.register(name, number, quotas={"gpu_memory_bytes": 8 * GIB,
                                                   "window_bytes": 2 * GIB})

    def agent(self, uuid, *arguments, timeout=300):
        """What vgpu-agent prints on the host, without a VM; it has to succeed."""
        result = subprocess.run(
            [f"{self.folder}/bin/vgpu-agent", "--transport", f"local:{self.link(uuid)}",
             *arguments], env=self.environment, capture_output=True, text=True, timeout=timeout)
        return output(result, f"host: vgpu-agent {' '.join(arguments)}")


class Guest:
    def __init__(self, stack, name, number, window_bytes, accelerator):
        self.stack = stack
        self.name = name
        self.uuid = stack.register_guest(name, number)
        self.port = f"{stack.work}/{name}.port"
        folder = stack.folder
        self.qemu = stack.spawn(
            [f"{folder}/bin/qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display",
             "none", "-L", f"{folder}/firmware", "-machine", "q35", "-accel", accelerator, "-cpu",
             "max", "-m", "1024", "-smp", "2", "-uuid", self.uuid,
             "-kernel", f"{folder}/image/vmlinuz", "-initrd", f"{folder}/image/initrd",
             # With two processors Linux takes an emulated TSC for unsynchronized, which it is not,
             # and every look at the clock would be one at the HPET: 1.5 us instead of 0.1.
             "-append", "console=ttyS0 quiet panic=-1 no_timer_check tsc=reliable",
             "-serial", f"file:{stack.work}/{name}.console.log",
             "-device", "virtio-serial-pci", "-chardev",
             f"socket,id=port,path={self.port},server=on,wait=off",
             "-device", "virtserialport,chardev=port,name=org.vgpu.guest",
             "-device", f"vgpu,link={stack.link(self.uuid)},window-size={window_bytes}"],
            f"{name}.qemu", LD_PRELOAD=f"{folder}/lib/vgpu-qemu.so",
            QEMU_MODULE_DIR=f"{folder}/qemu")
        stack.logs.append(f"{stack.work}/{name}.console.log")

    def control(self, *arguments, timeout=300):
        return subprocess.run([sys.executable, f"{self.stack.folder}/scripts/guest-ctl",
                               "--timeout", str(timeout), self.port, *arguments],
                              capture_output=True, text=True)

    def run(self, command, timeout=300):
        return self.control("run", command, timeout=timeout)

    def must(self, command, timeout=300):
        return output(self.run(command, timeout), f"{self.name}: {command}")

    def put(self, local, remote):
        result = self.control("put", local, remote)
        if result.returncode != 0:
            raise RuntimeError(result.stderr)

    def get(self, remote, local):
        result = self.control("get", remote, local)
        if result.returncode != 0:
            raise RuntimeError(result.stderr)

    def boot(self):
        def serves():
            if self.qemu.poll() is not None:
                raise RuntimeError(f"{self.name}'s QEMU ended")
            return self.control("run", "true", timeout=5).returncode == 0
        wait_for(f"{self.name} serves commands", serves, 120, 0.2)

    def record(self):
        return self.stack.rest("GET", f"/v1/vms/{self.uuid}")


def write_array(path, code, values):
    with open(path, "wb") as file:
        array.array(code, values).tofile(file)


def read_array(path, code):
    with open(path, "rb") as file:
        data = file.read()
    values = array.array(code)
    values.frombytes(data[:len(data) // values.itemsize * values.itemsize])
    return values


class Job:
    """A kernel on a file of fresh random numbers, and what a CPU says its result is."""

    def __init__(self, guest, name):
        self.guest = guest
        self.name = name
        self.cpu = guest.stack.backend == "cpu"
        if self.cpu:
            self.numbers = [random.randrange(-1 << 20, 1 << 20) for _ in range(COUNT)]
            self.wanted = array.array("i", [2 * x for x in self.numbers])
        else:
            self.numbers = [random.randrange(1 << 32) for _ in range(COUNT)]
            mixed = []
            for i, x in enumerate(self.numbers):
                for step in range(ROUNDS):
                    x = ((x ^ i) * 2654435761 + step) & 0xffffffff
                    x ^= x >> 15
                mixed.append(x)
            self.wanted = array.array("I", mixed)
        self.local = f"{guest.stack.work}/{guest.name}.{name}"
        write_array(f"{self.local}.in", self.wanted.typecode, self.numbers)
        guest.put(f"{self.local}.in", f"/tmp/{name}.in")

    def command(self, seconds=0, image="/tmp/guest.ptx"):
        files = f"/tmp/{self.name}"
        grid = f"--grid {COUNT // 256} --block 256"
        if self.cpu:
            return (f"rm -f {files}.out; vgpu-agent run builtin vadd_i32 {grid} --arg in:{files}.in "
                    f"--arg in:{files}.in --arg out:{files}.out:{4 * COUNT} --arg i64:{COUNT}")
        return (f"rm -f {files}.out; vgpu-agent run {image} mix {grid} --arg in:{files}.in "
                f"--arg out:{files}.out:{4 * COUNT} --arg i32:{COUNT} --arg i32:{ROUNDS} "
                f"--arg i64:{int(seconds * CLOCK)}")

    def right(self):
        got = f"{self.local}.out"
        self.guest.get(f"/tmp/{self.name}.out", got)
        return read_array(got, self.wanted.typecode) == self.wanted


class Background:
    """A command in a guest, in a thread."""

    def __init__(self, guest, command, timeout=120):
        self.result = None
        self.started = time.monotonic()

        def work():
            self.result = guest.run(command, timeout)
            self.ended = time.monotonic()

        self.thread = threading.Thread(target=work)
        self.thread.start()

    def running(self):
        return self.thread.is_alive()

    def wait(self):
        self.thread.join()
        return self.result


# What tenants bring: nvcc's options, the source, and the file that is made of it.
IMAGES = (
    (["-ptx", "-arch=compute_75"], "guest.cu", "guest.ptx"),
    (["-cubin", "-arch=native"], "guest.cu", "guest.cubin"),
    # With a cubin for this GPU; and with PTX alone, which nvcc compresses.
    (["-fatbin", "-arch=native"], "guest.cu", "guest.fatbin"),
    (["-fatbin", "-gencode=arch=compute_75,code=compute_75"], "guest.cu", "ptx.fatbin"),
    (["-ptx", "-arch=compute_75"], "tenant.cu", "tenant.ptx"),
    (["-cubin", "-arch=native"], "tenant.cu", "tenant.cubin"),
    (["-fatbin", "-arch=native"], "tenant.cu", "tenant.fatbin"),
    (["-fatbin", "-gencode=arch=compute_75,code=compute_75"], "tenant.cu", "tenant-ptx.fatbin"),
)


def compile_kernels(stack, work):
    nvcc = os.environ.get("NVCC", "nvcc")
    for options, source, target in IMAGES:
        subprocess.run([nvcc, *options, "-o", f"{work}/{target}",
                        f"{stack.folder}/tests/gpu/{source}"], check=True)


def accelerator(stack):
    """KVM where a guest really boots with it: there are hosts on which /dev/kvm opens, and hangs."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return TCG
    folder, console = stack.folder, f"{stack.work}/kvm.console.log"
    probe = stack.spawn(
        [f"{folder}/bin/qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
         "-L", f"{folder}/firmware", "-machine", "q35", "-accel", "kvm", "-cpu", "max", "-m", "512",
         "-kernel", f"{folder}/image/vmlinuz", "-initrd", f"{folder}/image/initrd",
         "-append", "console=ttyS0 quiet panic=-1 no_timer_check", "-serial", f"file:{console}"], "kvm.qemu")
    end = time.monotonic() + 10
    booted = False
    while time.monotonic() < end and not booted and probe.poll() is None:
        time.sleep(0.2)
        if os.path.exists(console):
            with open(console, errors="replace") as file:
                booted = "guest: up" in file.read()
    probe.kill()
    probe.wait()
    return "kvm" if booted else TCG


def stable(memory):
    last, since = memory.used(), time.monotonic()
    end = since + 10
    while time.monotonic() < min(since + 1.0, end):
        used = memory.used()
        if used != last:
            last, since = used, time.monotonic()
        time.sleep(0.02)
    return last
