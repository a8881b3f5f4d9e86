# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# How the scripts build the project: out of tree, without touching a build of the user's own.
# Sourced, not run; expects $top, the source folder.

# The project's files, relative to $top: what git knows or would add, or, without git, everything but
# what builds make.
project_files() {
	local file
	(
		cd "${top:?}" || exit
		git ls-files --cached --others --exclude-standard 2>/dev/null ||
			find . -type d \( -path './build*' -o -path ./qemu-headers -o -path ./out -o \
				-path ./m4 -o -path ./autom4te.cache -o -name .git -o -name .deps -o \
				-name .libs \) -prune -o -type f \
				-not -name '*.l[oa]' -not -name '*.[oa]' -not -path './configure*~' \
				-not -path ./config.h.in -not -path ./configure -not -path ./aclocal.m4 \
				-not -path ./Makefile.in -printf '%P\n'
	) | while IFS= read -r file; do
		if [ -f "$top/$file" ]; then
			echo "$file"
		fi
	done
}

# build_source DIR: makes sure that there is a configure, and prints the folder to configure from:
# the source folder, or a copy in DIR where the source folder is itself configured, which automake
# does not allow for a second build.
build_source() {
	local source=${top:?}
	if [ -f "$top/config.status" ]; then
		source=$1/source
		mkdir -p "$source"
		project_files | tar -C "$top" -cf - -T - | tar -C "$source" -xf -
	fi
	if [ ! -x "$source/configure" ] || [ ! -f "$source/build-aux/install-sh" ] ||
		[ "$source/configure.ac" -nt "$source/configure" ]; then
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
