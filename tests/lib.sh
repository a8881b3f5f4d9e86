# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For shell tests that run the project's programs on this host: a mediator of the test's own, with
# its sockets and state in a private folder, $dir, which goes with everything that was started.
#
#	. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
#	need curl jq
#	start_mediator
#	put_vm "$uuid" '{"name":"one"}'

set -eu

: "${top_srcdir:?see tests/README.md}" "${top_builddir:?}"

agent=$top_builddir/guest-agent/vgpu-agent
dir=$(mktemp -d "${TMPDIR:-/tmp}/vgpu-test.XXXXXX")
uuid=6f1f2c3d-0a1b-4c5d-8e9f-001122334455
mediator_pid=
failed=0

# Processes that the test started and that must not outlive it.
started=()

clean_up() {
	local status=$? pid

	trap - EXIT
	for pid in "${started[@]}" $mediator_pid; do
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	# A keeper would wait a minute for the next mediator. It ends its workers first.
	for pid in $(pgrep -f -- "--socket $dir/keeper[.]sock "); do
		kill "$pid" 2>/dev/null || true
	done
	if [ "$status" != 0 ] && [ -s "$dir/mediator.log" ]; then
		echo "--- mediator.log"
		tail -n 40 "$dir/mediator.log"
	fi
	rm -rf "$dir"
	exit "$status"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

skip() {
	echo "SKIP: $*"
	exit 77
}

# Says what failed, and lets the test go on; `finish` ends it.
fail() {
	echo "FAIL: $*"
	failed=1
}

finish() {
	[ "$failed" = 0 ] && echo "PASS"
	exit "$failed"
}

# need PROGRAM...: skips the test where one is missing.
need() {
	local program

	for program; do
		command -v "$program" >/dev/null || skip "$program is missing"
	done
}

# wait_for SECONDS COMMAND...: until the command succeeds, looking 50 times a second.
wait_for() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))

	shift
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		sleep 0.02
	done
}

# listens PATH: whether somebody does, at a Unix socket, whose file is there a moment before.
listens() {
	grep -q " 00010000 .* $1\$" /proc/net/unix
}

# rest METHOD PATH [BODY]: prints the answer's body; fails where its status is not 2xx.
rest() {
	curl --silent --fail-with-body --max-time 60 --unix-socket "$dir/control.sock" \
		--request "$1" ${3+--header 'Content-Type: application/json' --data "$3"} \
		"http://localhost$2"
}

mediator_answers() {
	rest GET /healthz >/dev/null 2>&1
}

# start_mediator [LINES]: with these lines at the end of its configuration, with $mediatord_lines in
# its first section, with $pool_gpus (0) in its pool, and with $worker_program as its worker, where that is
# set. The state stays in $dir, so that starting it again is a restart.
start_mediator() {
	[ -x "$top_builddir/mediatord/vgpu-mediatord" ] ||
		skip "vgpu-mediatord is not built: configure says what it lacks"
	# Its workers run as other users where it is root.
	chmod 0755 "$dir"
	cat >"$dir/mediatord.conf" <<-CONF
	[mediatord]
	control-socket = $dir/control.sock
	link-dir = $dir/link
	libvirt-run-dir = $dir/libvirt
	state = $dir/state.db
	worker = ${worker_program:-$top_builddir/vgpu-worker}
	keeper = $top_builddir/vgpu-keeper
	log-level = debug
	default-pool = A
	${mediatord_lines-}
	[pool A]
	gpus = ${pool_gpus-0}
	${1-}
	CONF
	"$top_builddir/mediatord/vgpu-mediatord" --config "$dir/mediatord.conf" \
		>>"$dir/mediator.log" 2>&1 &
	mediator_pid=$!
	if ! wait_for 60 mediator_answers; then
		echo "the mediator does not answer"
		exit 1
	fi
}

# stop_mediator [SIGNAL]
stop_mediator() {
	kill -"${1:-TERM}" "$mediator_pid"
	wait "$mediator_pid" 2>/dev/null || true
	mediator_pid=
}

# put_vm UUID [BODY]: registers a VM whose link this user may use. BODY is a JSON object.
put_vm() {
	local body

	body=$(jq -c --argjson uid "$(id -u)" '. + {link_uid: $uid}' <<<"${2:-{\}}")
	rest PUT "/v1/vms/$1" "$body" >"$dir/put.json" ||
		{ echo "registering $1: $(cat "$dir/put.json")"; exit 1; }
}

# vm FILTER [UUID]: what the mediator says of a VM, through jq.
vm() {
	rest GET "/v1/vms/${2:-$uuid}" | jq -r "$1"
}

# memory_is_free [UUID]: whether the VM has no GPU memory.
memory_is_free() {
	[ "$(vm .usage.gpu_memory_bytes "$@")" = 0 ]
}

# local_agent ARGUMENT...: vgpu-agent on the link of the VM $uuid.
local_agent() {
	"$agent" --transport "local:$dir/link/$uuid.sock" "$@"
}

# expect STATUS TEXT COMMAND...: the command ends so, and what it says contains TEXT.
expect() {
	local wanted=$1 text=$2 status=0

	shift 2
	said=$("$@" 2>&1) || status=$?
	if [ "$status" != "$wanted" ]; then
		fail "$*: exit status $status, not $wanted: $said"
	elif [[ $said != *"$text"* ]]; then
		fail "$*: does not say '$text': $said"
	fi
}
