#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A worker that dies in the middle of requests: its VM is told, and the next request has a new one.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"

start_mediator
start_libvirt
define_guest
register
boot_guest
put_vectors 300000

# stop_worker: stops the worker, unless the first addition's end may be near: of its requests, which
# hold at most 1 KiB, more than 3500 carry its three vectors. $pid is the worker's.
stop_worker() {
	pid=$(vm .worker.pid)
	kill -STOP "$pid"
	vm_is ".counters.completed < $completed + 3000" && return
	kill -CONT "$pid"
	return 1
}

for round in 1 2; do
	lost=$(vm .counters.workers_lost)
	until begin_adding && stop_worker; do
		say "too late for the first addition: once more"
		end_adding
	done
	kill -KILL "$pid"
	until_added
	[ "$added" -eq 75 ] || fail "exit status $added, not 75, as the worker died"
	expect 1 in_guest "test -e /tmp/sum"
	until_served "round $round"
	wait_until 60 "the killed worker is gone" [ ! -e "/proc/$pid" ]
	[ "$(vm .counters.workers_lost)" -eq $((lost + 1)) ] || fail "the loss was not counted"
	[ "$(pids_of "$worker")" = "$(vm .worker.pid)" ] || fail "other workers: $(pids_of "$worker")"
	add_vectors || fail "no sum after the worker died"
	check_sum
done
only_sockets "$control" "$keeper_socket" "$link_dir/$guest_uuid.sock"
