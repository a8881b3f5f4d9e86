#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Another host's mediator: TLS, whose certificate must be trusted, and tokens with their roles.
# shellcheck source=tests/ctl/lib.bash
. "${top_srcdir:?}/tests/ctl/lib.bash"
need jq openssl
port=$("$top_srcdir/tests/free-port")
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/key" -out "$dir/cert" -days 2 \
	-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 2>/dev/null
start_mediator
stop_mediator
sed -i "s|^\[mediatord\]|&\nlisten = 127.0.0.1:$port\ntls-certificate = $dir/cert\ntls-key = $dir/key|" \
	"$dir/mediatord.conf"
"$top_builddir/mediatord/vgpu-mediatord" --config "$dir/mediatord.conf" >>"$dir/mediator.log" 2>&1 &
mediator_pid=$!
wait_for 60 mediator_answers || fail "the mediator does not answer"

expect 0 "" "$ctl" vm add "$uuid" name=web1
expect 0 "" "$ctl" token add looker "$dir/looker" --role read
expect 0 "" "$ctl" token add boss "$dir/boss" --role operate
unset VGPUCTL_SOCKET
export VGPUCTL_URL=https://127.0.0.1:$port VGPUCTL_CACERT=$dir/cert

expect 0 web1 "$ctl" --token-file "$dir/looker" vm list
expect 77 "" "$ctl" --token-file "$dir/looker" vm pause web1
expect 0 "" "$ctl" --token-file "$dir/boss" vm pause web1
expect 0 "" env VGPUCTL_TOKEN_FILE="$dir/boss" "$ctl" vm set web1 weight=5
expect 77 "" "$ctl" vm list
(umask 077 && echo wrong.0000 >"$dir/wrong")
expect 77 "" "$ctl" --token-file "$dir/wrong" vm list
[[ $said != *wrong.0000* ]] || fail "the token is shown: $said"
expect 77 "" "$ctl" --token-file "$dir/boss" token list
# A path of another host's is not one of this host's, to be copied and removed.
expect 64 "stays on the host of $VGPUCTL_URL" "$ctl" --token-file "$dir/boss" backup "$dir/copy.db"
[ ! -e "$dir/copy.db" ] || fail "a backup of another host"
! compgen -G "$dir/state.db.backup*" >/dev/null || fail "it was asked for all the same"
expect 0 "$dir/state.db.backup" "$ctl" --token-file "$dir/boss" backup
[ -s "$said" ] || fail "no file $said"
expect 0 "mediator" "$ctl" --token-file "$dir/boss" doctor --config "$dir/mediatord.conf"
[ "$(wc -l <<<"$said")" = 1 ] || fail "doctor checks this host for another: $said"

# Without trust, nothing is sent: no token to whoever listens there.
expect 77 "is not trusted" "$ctl" --cacert /etc/ssl/certs/none --token-file "$dir/boss" vm list
unset VGPUCTL_CACERT
expect 77 "is not trusted" "$ctl" --token-file "$dir/boss" vm list
expect 76 "" "$ctl" --url "http://127.0.0.1:$port" --token-file "$dir/boss" vm list
finish
