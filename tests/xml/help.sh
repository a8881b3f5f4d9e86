#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# --help and the manual page name the same options and commands.
. "${top_srcdir:?}/tests/xml/lib.sh"

"$vgpu_xml" --help >"$tmp/help"
[ "$("$vgpu_xml" -h)" = "$(cat "$tmp/help")" ] || failed "-h is not --help"
"$vgpu_xml" --version | grep -qE '^vgpu-xml [0-9]+\.[0-9]+\.[0-9]+$' || failed "--version"
"$vgpu_xml" attach --help | cmp - "$tmp/help" || failed "--help of a command"

names() {
	grep -oE -- '(^|[^a-z-])--[a-z-]+' "$1" | grep -oE -- '--[a-z-]+' | sort -u
}
sed -e 's/\\-/-/g' -e '/^virsh/s/--inactive//' "$top_srcdir/man/vgpu-xml.1" >"$tmp/page"
diff <(names "$tmp/help") <(names "$tmp/page") || failed "options"
sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' "$tmp/help" >"$tmp/commands"
[ "$(wc -l <"$tmp/commands")" -eq 4 ] || failed "commands: $(cat "$tmp/commands")"
while read -r command; do
	grep -q "^\.B $command" "$tmp/page" || failed "$command is not in the page"
done <"$tmp/commands"
finish
