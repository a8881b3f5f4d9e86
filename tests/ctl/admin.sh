#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Audit, backup and restore, tokens, versions.
# shellcheck source=tests/ctl/lib.bash
. "${top_srcdir:?}/tests/ctl/lib.bash"
need jq
start_mediator
expect 0 "" "$ctl" vm add "$uuid" name=web1 weight=7
expect 0 "" "$ctl" version
[[ ${said//$'\n'/ } =~ ^vgpuctl\ ([0-9.]+)\ vgpu-mediatord\ ([0-9.]+)$ ]] || fail "version: $said"
[ "$("$ctl" --json version | jq -r .mediator)" = "${BASH_REMATCH[2]}" ] || fail "--json version"

# A backup is one moment, for its owner alone, and can be put in the database's place.
expect 0 "" "$ctl" backup "$dir/copy.db"
[ "$(stat -c %a "$dir/copy.db")" = 600 ] || fail "mode of the backup"
! compgen -G "$dir/state.db.backup*" >/dev/null || fail "the copy is still beside the database"
expect 73 "the backup stays $dir/state.db.backup" "$ctl" backup "$dir/none/copy.db"
rm "$dir"/state.db.backup*
expect 0 "$dir/state.db.backup" "$ctl" backup
[ -s "$said" ] || fail "no file $said"
expect 0 "" "$ctl" vm rm web1
stop_mediator
rm -f "$dir"/state.db-*
cp "$dir/copy.db" "$dir/state.db"
start_mediator
expect 0 "" "$ctl" vm show web1
row weight 7 operator
expect 0 "" "$ctl" --socket "$dir/none" version
[[ $said != *mediatord* ]] || fail "a version of nobody: $said"

# Who changed what, all pages of it.
expect 1 "" "$ctl" vm set web1 weight=0
expect 0 "" "$ctl" audit
shows "PUT /v1/vms/$uuid" "PATCH /v1/vms/$uuid"
grep -qE '^ *[0-9]+ +20[0-9]{2}-.*T.*Z +.*400 +PATCH' <<<"$said" || fail "no refused change: $said"
[ "$("$ctl" --json audit | jq '.entries | length')" = "$(($(wc -l <<<"$said") - 1))" ] || fail "--json"

# A token goes into its file and nowhere else.
expect 0 "" "$ctl" token add robot "$dir/robot" --role read --expires 90d
[ -z "$said" ] || fail "token add said: $said"
[ "$(stat -c %a "$dir/robot")" = 600 ] || fail "mode of the token's file"
[ "$(wc -l <"$dir/robot")" = 1 ] || fail "no token in its file"
expect 0 "" "$ctl" token list
grep -qE '^robot +read +20[0-9-]+T' <<<"$said" || fail "list: $said"
[[ $said != *"$(cat "$dir/robot")"* ]] || fail "the token is shown"
expect 73 "File exists" "$ctl" token add second "$dir/robot" --role read
expect 64 "--role is needed" "$ctl" token add second "$dir/second"
expect 64 "--expires: 'soon'" "$ctl" token add second "$dir/second" --role read --expires soon
expect 64 "no name" "$ctl" token add ../x "$dir/second" --role read
expect 1 "" "$ctl" token add second "$dir/second" --role king
[ ! -e "$dir/second" ] || fail "a file without a token"
expect 75 "" "$ctl" token add robot "$dir/second" --role read
[ ! -e "$dir/second" ] || fail "a file without a token"
expect 0 "" "$ctl" token rm robot
expect 1 "" "$ctl" token rm robot
finish
