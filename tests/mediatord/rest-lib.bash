# SPDX-License-Identifier: Apache-2.0
# For the tests of REST: a mediator of their own, in a folder of their own, and requests to it.
# shellcheck shell=bash disable=SC2034  # the tests use what is set here
set -eu
command -v curl >/dev/null || {
	echo "curl is missing (Debian: curl)"
	exit 77
}

work=$(mktemp -d)
socket=$work/run/control.sock
daemon_pid=
uuid1=11111111-1111-4111-8111-111111111111
uuid2=22222222-2222-4222-8222-222222222222
vm1=/v1/vms/$uuid1
vm2=/v1/vms/$uuid2

cat >"$work/mediatord.conf" <<CONF
[mediatord]
control-socket = $socket
link-dir = $work/run/link
libvirt-run-dir = $work/run/libvirt
state = $work/state/state.db
worker = ${top_builddir:?}/vgpu-worker
[pool A]
gpus = 0
[pool B]
gpus = 1
[profile gold]
pool = B
priority = high
gpu-memory = 8GiB
queue-depth = 9
CONF

clean_up() {
	[ -z "$daemon_pid" ] || kill -9 "$daemon_pid" 2>/dev/null || true
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

fail() {
	echo "FAIL: $*"
	[ ! -s "$work/log" ] || sed 's/^/    /' "$work/log"
	exit 1
}

# What runs the mediator's command line, where it is not run as it is.
daemon_wrapper=()

# Starts the mediator and waits until it answers.
start_daemon() {
	"${daemon_wrapper[@]}" "$top_builddir/mediatord/vgpu-mediatord" \
		--config "$work/mediatord.conf" >>"$work/log" 2>&1 </dev/null &
	daemon_pid=$!
	for _ in $(seq 1200); do
		if curl -s -o /dev/null --unix-socket "$socket" http://localhost/healthz; then
			return
		fi
		kill -0 "$daemon_pid" 2>/dev/null || fail "the mediator ended"
		sleep 0.05
	done
	fail "the mediator does not answer"
}

# Ends it with a signal, which must be what ends it: stop_daemon TERM expects exit status 0.
stop_daemon() {
	local status=0
	kill "-$1" "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null || status=$?
	daemon_pid=
	[ "$1" != TERM ] || [ "$status" = 0 ] || fail "exit status $status after SIGTERM"
}

# request METHOD PATH [BODY [CURL-OPTION...]]: sets status, type and body. "-" as BODY: none;
# "@FILE" sends a file's bytes.
request() {
	local method=$1 path=$2 data=${3--}
	local options=(-s -o "$work/body" -D "$work/headers" -w '%{http_code} %{content_type}'
		--max-time 60 --path-as-is --unix-socket "$socket" -X "$method")
	[ $# -lt 3 ] || shift
	shift 2
	if [ "$data" != - ]; then
		options+=(-H 'Content-Type: application/json' --data-binary "$data")
	fi
	: >"$work/body"
	read -r status type < <(curl "${options[@]}" "$@" "http://localhost$path" || true
		echo) || true
	body=$(tr -d '\0' <"$work/body")
}

# expect STATUS METHOD PATH [BODY [CURL-OPTION...]]
expect() {
	local wanted=$1
	shift
	request "$@"
	[ "$status" = "$wanted" ] || fail "$*: status $status instead of $wanted: $body"
}

# The last answer's body must hold this text.
has() {
	[[ $body == *"$1"* ]] || fail "no $1 in: $body"
}

lacks() {
	[[ $body != *"$1"* ]] || fail "$1 in: $body"
}

# The last answer must be a problem document with its own status, and name this field.
problem() {
	[ "$type" = application/problem+json ] || fail "content type '$type': $body"
	has '"type":"about:blank"'
	has "\"status\":$status"
	has '"title":"'
	has '"detail":"'
	if [ $# -gt 0 ]; then has "\"field\":\"$1\""; else lacks '"field"'; fi
}
