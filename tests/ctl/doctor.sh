#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# doctor: each check, of a real mediator, and of a system in a folder that is well or is not.
# shellcheck source=tests/ctl/lib.bash
. "${top_srcdir:?}/tests/ctl/lib.bash"
need jq
cp "$top_builddir/vgpu-gpuinfo" "$dir/gpuinfo"
mediatord_lines="control-group ="
start_mediator
put_vm "$uuid"
sed "s|^worker = .*|&\ngpuinfo = $dir/gpuinfo|" "$dir/mediatord.conf" >"$dir/doctor.conf"
unset VGPUCTL_SOCKET

# A sound system below $dir/root: the kernel's own files but for those that differ from host to host.
root=$dir/root
prefix=$("$ctl" help doctor | sed -n 's|.*(default: \(.*\)/vgpu/mediatord.conf)|\1|p')
hook=$(find_hook() { "$ctl" doctor --config "$dir/doctor.conf" --root "$root" --json |
	jq -r '.checks[] | select(.name == "hook").message' | sed 's/: .*//'; }; find_hook)
wrapper=$("$ctl" doctor --config "$dir/doctor.conf" --root "$root" --json |
	jq -r '.checks[] | select(.name == "qemu").message' | sed 's/: .*//')
[ -n "$prefix" ] || fail "no default configuration in: $("$ctl" help doctor)"
mkdir -p "$root/proc/self/ns" "$root/proc/net" "$root/proc/sys/kernel/seccomp" \
	"$root/sys/fs/cgroup" "$root/proc/$mediator_pid" "${hook%/*}" "${wrapper%/*}"
touch "$root"/proc/self/ns/{net,ipc,uts,mnt,user}
cp /proc/net/unix "$root/proc/net/unix"
echo "kill_process errno allow" >"$root/proc/sys/kernel/seccomp/actions_avail"
echo "cpuset cpu io memory pids" >"$root/sys/fs/cgroup/cgroup.controllers"
echo "Max open files            8192                 8192                 files" \
	>"$root/proc/$mediator_pid/limits"
script() {
	printf '#!/bin/sh\n%s\n' "$2" >"$1"
	chmod 755 "$1"
}
script "$hook" "echo 'control-socket = $dir/control.sock'"
script "$wrapper" "echo 'name \"vgpu\", bus PCI'"

doctor() {
	"$ctl" doctor --config "$dir/doctor.conf" --root "$root" "$@"
}

