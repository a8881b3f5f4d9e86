# shellcheck shell=bash disable=SC2034  # the tests use what is set here
# SPDX-License-Identifier: Apache-2.0
# What the tests of vgpuctl share: tests/lib.sh, and vgpuctl that asks the mediator of the test.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
export LC_ALL=C.UTF-8
unset VGPUCTL_URL VGPUCTL_TOKEN_FILE VGPUCTL_CACERT
ctl=$top_builddir/mediatord/vgpuctl
[ -x "$ctl" ] || skip "vgpuctl is not built: configure says what it lacks"
export VGPUCTL_SOCKET=$dir/control.sock
other=22222222-2222-4222-8222-222222222222

# shows TEXT...: what `expect` ran last said each of them.
shows() {
	local text

	for text; do
		[[ $said == *"$text"* ]] || fail "no '$text' in: $said"
	done
}

# row KEY VALUE [FROM]: what `expect` ran last has a row of these cells.
row() {
	grep -qxE "$1 +$2 *${3-.*}" <<<"$said" || fail "no row '$*' in: $said"
}

# start_fake: a mediator that answers with the files of $dir/answers, in place of a real one.
start_fake() {
	mkdir -p "$dir/answers"
	coproc fake { exec "$top_builddir/tests/fake-server" "$VGPUCTL_SOCKET" "$dir/answers" \
		2>>"$dir/requests"; }
	# shellcheck disable=SC2154  # coproc sets it
	started+=("$fake_PID")
	read -r <&"${fake[0]}"
}

stop_fake() {
	kill "$fake_PID"
	wait "$fake_PID" 2>/dev/null || true
	rm -rf "$VGPUCTL_SOCKET" "$dir/answers" "$dir/requests"
}

# http BODY [STATUS [HEADER...]]: an answer of HTTP.
http() {
	local body=$1 status=${2-200 OK} header

	printf 'HTTP/1.1 %s\r\nContent-Type: application/json\r\n' "$status"
	shift $(($# > 1 ? 2 : 1))
	for header; do
		printf '%s\r\n' "$header"
	done
	printf 'Content-Length: %s\r\n\r\n%s' "$(printf %s "$body" | wc -c)" "$body"
}
