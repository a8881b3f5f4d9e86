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

for round in 1 2; do
	lost=$(vm .counters.workers_lost)
	begin_adding
	pid=$(vm .worker.pid)
	kill -KILL "$pid"
	status=0
	wait "$adding" || status=$?
	cat "$work/adding.log"
	[ "$status" -eq 75 ] || fail "exit status $status, not 75, as the worker died"
	expect 1 in_guest "test -e /tmp/sum"
	until_served "round $round"
	[ ! -e "/proc/$pid" ] || fail "the killed worker is still there"
	[ "$(vm .counters.workers_lost)" -eq $((lost + 1)) ] || fail "the loss was not counted"
	[ "$(pids_of "$worker")" = "$(vm .worker.pid)" ] || fail "other workers: $(pids_of "$worker")"
	add_vectors || fail "no sum after the worker died"
	check_sum
done
only_sockets "$control" "$keeper_socket" "$link_dir/$guest_uuid.sock"
