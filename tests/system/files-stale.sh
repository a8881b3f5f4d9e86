#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A mediator whose files-dir is itself on NFS: nobody tells it of changes, handles go stale, and the
# server hangs. It runs in the guest, whose kernel has NFS; an old client writes to the server's disk.
set -eu
# shellcheck source=tests/system/nfs.bash
. "${top_srcdir:?see tests/README.md}/tests/system/nfs.bash"
isolate "$@"
need ldd libc-bin tar tar

# The mediator and what it starts, with their libraries, in one archive.
pack() {
	local root=$work/pack program library
	mkdir -p "$root/bin" "$root/lib" "$root/run/vgpu" "$root/etc"
	for program in "$VGPU_SBINDIR/vgpu-mediatord" "$keeper" "$worker" "$VGPU_BINDIR/vgpuctl"; do
		cp "$program" "$root/bin/"
		while read -r library; do
			cp -L "$library" "$root/lib/"
		done < <(ldd "$program" | awk '$2 == "=>" { print $3 }')
	done
	cat >"$root/etc/mediatord.conf" <<-'EOF'
	[mediatord]
	state = /tmp/state.db
	worker = /bin/vgpu-worker
	keeper = /bin/vgpu-keeper
	backend = cpu
	files-dir = /mnt/tree/tree
	files-poll = 20ms
	log-level = debug
	EOF
	tar -C "$root" -cf "$work/pack.tar" .
}

mkdir -p "$tree/tree/vm1"
start_nfs tree
start_libvirt
define_guest
give_network guest
virsh_ start guest
pack
wait_guest
guest_put "$work/pack.tar" /tmp/pack.tar
in_guest "tar -C / -xf /tmp/pack.tar && rm /tmp/pack.tar"
guest_network
# What NFS may remember, it remembers for longer than anybody waits here.
guest_mounts tree /mnt/tree actimeo=600

begin() {
	in_guest "vgpu-mediatord --config /etc/mediatord.conf >>/tmp/mediatord.log 2>&1 & echo \$! >/tmp/pid"
	wait_until 60 "the mediator answers" in_guest "vgpuctl vm list"
}
logged() {
	in_guest "grep -q '$1' /tmp/mediatord.log"
}
# request A B: an old client's, on the server's disk.
request() {
	rm -f "$folder/response.txt"
	echo "A:1:1:$1:$2" >"$folder/request.txt"
}
# answered SUM
answered() {
	wait_until 60 "the answer is $1" grep -qx -- "$1" "$folder/response.txt"
}
folder=$tree/tree/vm1
begin
in_guest "vgpuctl vm add $guest_uuid vm-id=1 name=guest priority=medium" || fail "no VM"
request 100 200
answered 300
logged "serving vm1, looked at from time to time" || fail "changes are told of over NFS?"
say "served over NFS"

# The folder is another one with the same name.
rm -r "$folder"
mkdir "$folder"
request 1 2
answered 3
say "another folder is served"

# So is the tree; what was open of it is stale.
rm -r "$tree/tree"
mkdir -p "$folder"
request 3 4
answered 7
say "another tree is served"

# The server hangs: all else goes on, and what was asked meanwhile is answered.
kill -STOP "$nfs_pid"
request 5 6
in_guest_of guest 60 "vgpuctl vm show guest" >"$work/output" || fail "REST waits for the file system"
kill -CONT "$nfs_pid"
answered 11
say "the server went on"

# It hangs while the mediator is to end.
kill -STOP "$nfs_pid"
in_guest_of guest 60 'kill "$(cat /tmp/pid)"; while kill -0 "$(cat /tmp/pid)" 2>/dev/null; do sleep 0.1; done' ||
	fail "the mediator does not end"
kill -CONT "$nfs_pid"
request 7 8
begin
answered 15
