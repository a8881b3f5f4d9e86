#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Help of the groups of commands, and of the values that there are; tests/help.sh compares the rest
# with the manual page.
# shellcheck source=tests/ctl/lib.bash
. "${top_srcdir:?}/tests/ctl/lib.bash"

groups=$("$ctl" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) [a-z]* .*/\1/p' | uniq -d)
[ -n "$groups" ] || fail "--help lists no groups"
for group in $groups; do
	expect 0 "Usage: vgpuctl $group COMMAND" "$ctl" help "$group"
	[ "$said" = "$("$ctl" "$group" --help)" ] || fail "help $group"
done

# The values that are told are those that there are.
for key in $("$ctl" vm set x no=1 2>&1 | sed 's/.*there are: //; s/,//g'); do
	"$ctl" help vm set | grep -qE "\b$key\b" || fail "help vm set lacks $key"
	sed 's/\\-/-/g' "$top_srcdir/man/vgpuctl.8" | grep -qE "^\.BR? $key\b" || fail "the page lacks $key"
done
expect 0 "vgpuctl " "$ctl" --socket /nonexistent --version
finish
