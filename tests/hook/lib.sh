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

# expect NAME STATUS LINE OPERATION SUB-OPERATION <XML: that status, nothing on standard output, and
# on standard error one line that matches LINE, or nothing where that is "". The environment is as
# bare as libvirt's. What is asserted of the time is only that the hook returned.
expect() {
	local name=$1 wanted=$2 line=$3 status=0 lines=0
	shift 3
	timeout 60 env -i "$hook" --config "$tmp/hook.conf" "${domain:-q35}" "$@" - \
		>"$tmp/stdout" 2>"$tmp/stderr" || status=$?
	[ "$status" -eq "$wanted" ] || failed "$name: status $status, not $wanted: $(cat "$tmp/stderr")"
	[ ! -s "$tmp/stdout" ] || failed "$name: wrote to standard output"
	[ -z "$line" ] || lines=1
	[ "$(wc -l <"$tmp/stderr")" -eq "$lines" ] || failed "$name: not $lines lines: $(cat "$tmp/stderr")"
	grep -qE -- "$line" "$tmp/stderr" || [ -z "$line" ] ||
		failed "$name: no '$line' in: $(cat "$tmp/stderr")"
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
