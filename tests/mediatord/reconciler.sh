#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The mediator starts vgpu-reconciler with what its configuration says, again when it ends, and ends
# it with itself; it serves as well where there is none.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq

runs() {
	[ -s "$dir/runs" ] && [ "$(wc -l <"$dir/runs")" -ge "$1" ]
}
# Killed or ended, an orphan is a zombie for as long as nobody waits for it.
ended() {
	! grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$(tail -n 1 "$dir/pids")/status" 2>/dev/null
}
logged() {
	grep -q -- "$1" "$dir/mediator.log"
}

cat >"$dir/stand-in" <<STAND_IN
#!/bin/bash
echo "\$\$" >>"$dir/pids"
echo "\$*" >>"$dir/runs"
exec cat >/dev/null
STAND_IN
chmod +x "$dir/stand-in"

# Nothing to follow by default here, and nothing to follow it with.
start_mediator
vm=$(rest GET /v1/vms)
[ "$vm" = '{"vms":[]}' ] || fail "VMs: $vm"
stop_mediator
! logged 'not followed' || fail "it looked for a reconciler"
mediatord_lines="libvirt-uri = test:///default
reconciler = $dir/absent"
start_mediator
wait_for 60 logged "domains are not followed: $dir/absent: No such file" || fail "the absence is not told"
stop_mediator

mediatord_lines="libvirt-uri = test:///default
libvirt-attach = no
reconciler = $dir/stand-in"
start_mediator
wait_for 60 runs 1 || fail "not started"
expected="--control-socket $dir/control.sock --uri test:///default --link-dir $dir/link --log-level debug"
[ "$(head -n 1 "$dir/runs")" = "$expected --no-attach" ] || fail "arguments: $(cat "$dir/runs")"
kill -9 "$(tail -n 1 "$dir/pids")"
wait_for 60 runs 2 || fail "not started again"
stop_mediator
ended || fail "not ended with the mediator"

# Its standard input tells it where the mediator is killed.
mediatord_lines="libvirt-uri = test:///default
reconciler = $dir/stand-in"
start_mediator
wait_for 60 runs 3 || fail "not started by another mediator"
[ "$(tail -n 1 "$dir/runs")" = "$expected" ] || fail "arguments: $(cat "$dir/runs")"
stop_mediator KILL
wait_for 60 ended || fail "not ended by the end of its input"

# The real one, with the libvirt that is in its own library.
[ -x "$top_builddir/vgpu-reconciler" ] || finish
mediatord_lines="libvirt-uri = test:///default
reconciler = $top_builddir/vgpu-reconciler"
start_mediator
put_vm "$uuid"
stop_mediator
start_mediator
sees_none() {
	[ "$(vm .domain.state)" = none ]
}
wait_for 60 sees_none || fail "the VM without a domain: $(vm .domain)"
stop_mediator

# A libvirt that is not there, and wrong command lines.
"$top_builddir/vgpu-reconciler" --uri "qemu+unix:///system?socket=$dir/none" \
	--control-socket "$dir/control.sock" </dev/null 2>"$dir/said"
grep -q 'tried again every second' "$dir/said" || fail "no libvirt: $(cat "$dir/said")"
expect 64 "is no log level" "$top_builddir/vgpu-reconciler" --log-level loud
expect 64 "is no option" "$top_builddir/vgpu-reconciler" more
expect 64 "see vgpu-reconciler --help" "$top_builddir/vgpu-reconciler" --more
finish
