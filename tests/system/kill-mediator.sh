#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A mediator that dies in the middle of requests: the guest is told, nothing is left over, and a new
# one serves the VM again without being told of it.
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
	begin_adding
	stop_mediator KILL
	status=0
	wait "$adding" || status=$?
	cat "$work/adding.log"
	case $status in
	69 | 75) ;;
	*) fail "exit status $status, neither 69 nor 75, as the mediator died" ;;
	esac
	expect 1 in_guest "test -e /tmp/sum"
	wait_until 5 "no worker is left over" no_process "$worker"
	start_mediator
	until_served "round $round"
	add_vectors || fail "no sum after the mediator died"
	check_sum
	[ "$(pids_of "$worker")" = "$(vm .worker.pid)" ] || fail "other workers: $(pids_of "$worker")"
	only_sockets "$control" "$link_dir/$guest_uuid.sock"
done

# An orderly end takes its sockets with it.
stop_mediator
wait_until 5 "no worker is left over" no_process "$worker"
only_sockets
