#compdef vgpuctl
# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Completion of vgpuctl in bash and in zsh: its commands, options, keys and names, mostly as it says
# itself. Both shells read this file, bash as completions/vgpuctl and zsh as the function _vgpuctl.

_vgpuctl_commands() {
	vgpuctl --help | sed -n '/^Commands:/,/^$/s/^  \([a-z ]*[a-z]\)   *.*/\1/p'
}

# The first column of a list, without what is no plain name.
_vgpuctl_names() {
	vgpuctl --timeout 2 "$1" list 2>/dev/null |
		awk -F '  +' 'NR > 1 { sub(/^ +/, "") } NR > 1 && $1 ~ /^[A-Za-z0-9._-]+$/ { print $1 }'
}

_vgpuctl_options() {
	vgpuctl help "$@" 2>/dev/null | grep -oE -- '(^| )--[a-z-]+' | tr -d ' '
}

_vgpuctl_keys() {
	if [ "$1" = profile ]; then echo seats=; else printf '%s\n' name= vm-id= profile= link-uid=; fi
	printf '%s\n' pool= priority= weight= gpu-memory= window= gpu-time-guaranteed= gpu-time-max= \
		requests-per-second= burst= queue-depth= channels= longest-job=
}

# _vgpuctl_candidates WORD...: what may stand in place of the last word, one a line; @files and
# @folders are what they say. Where there is more than the last word can be, the shell chooses.
_vgpuctl_candidates() {
	local count=0 first='' second='' previous=''

	while [ $# -gt 1 ]; do
		previous=$1
		case $1 in
		--socket | --url | --token-file | --cacert | --timeout | -t | --config | --root | \
			--role | --expires | --interval | --since)
			# Its value is no operand.
			[ $# -eq 2 ] || shift
			;;
		-*) ;;
		*)
			count=$((count + 1))
			[ $count != 1 ] || first=$1
			[ $count != 2 ] || second=$1
			;;
		esac
		shift
	done
	case $previous in
	--socket | --token-file | --cacert | --config) echo @files && return ;;
	--root) echo @folders && return ;;
	--role) printf '%s\n' read operate hook && return ;;
	--url | --timeout | -t | --expires | --interval | --since) return ;;
	esac
	case $1 in
	-*) _vgpuctl_options ${first:+"$first"} ${second:+"$second"} && return ;;
	esac
	case "$count:$first $second" in
	0:*) _vgpuctl_commands | cut -d ' ' -f 1 | sort -u ;;
	"1:backup "* | "3:token add") echo @files ;;
	"1:help "*) _vgpuctl_commands | cut -d ' ' -f 1 | sort -u ;;
	"2:help "*) _vgpuctl_commands | sed -n "s/^$second //p" ;;
	1:*) _vgpuctl_commands | sed -n "s/^$first //p" ;;
	"2:vm list" | "2:vm add" | "2:profile list" | "2:profile add" | "2:token add") ;;
	"2:vm "* | "2:channel list") _vgpuctl_names vm ;;
	"2:profile "* | "2:gpu show" | "2:token rm") _vgpuctl_names "$first" ;;
	*":vm set" | *":vm add" | *":profile set" | *":profile add") _vgpuctl_keys "$first" ;;
	esac
}

if [ -n "${ZSH_VERSION-}" ]; then
	_vgpuctl() {
		local candidate

		# shellcheck disable=SC2154  # zsh sets it
		while IFS= read -r candidate; do
			case $candidate in
			@files) _files ;;
			@folders) _files -/ ;;
			*=) compadd -S '' -- "$candidate" ;;
			*) compadd -- "$candidate" ;;
			esac
		done < <(_vgpuctl_candidates "${words[@]:1:$((CURRENT - 1))}")
	}
	# The first completion runs the file itself; who sources it wants its functions.
	# shellcheck disable=SC2154  # zsh sets it
	if [ "${funcstack[1]}" = _vgpuctl ]; then
		_vgpuctl "$@"
	else
		compdef _vgpuctl vgpuctl
	fi
else
	_vgpuctl() {
		local current=${COMP_WORDS[COMP_CWORD]} candidates

		candidates=$(_vgpuctl_candidates "${COMP_WORDS[@]:1:COMP_CWORD}")
		case $candidates in
		@files) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
		@folders) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
		*)
			[[ $candidates != *= ]] || compopt -o nospace 2>/dev/null || true
			mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$current")
			;;
		esac
	}
	complete -F _vgpuctl vgpuctl
fi
