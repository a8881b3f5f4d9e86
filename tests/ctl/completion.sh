#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bash's completion: commands, options, names of VMs, and keys that `vm set` and `profile set` take.
# shellcheck source=tests/ctl/lib.bash
. "${top_srcdir:?}/tests/ctl/lib.bash"
PATH=$top_builddir/mediatord:$PATH
# shellcheck source=mediatord/ctl/completion.sh
. "$top_srcdir/mediatord/ctl/completion.sh"
need jq
start_mediator
put_vm "$uuid" '{"name":"web1"}'
put_vm "$other" '{"name":"two words"}'

# completes WANTED WORD...: the last word, which may be "".
completes() {
	local wanted=$1 got

	shift
	COMP_WORDS=(vgpuctl "$@")
	COMP_CWORD=$#
	_vgpuctl
	got=$(printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ')
	[ "${got% }" = "$wanted" ] || fail "$*: '$got', not '$wanted'"
}

completes "token top" to
completes "release reset resume" vm re
completes "web1" vm show ""
completes "web1" --socket "$VGPUCTL_SOCKET" vm show w
completes "" vm add ""
completes "window=" vm set web1 win
completes "" profile set gold nam
completes "default" profile show ""
completes "0" gpu show ""
completes "--interval" top --inte
completes "" top --interval ""
completes "--since --socket" events --s
completes "operate" token add x y --role o
completes "quarantine" help vm q
touch "$dir/a file"
mkdir "$dir/folder"
completes "$dir/a file" backup "$dir/a"
completes "$dir/a file" token add name "$dir/a"
completes "$dir/a file" token list --token-file "$dir/a"
completes "$dir/folder" doctor --root "$dir/f"

# Each key is one that is taken.
for group in vm profile; do
	mapfile -t keys < <(_vgpuctl_candidates $group set x "")
	[ "${#keys[@]}" -ge 12 ] || fail "$group: only ${#keys[@]} keys"
	for key in "${keys[@]}"; do
		expect 1 "" "$ctl" $group set nobody "$key"
	done
done
finish
