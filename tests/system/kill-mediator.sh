#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A mediator that dies in the middle of requests: the guest is told, a program's channel goes on with
# all that it has on the GPU, and a new mediator serves the VM again without being told of it.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"

start_mediator
start_libvirt
define_guest
register
boot_guest
put_vectors 100000
guest_put "$top_builddir/tests/system/channel-holder" /tmp/holder
in_guest "chmod +x /tmp/holder"
holder=$(in_guest ": >/tmp/said; /tmp/holder hold >/tmp/said 2>&1 </dev/null & echo \$!")
wait_until 60 "a program has a channel" in_guest "grep -q ready /tmp/said"
holder_worker=$(vm '.channels[0].worker_pid')
served=0

# Whether the only workers are the mailbox's and the channel's.
workers_are_its() {
	[ "$(pids_of "$worker" | sort)" = "$(vm '.worker.pid, .channels[0].worker_pid' | sort)" ]
}

# What the program left in its channel's memory is there, and it can use it.
channel_serves() {
	served=$((served + 1))
	in_guest "kill -USR1 $holder"
	wait_until 60 "the channel serves: $1" \
		in_guest "[ \$(grep -c served /tmp/said) = $served ]"
}

channel_serves "at first"
for round in 1 2; do
	begin_adding
	stop_mediator KILL
	until_added
	case $added in
	69 | 75) ;;
	*) fail "exit status $added, neither 69 nor 75, as the mediator died" ;;
	esac
	expect 1 in_guest "test -e /tmp/sum"
	channel_serves "without a mediator"
	start_mediator
	until_served "round $round"
	add_vectors || fail "no sum after the mediator died"
	check_sum
	channel_serves "round $round"
	vm_is ".channels | length == 1 and .[0].worker_pid == $holder_worker" ||
		fail "not the channel that was there: $(vm .channels)"
	wait_until 60 "no other worker is left" workers_are_its
	only_sockets "$control" "$keeper_socket" "$link_dir/$guest_uuid.sock"
done

# A worker that was killed while no mediator was there is a channel that is lost.
stop_mediator KILL
kill -KILL "$holder_worker"
start_mediator
until_served "a worker was killed"
in_guest "kill -USR1 $holder"
wait_until 60 "the program hears that its channel is lost" \
	in_guest "[ ! -e /proc/$holder ] || grep -q Z /proc/$holder/stat"

# The keeper was started by the mediator: an orderly end takes all with it.
stop_mediator
wait_until 60 "no worker is left over" no_process "$worker"
wait_until 60 "no keeper is left over" no_process "$keeper"
only_sockets
