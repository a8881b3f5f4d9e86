#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Several agents on one link take turns, and what killed ones leave behind is freed.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq
start_mediator
put_vm "$uuid"
cd "$dir"

seq 20000 >a
seq 20000 >b
seq 1000000 >large

memory_is_used() {
	[ "$(vm .usage.gpu_memory_bytes)" -gt 0 ]
}

# Four at once: none fails, and none gets another's numbers.
pids=()
for i in 1 2 3 4; do
	seq "$i" "$i" $((i * 20000)) >"b$i"
	local_agent add a "b$i" -o "sum$i" >"said$i" 2>&1 &
	pids+=("$!")
	started+=("$!")
done
for i in 1 2 3 4; do
	wait "${pids[i - 1]}" || fail "agent $i of four: $(cat "said$i")"
	paste "sum$i" a "b$i" | awk '$1 != $2 + $3 { exit 1 }' || fail "sum $i of four is wrong"
done

# under_way: a job was seen at work, another one where the last ended before. Bash lets background
# jobs ignore SIGINT, which env undoes.
under_way() {
	kill -0 "$pid" 2>/dev/null || {
		rm -f sum
		env --default-signal=INT "$agent" --transport "local:$dir/link/$uuid.sock" \
			add --mailbox large large -o sum >said 2>&1 &
		pid=$!
		started+=("$pid")
	}
	memory_is_used
}

# end_by SIGNAL: sets status, of a job that did not end before the signal came.
end_by() {
	for _ in $(seq 20); do
		pid=
		wait_for 60 under_way || fail "SIG$1: the job does not get under way: $(cat said)"
		kill -s "$1" "$pid" 2>/dev/null || true
		status=0
		wait "$pid" 2>/dev/null || status=$?
		[ "$status" = 0 ] || return 0
	done
}

# A signal: memory and temporary file are given back, and the agent ends by that signal.
for signal in TERM INT KILL; do
	end_by "$signal"
	[ "$status" = $((128 + $(kill -l "$signal"))) ] ||
		fail "SIG$signal: exit status $status: $(cat said)"
	wait_for 60 memory_is_free || fail "SIG$signal: memory is left: $(vm .usage)"
	[ ! -e sum ] || fail "SIG$signal: there is an output file"
	# Nobody can tidy up after SIGKILL but the next user, who finds a name that says what it is.
	[ "$signal" = KILL ] || ! compgen -G 'sum.??????' >/dev/null ||
		fail "SIG$signal: the temporary file is left"
done
[ "$(local_agent info --json | jq .link)" = '"up"' ] || fail "no link after that"
finish
