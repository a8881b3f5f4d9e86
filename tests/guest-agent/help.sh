#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The manual page tells every command and option that --help tells, and no other.
set -eu

agent=${top_builddir:?see tests/README.md}/guest-agent/vgpu-agent
page=${top_srcdir:?}/man/vgpu-agent.1
status=0

fail() {
	echo "FAIL: $*"
	status=1
}

help=$("$agent" --help)
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$help")
[ -n "$commands" ] || fail "--help lists no commands"
for command in $commands; do
	help+=$'\n'$("$agent" help "$command")
	[ "$("$agent" help "$command")" = "$("$agent" "$command" --help)" ] ||
		fail "help $command and $command --help differ"
done

# Options are the words that begin with a dash where a line of --help or of the page begins them.
in_help=$(grep -E '^ +-' <<<"$help" | grep -oE -- '(^| )--?[a-zA-Z][a-z]*' | tr -d ' ' | sort -u)
in_page=$(sed -n 's/\\-/-/g; /^\.BR\{0,1\} -/p' "$page" | grep -oE -- '(^| )--?[a-zA-Z][a-z]*' |
	tr -d ' ' | sort -u)
[ -n "$in_help" ] || fail "--help lists no options"
[ "$in_help" = "$in_page" ] ||
	fail "options differ (< --help, > page): $(diff <(echo "$in_help") <(echo "$in_page"))"

sections=$(sed -n 's/^\.SS \([a-z]*\).*/\1/p' "$page" | sort)
[ "$(sort <<<"$commands")" = "$sections" ] ||
	fail "commands differ (< --help, > page): $(diff <(sort <<<"$commands") <(echo "$sections"))"

[[ $("$agent" --version) =~ ^vgpu-agent\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "--version"
exit $status
