#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Loading the module: into the QEMU that it is for, into another one, and into what is not QEMU.
set -eu
qemu=/usr/bin/qemu-system-x86_64
: "${top_builddir:?the build folder, as make check sets it}"
wrapper=$top_builddir/device/qemu-system-x86_64-vgpu
module=$top_builddir/device/.libs/vgpu-qemu.so
other=$top_builddir/tests/qemu/.libs/other-version.so
[ -x "$qemu" ] || {
	echo "SKIP: $qemu is missing (Debian: qemu-system-x86)"
	exit 77
}
dir=$(mktemp -d)
qemu_pid=
trap '[ -z "$qemu_pid" ] || kill -9 "$qemu_pid"; rm -rf "$dir"' EXIT

fail() {
	printf 'FAIL: %s\n' "$1"
	[ ! -s "$dir/out" ] || cat "$dir/out"
	exit 1
}

# Runs a command, which must end with this status and print a line that matches.
expect() {
	local status=$1 text=$2 got=0
	shift 2
	"$@" >"$dir/out" 2>&1 || got=$?
	[ "$got" = "$status" ] || fail "status $got rather than $status: $*"
	grep -q -e "$text" "$dir/out" || fail "no \"$text\" from: $*"
}

export VGPU_QEMU_MODULE=$module
expect 0 '^QEMU emulator version' "$wrapper" --version

# A module for another QEMU refuses, with one line that names both versions.
running=$("$qemu" --version | sed -n '1s/^QEMU emulator version \([0-9.]*\).*/\1/p')
VGPU_QEMU_MODULE=$other expect 1 "the device module is for QEMU 1\.2\.3 (Elsewhere), but this is QEMU $running.*: run vgpu-rebuild-module as root\$" \
	"$wrapper" --version
[ "$(wc -l <"$dir/out")" = 1 ] || fail "more than one line"

# In another program every symbol of QEMU may be missing, even where all are looked up at once.
for preloaded in "$module" "$other"; do
	LD_PRELOAD=$preloaded LD_BIND_NOW=1 /bin/sh -c 'echo fine' >"$dir/out" 2>&1 ||
		fail "a shell with $preloaded preloaded ends with $?"
	[ "$(cat "$dir/out")" = fine ] || fail "$preloaded speaks in a shell"
done

# A QEMU that exports nothing to modules.
cp /bin/true "$dir/qemu-system-x86_64"
VGPU_QEMU=$dir/qemu-system-x86_64 expect 1 'exports no symbols to modules' "$wrapper"

# QEMU's children do not get the module; what else was preloaded they do. The child is the source of
# an incoming migration, which never comes and ends with QEMU.
# shellcheck disable=SC2016 # expanded by the child's shell
child='exec:echo "preload:$LD_PRELOAD" >"$CHILD_OUT.tmp"; mv "$CHILD_OUT.tmp" "$CHILD_OUT"; exec cat'
preload_of_child() {
	export CHILD_OUT=$dir/child
	rm -f "$CHILD_OUT"
	"$@" "$wrapper" -display none -nodefaults -S -incoming "$child" >"$dir/out" 2>&1 &
	qemu_pid=$!
	for _ in {1..600}; do
		[ ! -f "$CHILD_OUT" ] || break
		kill -0 "$qemu_pid" 2>/dev/null || fail "QEMU ended before its child started"
		sleep 0.1
	done
	kill "$qemu_pid"
	wait "$qemu_pid" || true
	qemu_pid=
	[ -f "$CHILD_OUT" ] || fail "QEMU starts no child"
	cat "$CHILD_OUT"
}
found=$(preload_of_child env)
[ "$found" = preload: ] || fail "QEMU's child has $found"
libc=$(ldd /bin/sh | sed -n 's/.*=> \(.*libc\.so[^ ]*\).*/\1/p')
found=$(preload_of_child env LD_PRELOAD="$libc")
[ "$found" = "preload:$libc" ] || fail "QEMU's child has $found rather than $libc"

# The wrapper says what is missing.
VGPU_QEMU=$dir/none expect 1 "$dir/none is missing" "$wrapper" --version
VGPU_QEMU_MODULE=$dir/none.so expect 1 "device module $dir/none.so is missing: run .*vgpu-rebuild-module" "$wrapper" --version
mkdir "$dir/a b"
cp "$module" "$dir/a b/vgpu-qemu.so"
VGPU_QEMU_MODULE="$dir/a b/vgpu-qemu.so" expect 1 'no colon or space' "$wrapper" --version
