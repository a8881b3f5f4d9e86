#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What vgpu-mediatord says and returns for its options and its configuration, of which the page and
# the example have every key.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
daemon=$top_builddir/mediatord/vgpu-mediatord
conf_page=$top_srcdir/man/mediatord.conf.5

# Every key that the reader knows is in the page and in the example.
sed -n 's/^\t{ "\([a-z-]*\)", set_.*/\1/p' "$top_srcdir/mediatord/config_keys.c" >"$dir/keys"
[ "$(wc -l <"$dir/keys")" -ge 34 ] || fail "only $(wc -l <"$dir/keys") keys found"
while read -r key; do
	sed 's/\\-/-/g' "$conf_page" | grep -qw -- "$key" || fail "$conf_page lacks $key"
	[ "$key" = letter ] || grep -q -- "$key = " "$top_srcdir/data/mediatord.conf" ||
		fail "data/mediatord.conf lacks $key"
done <"$dir/keys"

expect 64 "" "$daemon" --speed
expect 64 '"now" is no option' "$daemon" now
expect 78 "cannot open the configuration $dir/none" "$daemon" --config "$dir/none" --check
printf '[mediatord]\n\nspeed = 9\n' >"$dir/conf"
expect 78 "$dir/conf:3: unknown key \"speed\"" "$daemon" --config "$dir/conf"
expect 0 "1 pools, 1 profiles" "$daemon" --config "$top_srcdir/data/mediatord.conf" --check

# The example's comments are its defaults: uncommented, they must be valid as well.
sed -e 's/^# \([a-z-]* = \)/\1/' -e 's/^# \(\[profile\)/\1/' "$top_srcdir/data/mediatord.conf" |
	sed "s/^link-group = .*/link-group =/; s/^control-group = .*/control-group =/" >"$dir/conf"
expect 0 "1 pools, 2 profiles" "$daemon" --config "$dir/conf" --check

# A folder that cannot be made is a clear line, and no daemon.
printf '[mediatord]\nlink-dir = /proc/vgpu\ncontrol-socket = %s/c\nstate = %s/s\n' "$dir" "$dir" \
	>"$dir/conf"
expect 1 "cannot make the folder /proc/vgpu" "$daemon" --config "$dir/conf"
finish
