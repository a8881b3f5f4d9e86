#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The manual page tells every command and option that --help tells, and no other.
set -eu
ctl=${top_builddir:?see tests/README.md}/mediatord/vgpuctl
page=${top_srcdir:?}/man/vgpuctl.8
status=0

fail() {
	echo "FAIL: $*"
	status=1
}

help=$("$ctl" --help)
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z ]*[a-z]\)   *.*/\1/p' <<<"$help")
[ -n "$commands" ] || fail "--help lists no commands"
while read -r command; do
	# shellcheck disable=SC2086  # one or two words
	said=$("$ctl" help $command)
	help+=$'\n'$said
	# shellcheck disable=SC2086
	[ "$said" = "$("$ctl" $command --help)" ] || fail "help $command and $command --help differ"
	[[ $said == "Usage: vgpuctl $command"* ]] || fail "help $command: $said"
done <<<"$commands"
for group in $(cut -d ' ' -f 1 <<<"$commands" | sort | uniq -d); do
	[ "$("$ctl" help "$group")" = "$("$ctl" "$group" --help)" ] || fail "help $group"
done

in_help=$(grep -E '^ +-' <<<"$help" | grep -oE -- '(^| )--?[a-zA-Z][a-z-]*' | tr -d ' ' | sort -u)
in_page=$(sed -n 's/\\-/-/g; /^\.BR\{0,1\}I\{0,1\} -/p' "$page" |
	grep -oE -- '(^| )--?[a-zA-Z][a-z-]*' | tr -d ' ' | sort -u)
in_page=$(grep -vx -- --version <<<"$in_page")
[ -n "$in_help" ] || fail "--help lists no options"
[ "$in_help" = "$in_page" ] ||
	fail "options differ (< --help, > page): $(diff <(echo "$in_help") <(echo "$in_page"))"

sections=$(sed -n 's/^\.SS \([a-z]*\( [a-z][a-z]*\)\{0,1\}\).*/\1/p' "$page" | sort)
[ "$(sort <<<"$commands")" = "$sections" ] ||
	fail "commands differ (< --help, > page): $(diff <(sort <<<"$commands") <(echo "$sections"))"

# The values that are told are those that there are.
for key in $("$ctl" vm set x no=1 2>&1 | sed 's/.*there are: //; s/,//g'); do
	"$ctl" help vm set | grep -qE "\b$key\b" || fail "help vm set lacks $key"
	sed 's/\\-/-/g' "$page" | grep -qE "^\.BR? $key\b" || fail "the page lacks $key"
done
[[ $("$ctl" --socket /nonexistent --version) =~ ^vgpuctl\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "--version"
exit $status
