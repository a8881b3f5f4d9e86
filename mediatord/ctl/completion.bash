# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Completion of vgpuctl in bash: its commands, options, keys and names, mostly as it says itself.

_vgpuctl_commands() {
	vgpuctl --help | sed -n '/^Commands:/,/^$/s/^  \([a-z ]*[a-z]\)   *.*/\1/p'
}

# The first column of a list, without what is no plain name.
_vgpuctl_names() {
	vgpuctl --timeout 2 "$1" list 2>/dev/null |
		awk -F '  +' 'NR > 1 { sub(/^ +/, "") } NR > 1 && $1 ~ /^[A-Za-z0-9._-]+$/ { print $1 }'
}

_vgpuctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i
	local words=() keys="name= vm-id= profile= link-uid="
	local values="pool= priority= weight= gpu-memory= window= gpu-time-guaranteed= gpu-time-max=
		requests-per-second= burst= queue-depth= channels= longest-job="

	COMPREPLY=()
	# Words so far, without options and their values.
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket | --url | --token-file | --cacert | --timeout | -t) ((i++)) ;;
		-*) ;;
		*) words+=("${COMP_WORDS[i]}") ;;
		esac
	done
	case $prev in
	--socket | --token-file | --cacert | --config | backup)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--root)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--role)
		mapfile -t COMPREPLY < <(compgen -W "read operate hook" -- "$cur")
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(vgpuctl help "${words[@]:0:2}" 2>/dev/null |
			grep -oE -- '(^| )--[a-z-]+')" -- "$cur")
		return
	fi
	case "${#words[@]}:${words[*]:0:2}" in
	0:*)
		mapfile -t COMPREPLY < <(compgen -W "$(_vgpuctl_commands | cut -d ' ' -f 1 |
			sort -u)" -- "$cur")
		;;
	1:*)
		mapfile -t COMPREPLY < <(compgen -W "$(_vgpuctl_commands |
			sed -n "s/^${words[0]} //p")" -- "$cur")
		;;
	"2:vm list" | "2:vm add" | 2:profile\ list | "2:profile add" | "2:token add") ;;
	2:vm\ * | "2:channel list")
		mapfile -t COMPREPLY < <(compgen -W "$(_vgpuctl_names vm)" -- "$cur")
		;;
	2:profile\ * | 2:gpu\ show | "2:token rm")
		mapfile -t COMPREPLY < <(compgen -W "$(_vgpuctl_names "${words[0]}")" -- "$cur")
		;;
	*":vm set" | *":vm add" | *":profile set" | *":profile add")
		[[ ${words[0]} == vm ]] || keys=
		compopt -o nospace 2>/dev/null || true
		mapfile -t COMPREPLY < <(compgen -W "$keys $values" -- "$cur")
		;;
	esac
}

complete -F _vgpuctl vgpuctl
