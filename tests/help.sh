#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The manual page of each program tells every option and command that --help tells, and no other.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
checked=0

# options: those that begin a line of the help on standard input.
options() {
	grep -E '^ +-' | grep -oE -- '(^|[ ,"])--?[a-zA-Z][a-z-]*' | tr -d ' ,"' | sort -u
}

# same WHAT PROGRAM HELP PAGE
same() {
	[ "$3" = "$4" ] || fail "$2: $1 differ (< --help, > page): $(diff <(echo "$3") <(echo "$4"))"
}

# check_commands PROGRAM PAGE: the page has a section for each; where one is "help", what "help
# COMMAND" says, which goes to $help, is what "COMMAND --help" says.
check_commands() {
	local listed command sections

	listed=$(sed -n '/^Commands:/,/^$/s/^  \([a-z ]*[a-z]\)   *.*/\1/p' <<<"$help")
	sections=$(sed -n 's/^\.SS \([a-z]*\( [a-z][a-z]*\)\{0,1\}\).*/\1/p' "$2" | sort)
	same commands "$1" "$(sort <<<"$listed")" "$sections"
	grep -qx help <<<"$listed" || return 0
	while read -r command; do
		# shellcheck disable=SC2086  # one or two words
		said=$("$1" help $command)
		# shellcheck disable=SC2086
		[ "$said" = "$("$1" $command --help)" ] || fail "help $command and $command --help differ"
		[[ $said == "Usage: ${1##*/} $command"* ]] || fail "help $command: $said"
		help+=$'\n'$said
	done <<<"$listed"
}

# check PROGRAM PAGE, where it is built.
check() {
	local program=$top_builddir/$1 page=$top_srcdir/man/$2 help paged

	[ -x "$program" ] || return 0
	checked=$((checked + 1))
	help=$("$program" --help)
	[[ $help == "Usage: ${1##*/}"* ]] || fail "$1 --help: $help"
	[[ $help != *$'\nCommands:\n'* ]] || check_commands "$program" "$page"
	[ -n "$(options <<<"$help")" ] || fail "$1 --help lists no options"
	paged=$(sed -n '/^\.TP/{n; s/\\-/-/g; s/^\.B[IR]\{0,1\} -/ -/p}' "$page" | options)
	same options "$1" "$(options <<<"$help")" "$paged"
	[[ $("$program" --version | head -n 1) =~ ^${2%.*}\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "$1 --version"
}

check cloudstack-plugin/vgpu-cloudstack vgpu-cloudstack.8
check guest-agent/vgpu-agent vgpu-agent.1
check hook/vgpu vgpu-hook.8
check mediatord/vgpu-mediatord vgpu-mediatord.8
check mediatord/vgpuctl vgpuctl.8
check vgpu-gpuinfo vgpu-gpuinfo.8
check vgpu-keeper vgpu-keeper.8
check vgpu-reconciler vgpu-reconciler.8
check vgpu-worker vgpu-worker.8
check xml/vgpu-xml vgpu-xml.1
[ "$checked" -gt 0 ] || skip "no program is built"
finish
