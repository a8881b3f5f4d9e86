# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# How the scripts build the project: out of tree, without touching a build of the user's own.
# Sourced, not run; expects $top, the source folder.

# build_source DIR: makes sure that there is a configure, and prints the folder to configure from:
# the source folder, or a copy in DIR where the source folder is itself configured, which automake
# does not allow for a second build.
build_source() {
	local source=${top:?} file
	if [ -f "$top/config.status" ]; then
		source=$1/source
		mkdir -p "$source"
		(
			cd "$top" || exit
			git ls-files --cached --others --exclude-standard 2>/dev/null ||
				find . -type f -not -path './build*' -not -name '*.o'
		) | while read -r file; do
			[ -f "$top/$file" ] && echo "$file"
		done | tar -C "$top" -cf - -T - | tar -C "$source" -xf -
	fi
	if [ ! -x "$source/configure" ] || [ "$source/configure.ac" -nt "$source/configure" ]; then
		"$source/bootstrap" >&2 || return 1
	fi
	echo "$source"
}

# build_configure SOURCE DIR ARGUMENT...: configures DIR, unless that was done with the same
# arguments; make itself notices a configure.ac or a fragment that changed.
build_configure() {
	local source=$1 dir=$2
	shift 2
	mkdir -p "$dir"
	if [ -f "$dir/Makefile" ] && [ "$(cat "$dir/arguments" 2>/dev/null)" = "$source $*" ]; then
		return 0
	fi
	(cd "$dir" && "$source/configure" "$@") || return 1
	echo "$source $*" >"$dir/arguments"
}
