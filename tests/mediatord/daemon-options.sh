#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What vgpu-mediatord says and returns for its options, and that its page describes all of them.
set -eu

top_srcdir=${top_srcdir:?} top_builddir=${top_builddir:?}
daemon=$top_builddir/mediatord/vgpu-mediatord
page=$top_srcdir/man/vgpu-mediatord.8
conf_page=$top_srcdir/man/mediatord.conf.5
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail()
{
	echo "FAIL: $*"
	exit 1
}

# returns STATUS COMMAND...: runs it, its output in $dir/out.
returns()
{
	local expected=$1 status=0
	shift
	"$@" >"$dir/out" 2>&1 || status=$?
	[ "$status" = "$expected" ] || fail "$*: status $status, not $expected: $(cat "$dir/out")"
}

says()
{
	grep -qF -- "$1" "$dir/out" || fail "\"$1\" is not in: $(cat "$dir/out")"
}

returns 0 "$daemon" --version
says "vgpu-mediatord "
returns 0 "$daemon" --help
grep -o -- '--[a-z]*' "$dir/out" | sort -u >"$dir/helped"
sed 's/\\-/-/g' "$page" |
	sed -n '/^\.SH OPTIONS/,/^\.SH SIGNALS/s/^\.BI\{0,1\} \(--[a-z]*\).*/\1/p' | sort -u >"$dir/paged"
diff -u "$dir/helped" "$dir/paged" || fail "--help and $page differ in their options"
[ -s "$dir/paged" ] || fail "$page has no options"

# Every key that the reader knows is in the page and in the example.
sed -n 's/^\t{ "\([a-z-]*\)", set_.*/\1/p' "$top_srcdir/mediatord/config_keys.c" >"$dir/keys"
[ "$(wc -l <"$dir/keys")" -ge 34 ] || fail "only $(wc -l <"$dir/keys") keys found"
while read -r key; do
	sed 's/\\-/-/g' "$conf_page" | grep -qw -- "$key" || fail "$conf_page lacks $key"
	[ "$key" = letter ] || grep -q -- "$key = " "$top_srcdir/data/mediatord.conf" ||
		fail "data/mediatord.conf lacks $key"
done <"$dir/keys"

returns 64 "$daemon" --speed
returns 64 "$daemon" now
says '"now" is no option'
returns 78 "$daemon" --config "$dir/none" --check
says "cannot open the configuration $dir/none"
printf '[mediatord]\n\nspeed = 9\n' >"$dir/conf"
returns 78 "$daemon" --config "$dir/conf"
says "$dir/conf:3: unknown key \"speed\""
returns 0 "$daemon" --config "$top_srcdir/data/mediatord.conf" --check
says "1 pools, 1 profiles"

# The example's comments are its defaults: uncommented, they must be valid as well.
sed -e 's/^# \([a-z-]* = \)/\1/' -e 's/^# \(\[profile\)/\1/' "$top_srcdir/data/mediatord.conf" |
	sed "s/^link-group = .*/link-group =/; s/^control-group = .*/control-group =/" >"$dir/conf"
returns 0 "$daemon" --config "$dir/conf" --check
says "1 pools, 2 profiles"

# A folder that cannot be made is a clear line, and no daemon.
printf '[mediatord]\nlink-dir = /proc/vgpu\ncontrol-socket = %s/c\nstate = %s/s\n' "$dir" "$dir" \
	>"$dir/conf"
returns 1 "$daemon" --config "$dir/conf"
says "cannot make the folder /proc/vgpu"