# finds CHECK RESULT TEXT [CURE]: and the exit status that belongs to it.
finds() {
	local report status=0 found

	report=$(doctor --json) || status=$?
	found=$(jq -r --arg name "$1" '.checks[] | select(.name == $name) |
		.result + " " + .message + " DO " + (.cure // "")' <<<"$report")
	[[ $found == "$2 "*"$3"*" DO "*"${4-}"* ]] || fail "$1: '$found', not $*"
	[ "$status" = "$([ "$2" = failed ] && echo 1 || echo 0)" ] || fail "$1: exit status $status"
}

expect 0 "ok       mediator         ready, version" doctor
[ "$(grep -cE '^(ok|skipped) ' <<<"$said")" = 22 ] || fail "not all is well: $said"
# An empty variable is none: the configuration says which mediator is meant.
expect 0 "ok       mediator" env VGPUCTL_URL= "$ctl" doctor --config "$dir/doctor.conf" --root "$root"

# The mediator's own things.
finds control-socket ok "mode 0600"
chmod 666 "$dir/control.sock"
finds control-socket failed "mode 0666, not 0600" restart
chmod 600 "$dir/control.sock"
sed -i.empty /^control-group/d "$dir/doctor.conf"
if getent group vgpu >/dev/null; then
	[ "$(id -u)" != 0 ] || finds control-socket failed "mode 0600, not 0660" restart
else
	finds control-socket warning "there is no group vgpu" systemd-sysusers
fi
mv "$dir/doctor.conf.empty" "$dir/doctor.conf"
chmod 600 "$dir/link/$uuid.sock"
finds links failed "mode 0600, not 0666"
chmod 666 "$dir/link/$uuid.sock"
grep -v "$uuid" "$root/proc/net/unix" >"$dir/unix"
mv "$dir/unix" "$root/proc/net/unix"
finds links failed "nobody listens on $dir/link/$uuid.sock"
grep -v keeper /proc/net/unix >"$root/proc/net/unix"
finds keeper failed "nobody listens" "restart vgpu-keeper"
cp /proc/net/unix "$root/proc/net/unix"
chmod 644 "$dir/state.db"
finds state warning "mode 0644" "chmod 600"
chmod 600 "$dir/state.db"
mv "$dir/gpuinfo" "$dir/away"
finds programs failed "gpuinfo = $dir/gpuinfo: No such file"
mv "$dir/away" "$dir/gpuinfo"
echo "Max open files            1024                 8192                 files" \
	>"$root/proc/$mediator_pid/limits"
finds limits warning "1024 open files" LimitNOFILE
rm "$root/proc/$mediator_pid/limits"
finds limits skipped "No such file"

# libvirt's domains are followed where the configuration says so.
reconciler_is() {
	sed -i -e '/^libvirt-uri/d' -e '/^reconciler/d' \
		-e "s|^control-socket = .*|&\nlibvirt-uri = $1\nreconciler = $2|" "$dir/doctor.conf"
}
cp "$dir/doctor.conf" "$dir/doctor.conf.before"
reconciler_is "" "$dir/none"
finds reconciler skipped "libvirt-uri is empty"
reconciler_is qemu:///system "$dir/none"
finds reconciler warning "$dir/none: No such file" mediatord.conf
reconciler_is qemu:///system "$wrapper"
finds reconciler failed "vgpu-reconciler does not run" "restart vgpu-mediatord"
mkdir "$root/proc/4711"
echo vgpu-reconciler >"$root/proc/4711/comm"
finds reconciler ok "qemu:///system"
mv "$dir/doctor.conf.before" "$dir/doctor.conf"

# Mediator and keeper are those of the services.
mkdir -p "$root/run/systemd/system" "$root/etc/systemd/system"
touch "$root"/etc/systemd/system/vgpu-{mediatord,keeper}.service
echo "0::/user.slice" >"$root/proc/$mediator_pid/cgroup"
finds units warning "did not start the mediator, pid $mediator_pid" systemctl
echo "0::/system.slice/vgpu-mediatord.service" >"$root/proc/$mediator_pid/cgroup"
finds units warning "is not enabled"
echo vgpu-keeper >"$root/proc/4711/comm"
cp "$root/proc/$mediator_pid/cgroup" "$root/proc/4711/"
finds units warning "did not start the keeper, pid 4711: workers end" systemctl
echo "0::/system.slice/vgpu-keeper.service" >"$root/proc/4711/cgroup"
finds units warning "is not enabled"
rm -r "$root/run" "$root/etc/systemd" "$root/proc/4711"

# QEMU and libvirt.
script "$wrapper" "echo 'vgpu: the device module is for QEMU 7, but this is QEMU 8' >&2; exit 1"
finds qemu failed "is for QEMU 7, but this is QEMU 8" vgpu-rebuild-module
script "$wrapper" "yes | head -c 300000 | dd bs=300000 iflag=fullblock count=1 status=none &&
echo 'name \"vgpu\"'"
finds qemu ok "has the device"
script "$wrapper" "echo 'name \"e1000\"'"
finds qemu failed "does not know the device"
chmod 644 "$wrapper"
finds qemu failed "Permission denied"
script "$wrapper" "echo 'name \"vgpu\"'"
script "$hook" "echo 'control-socket = /elsewhere'"
finds hook failed "the hook asks /elsewhere" hook.conf
script "$hook" "echo 'vgpu: hook.conf:1: unknown key' >&2; exit 1"
finds hook failed "hook.conf:1: unknown key"
rm "$hook"
finds hook failed "No such file" "restart libvirtd"
if [ -x "$top_builddir/hook/vgpu" ]; then
	echo "control-socket = $dir/control.sock" >"$dir/hook.conf"
	script "$hook" "exec '$top_builddir/hook/vgpu' --config '$dir/hook.conf' \"\$@\""
	finds hook ok "$hook"
fi
script "$hook" "echo 'control-socket = $dir/control.sock'"

# The kernel.
rm "$root/proc/self/ns/user"
finds namespaces failed "no user namespaces"
touch "$root/proc/self/ns/user"
echo errno >"$root/proc/sys/kernel/seccomp/actions_avail"
finds namespaces failed "cannot end a process"
echo kill_process >"$root/proc/sys/kernel/seccomp/actions_avail"
echo "cpuset io" >"$root/sys/fs/cgroup/cgroup.controllers"
finds cgroups warning "there is only 'cpuset io'"
rm "$root/sys/fs/cgroup/cgroup.controllers"
finds cgroups warning "no unified control groups"

# GPUs.
finds gpus skipped "needs no GPU"
mkdir -p "$root/proc/driver/nvidia" "$root/sys/module/nvidia_uvm/parameters" "$root/proc/4711"
echo "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.0" >"$root/proc/driver/nvidia/version"
finds gpus warning "the backend is cpu" "backend = cuda"
sed -i 's|^worker = .*|&\nbackend = cuda|' "$dir/doctor.conf"
gpu='{"index":0,"name":"H100","uuid":"GPU-1","memory_bytes":1,"memory_used_bytes":0,"mig":false}'
script "$dir/gpuinfo" "echo '{\"gpus\":[$gpu]}'"
finds gpus ok "the first a H100"
script "$dir/gpuinfo" "echo '{\"gpus\":[$gpu,{\"index\":1,\"nvml_error\":15}]}'"
finds gpus failed "GPU 1 is lost" dmesg
script "$dir/gpuinfo" "echo '{\"gpus\":[${gpu/false/true}]}'"
finds gpus failed "partitioned (MIG)" "nvidia-smi -mig 0"
script "$dir/gpuinfo" "echo '{\"gpus\":[]}'"
finds gpus failed "has no GPU"
script "$dir/gpuinfo" "echo nonsense"
finds gpus failed "no list of GPUs"
script "$dir/gpuinfo" "echo 'vgpu-gpuinfo: no driver' >&2; exit 69"
finds gpus failed "vgpu-gpuinfo: no driver" nvidia-smi
script "$dir/gpuinfo" "echo '{\"gpus\":[$gpu]}'"
finds pageable-access skipped "not loaded"
echo N >"$root/sys/module/nvidia_uvm/parameters/uvm_disable_hmm"
finds pageable-access warning "HMM may be on" "uvm_disable_hmm=1"
echo Y >"$root/sys/module/nvidia_uvm/parameters/uvm_disable_hmm"
finds pageable-access ok "HMM is off"
echo "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.0" >"$root/proc/driver/nvidia/version"
finds pageable-access ok "proprietary"
finds mps ok "no MPS"
finds persistence warning "does not run" nvidia-persistenced
echo nvidia-cuda-mps >"$root/proc/4711/comm"
finds mps warning "MPS runs (pid 4711)" quit
echo nvidia-persiste >"$root/proc/4711/comm"
finds persistence ok runs
sed -i 's|^backend = cuda|&\nallow-pageable-access = yes|' "$dir/doctor.conf"
finds pageable-access warning "allow-pageable-access = yes"

# A mediator that is not there, a database that is damaged, a configuration that cannot be.
stop_mediator
finds mediator failed "cannot reach" systemctl
finds control-socket failed "No such file"
rm -f "$dir"/state.db-*
dd if=/dev/urandom of="$dir/state.db" bs=4096 seek=1 count=2 conv=notrunc status=none
finds state failed "$dir/state.db" "backup"
rm "$dir/state.db"
finds state failed "No such file"
echo nonsense >>"$dir/doctor.conf"
expect 78 "the configuration cannot be used" doctor
expect 1 "cannot reach" "$ctl" doctor --config "$dir/mediatord.conf" --url http://localhost:9
[ "$(grep -c '^failed' <<<"$said")" = 1 ] || fail "checks of this host for another's: $said"
finish
