#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# --in-place replaces the file as a whole, keeps mode and links, and leaves it alone on failure.
. "${top_srcdir:?}/tests/xml/lib.sh"

mkdir "$tmp/d"
cp "$data/q35.xml" "$tmp/d/q35.xml"
chmod 0604 "$tmp/d/q35.xml"
ln -s d/q35.xml "$tmp/link.xml"
attach "$data/q35.xml" >"$tmp/expected.xml"
exec 9<"$tmp/d/q35.xml"

attach --in-place "$tmp/link.xml" >"$tmp/stdout"
[ ! -s "$tmp/stdout" ] || failed "wrote to standard output"
cmp "$tmp/expected.xml" "$tmp/d/q35.xml" || failed "not what attach writes"
[ -L "$tmp/link.xml" ] || failed "the link became a file"
[ "$(stat -c %a "$tmp/d/q35.xml")" = 604 ] || failed "the mode changed"
[ "$(ls "$tmp/d")" = q35.xml ] || failed "left something behind: $(ls "$tmp/d")"
# Who had the old one open still reads all of it.
cmp - "$data/q35.xml" <&9 || failed "the old file changed under its reader"

"$vgpu_xml" detach -i "$tmp/d/q35.xml"
"$vgpu_xml" inspect "$tmp/d/q35.xml" | grep -qx 'vgpu: requested' || failed "detach"

cp "$data/aarch64.xml" "$tmp/d/aarch64.xml"
expect_refusal refused 65 'architecture' attach --in-place "$tmp/d/aarch64.xml"
cmp "$data/aarch64.xml" "$tmp/d/aarch64.xml" || failed "a refused file changed"
mkfifo "$tmp/fifo"
cat "$data/q35.xml" >"$tmp/fifo" &
expect_refusal not-a-file 73 'not a regular file' attach -i "$tmp/fifo"
wait

if [ "$(id -u)" -ne 0 ]; then
	chmod 0500 "$tmp/d"
	expect_refusal folder 73 'cannot make a file beside it' attach -i "$tmp/d/q35.xml"
	chmod 0700 "$tmp/d"
fi
finish
