#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every domain in libvirt's own tests is attached and detached again, or refused for a reason that
# corpus.c lists. The documents come from the source package of the libvirt that is installed;
# VGPU_LIBVIRT_SOURCE is a folder to keep that in; without it, it is fetched each time.
. "${top_srcdir:?}/tests/xml/lib.sh"
need apt-get dpkg-query tar xz
schema=/usr/share/libvirt/schemas/domain.rng
[ -r "$schema" ] || {
	echo "$schema is missing (Debian: libvirt0)"
	exit 77
}
version=$(dpkg-query -W -f '${Version}' libvirt-clients 2>/dev/null) || {
	echo "libvirt is not installed as a Debian package (libvirt-clients), so its source is not known"
	exit 77
}
sources=${VGPU_LIBVIRT_SOURCE:-${tmp:?}/source}
source=$sources/$version
if [ ! -d "$source" ]; then
	timeout 300 "$top_srcdir/scripts/qemu-headers" --download libvirt-clients "$tmp/package" \
		>"$tmp/download.log" 2>&1 || {
		cat "$tmp/download.log"
		echo "libvirt's source cannot be fetched: $(tail -n 1 "$tmp/download.log")"
		exit 77
	}
	mkdir -p "$sources"
	# Other tests may do the same beside this one: whole or not at all.
	mv "$tmp/package" "$source.$$"
	mv -T "$source.$$" "$source" 2>/dev/null || rm -rf "$source.$$"
fi

mkdir "$tmp/libvirt"
tar -C "$tmp/libvirt" --strip-components=2 --wildcards -xf "$(echo "$source"/libvirt_*.orig.tar.*z)" \
	'*/tests/qemuxml*data/*.xml' '*/tests/qemuhotplugtestdomains/*.xml'
status=0
"$top_builddir/tests/xml/corpus" "$schema" "$tmp"/libvirt/* >"$tmp/result" || status=$?
cat "$tmp/result"
[ "$status" -eq 0 ] || failed "status $status"
# Each libvirt has many more: fewer mean that they are elsewhere by now.
attached=$(sed -n 's/^[0-9]* documents: \([0-9]*\) attached.*/\1/p' "$tmp/result")
made=$(sed -n 's/.*compared with \([0-9]*\) .*/\1/p' "$tmp/result")
[ "${attached:-0}" -gt 500 ] || failed "only ${attached:-no} documents were attached"
[ "${made:-0}" -gt 100 ] || failed "only ${made:-no} were compared with what libvirt made"
finish
