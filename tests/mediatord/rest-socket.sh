#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The control socket: who may use it, when it is there, and that what is left over does no harm.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"

sed -i "s/^control-socket.*/&\ncontrol-group =/" "$work/mediatord.conf"
start_daemon
[ "$(stat -c %a "$socket")" = 600 ] || fail "mode $(stat -c %a "$socket")"
[ -z "$(find "$work/run" -name '*.new')" ] || fail "the temporary name is still there"
stop_daemon TERM
[ ! -e "$socket" ] || fail "the socket is still there after SIGTERM"

# A socket that a killed mediator left is replaced.
start_daemon
stop_daemon KILL
[ -S "$socket" ] || fail "no socket was left over: this tests nothing"
start_daemon
expect 200 GET /healthz

# A second mediator does not take the first one's place.
if "$top_builddir/mediatord/vgpu-mediatord" --config "$work/mediatord.conf" 2>"$work/error"; then
	fail "a second mediator started"
fi
[ -s "$work/error" ] || fail "the second mediator said nothing"
expect 200 GET /healthz

# A socket that is not ours any more stays where it is.
rm "$socket"
: >"$socket"
stop_daemon TERM
[ -f "$socket" ] || fail "somebody else's file was removed"
rm "$socket"

# A group may use it where the configuration names one.
group=$(id -gn)
sed -i "s/^control-group.*/control-group = $group/" "$work/mediatord.conf"
start_daemon
[ "$(stat -c '%a %G' "$socket")" = "660 $group" ] || fail "$(stat -c '%a %G' "$socket")"
stop_daemon TERM
! grep -q "only the mediator's own user" "$work/log" || fail "said without a reason"

# Where it names none, that is vgpu; a host without that group is served all the same, and told.
sed -i "/^control-group/d" "$work/mediatord.conf"
if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
	# shellcheck disable=SC2016  # expanded by the inner shell
	daemon_wrapper=(unshare --mount sh -c 'mount --bind "$0" /etc/group && exec "$@"' "$work/group")
	grep -v ^vgpu: /etc/group >"$work/group"
	start_daemon
	[ "$(stat -c %a "$socket")" = 600 ] || fail "mode $(stat -c %a "$socket") without a group"
	grep -q "only the mediator's own user may use $socket: there is no group vgpu" "$work/log" ||
		fail "not told"
	stop_daemon TERM
	echo vgpu:x:4711: >>"$work/group"
	start_daemon
	[ "$(stat -c '%a %g' "$socket")" = "660 4711" ] || fail "$(stat -c '%a %g' "$socket")"
	stop_daemon TERM
fi
