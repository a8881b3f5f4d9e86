# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of the hook share.
set -eu
export LC_ALL=C
: "${top_srcdir:?run by make check}" "${top_builddir:?run by make check}"
hook=$top_builddir/hook/vgpu
# shellcheck disable=SC2034
attached=$top_srcdir/tests/xml/data/expected/q35.xml
[ -x "$hook" ] || {
	echo "the hook is not built"
	exit 77
}
tmp=$(mktemp -d)
server=
failures=0
cleanup() {
	stop_server
	rm -rf "$tmp"
}
trap cleanup EXIT

failed() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

# configure KEY=VALUE...: the hook's configuration for what comes.
configure() {
	{
		echo "control-socket = $tmp/control.sock"
		printf '%s\n' "$@"
	} >"$tmp/hook.conf"
}

# call_hook OPERATION SUB-OPERATION <XML: sets status. The environment is as bare as libvirt's.
call_hook() {
	status=0
	timeout 60 env -i "$hook" --config "$tmp/hook.conf" "${domain:-q35}" "$@" - \
		>"$tmp/stdout" 2>"$tmp/stderr" || status=$?
}

# as_wanted STATUS LINE: whether the last call was; says what was not.
as_wanted() {
	local lines=${2:+1}

	if [ "$status" -ne "$1" ]; then
		echo "status $status, not $1: $(cat "$tmp/stderr")"
	elif [ -s "$tmp/stdout" ]; then
		echo "wrote to standard output"
	elif [ "$(wc -l <"$tmp/stderr")" -ne "${lines:-0}" ]; then
		echo "not ${lines:-0} lines: $(cat "$tmp/stderr")"
	elif [ -n "$2" ] && ! grep -qE -- "$2" "$tmp/stderr"; then
		echo "no '$2' in: $(cat "$tmp/stderr")"
	else
		return 0
	fi
	return 1
}

# expect NAME STATUS LINE OPERATION SUB-OPERATION <XML: that status, nothing on standard output, and
# on standard error one line that matches LINE, or nothing where that is "". What is asserted of the
# time is only that the hook returned. It waits for less than a second for an answer, which may be over
# on a busy host: then it is called again.
expect() {
	local name=$1 wanted=$2 line=$3 tries=0 status why
	shift 3
	call_hook "$@"
	until why=$(as_wanted "$wanted" "$line") || [ "$((tries += 1))" -gt 50 ] ||
		! grep -qE 'did not answer within|gave up: the time' "$tmp/stderr"; do
		call_hook "$@" </dev/stdin
	done
	[ -z "$why" ] || failed "$name: $why"
}

stop_server() {
	[ -n "$server" ] || return 0
	kill "$server" 2>/dev/null || true
	wait "$server" 2>/dev/null || true
	server=
}

# fake [REPLY]: a server that writes that file to whoever connects, or never answers.
fake() {
	stop_server
	rm -f "$tmp/control.sock" "$tmp/in" "$tmp/out"
	mkfifo "$tmp/in" "$tmp/out"
	if [ $# -gt 0 ]; then
		mkdir -p "$tmp/answers"
		cp "$1" "$tmp/answers/any"
		set -- "$tmp/answers"
	fi
	"$top_builddir/tests/fake-server" "$tmp/control.sock" "$@" \
		<"$tmp/in" >"$tmp/out" 2>/dev/null &
	server=$!
	exec 8>"$tmp/in"
	grep -q ready <"$tmp/out"
}

finish() {
	[ "$failures" -eq 0 ] || exit 1
}
