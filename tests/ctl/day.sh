#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An operator's day: the commands of README.md's "A day's work", each as it stands there and in that
# order, while a tenant's program works, which uses the device core in place of a guest.
# shellcheck source=tests/ctl/lib.bash
. "${top_srcdir:?}/tests/ctl/lib.bash"
need jq
client=$top_builddir/tests/bench/contention-client
[ -x "$client" ] || skip "the tenant's program is not built: configure says what it lacks"
PATH=$top_builddir/mediatord:$PATH

mapfile -t commands < <(sed -n '/^## A day/,/^## Where/s/^    \(.*\)/\1/p' "$top_srcdir/README.md" |
	sed 's/ *#.*//')
examples=$(sed -n '/^\.SH EXAMPLES/,/^\.SH COMMANDS/{s/^# //;s/\\(aq/'\''/g;s/\\//g;p}' \
	"$top_srcdir/man/vgpuctl.8")
for command in "${commands[@]}"; do
	grep -qxF -- "$command" <<<"$examples" || fail "vgpuctl(8) does not show: $command"
done

# next COMMAND: the day's next command begins so; sets command to what runs here in its place.
next() {
	[[ ${commands[0]-} == "$1"* ]] || fail "README.md: '${commands[0]-}', not $1"
	command=${commands[0]-false}
	command=${command//\/var\/backups/$dir}
	commands=("${commands[@]:1}")
}

# does COMMAND [TEXT]: the next command begins so, runs, and says TEXT.
does() {
	next "$1"
	expect 0 "${2-}" eval "$command"
}

# follows COMMAND FILE: the next command begins so, and is left running.
follows() {
	next "$1"
	# shellcheck disable=SC2086  # words
	$command >"$dir/$2" 2>&1 &
	started+=($!)
}

# What the operator has beside vgpuctl: libvirt's names, and the service manager, which runs the
# keeper in a service of its own.
virsh() {
	[ "$*" = "domuuid db1" ] && echo "$uuid"
}

systemctl() {
	[ "$*" = "restart vgpu-mediatord" ] && stop_mediator && start_mediator
}

start_keeper() {
	"$top_builddir/vgpu-keeper" --socket "$dir/keeper.sock" --worker "$top_builddir/vgpu-worker" \
		>>"$dir/mediator.log" 2>&1 &
	started+=($!)
	wait_for 60 [ -S "$dir/keeper.sock" ] || fail "no keeper"
}

# tenant_begin: the tenant's program keeps four jobs outstanding, of so many milliseconds that what is
# between two of them hardly counts, and says now and then, in a line of $dir/jobs, what has ended.
tenant_begin() {
	rm -f "$dir/in" "$dir/out"
	mkfifo "$dir/in" "$dir/out"
	: >"$dir/jobs"
	"$client" "$dir/link/$uuid.sock" <"$dir/in" >"$dir/out" 2>"$dir/tenant" &
	tenant=$!
	tenant_work >"$dir/in" <"$dir/out" &
	worker=$!
	started+=("$tenant" "$worker")
}

tenant_work() {
	local line now

	read -r line
	echo "inner 4096"
	while [ ! -e "$dir/evening" ] && read -r line; do
		echo "$line" >>"$dir/jobs"
		read -r now _ </proc/uptime
		now=$((10#${now/./} * 10000000))
		echo "run 4 0 $now $((now + 200000000))"
	done
	exec >&-
	cat >/dev/null
}

# tenant_works: jobs that it begins from now on end well.
tenant_works() {
	seen=$(grep -c '^ran' "$dir/jobs") || true
	wait_for 60 tenant_worked || fail "the tenant's jobs do not end: $(cat "$dir/tenant" "$dir/jobs")"
}

tenant_worked() {
	[ "$(grep -c '^ran' "$dir/jobs")" -gt $((seen + 1)) ]
}

# held: the worker of the VM's channel, and the GPU memory that it holds; fails where there is none.
held() {
	vgpuctl --json channel list db1 |
		jq -ce '.channels[] | [.worker_pid, .memory_used_bytes] | select(all(. > 0))'
}

# share MIN MAX LIMIT: the latest line of top for the VM shows it between these percentages of a GPU,
# and with this limit.
share() {
	grep -E '^db1 ' "$dir/top" | tail -n 1 | awk -v min="$1" -v max="$2" -v limit="$3" \
		'{ share = $6 + 0; good = share >= min && share <= max && $7 == limit }
		END { exit !good }'
}

start_keeper
start_mediator
does "vgpuctl profile add"
does "vgpuctl vm add"
# Its link is for QEMU's user; here the tenant's program is one of this user's.
expect 0 "" vgpuctl vm set db1 "link-uid=$(id -u)"
does "vgpuctl vm show"
row profile gold operator
row priority high profile
row gpu-memory 16GiB profile
row gpu-time-max 50% profile

# Watched while it works, and halved.
follows "vgpuctl top" top
follows "vgpuctl events --follow" events
tenant_begin
wait_for 60 share 31 60 50% || fail "half of a GPU: $(cat "$dir/top" "$dir/tenant")"
does "vgpuctl vm set db1 gpu-time-max=25%"
wait_for 60 share 5 30 25% || fail "a quarter of a GPU: $(tail "$dir/top")"
does "vgpuctl vm set db1 gpu-time-max="
wait_for 60 share 31 60 50% || fail "half of a GPU again: $(tail "$dir/top")"

# In quarantine what it has is ended, and what it asks for is refused, until it is released.
does "vgpuctl vm quarantine"
! wait "$tenant" || fail "a tenant in quarantine works on"
wait "$worker" || true
expect 69 "quarantine" local_agent nop
grep -q "quarantine" "$dir/tenant" || fail "the tenant is not told: $(cat "$dir/tenant")"
does "vgpuctl vm release"
expect 0 "" local_agent nop

# A backup and a restart while it works: it goes on with the same worker.
tenant_begin
tenant_works
does "vgpuctl backup"
[ "$(stat -c %a "$dir/vgpu.db")" = 600 ] || fail "no backup"
before=$(held) || fail "it holds nothing: $(vgpuctl --json channel list db1)"
next "systemctl restart"
eval "$command"
tenant_works
[ "$(held)" = "$before" ] || fail "it holds $(held), not what it held before: $before"
expect 0 "" vgpuctl vm show db1
row gpu-time-max 50% profile
row profile gold operator
touch "$dir/evening"
wait "$tenant" || fail "the restart broke the tenant: $(cat "$dir/tenant")"

# All of it is on record.
for type in vm.changed vm.quarantined vm.released; do
	wait_for 60 grep -q " $type .*$uuid" "$dir/events" || fail "no $type: $(cat "$dir/events")"
done
does "vgpuctl audit" "POST /v1/vms/$uuid/release"
next "vgpuctl doctor"
said=$($command) || true # something else may be wrong on this host
shows "ok       mediator"
[ ${#commands[@]} = 0 ] || fail "not done: ${commands[*]}"
finish
