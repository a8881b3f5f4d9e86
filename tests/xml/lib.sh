# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of vgpu-xml share: a private folder, and checks that say what they saw.
set -eu
export LC_ALL=C
: "${top_srcdir:?run by make check}" "${top_builddir:?run by make check}"
vgpu_xml=$top_builddir/xml/vgpu-xml
# shellcheck disable=SC2034
data=$top_srcdir/tests/xml/data
[ -x "$vgpu_xml" ] || {
	echo "vgpu-xml is not built"
	exit 77
}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failures=0

# The paths that the expected documents hold, whatever configure was told.
attach() {
	"$vgpu_xml" attach --emulator /usr/bin/qemu-system-x86_64-vgpu \
		--link-dir /run/vgpu/link "$@"
}

failed() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || {
			echo "$tool is missing (Debian: $(package_of "$tool"))"
			exit 77
		}
	done
}

package_of() {
	case $1 in
	xmllint) echo libxml2-utils ;;
	virt-xml-validate) echo libvirt-clients ;;
	*) echo "$1" ;;
	esac
}

# expect_refusal NAME STATUS PATTERN COMMAND...: that status, one line on stderr which matches,
# and nothing on stdout.
expect_refusal() {
	local name=$1 wanted=$2 pattern=$3 status=0
	shift 3
	"$@" >"$tmp/stdout" 2>"$tmp/stderr" || status=$?
	[ "$status" -eq "$wanted" ] || failed "$name: status $status, not $wanted: $(cat "$tmp/stderr")"
	[ ! -s "$tmp/stdout" ] || failed "$name: wrote to standard output"
	[ "$(wc -l <"$tmp/stderr")" -eq 1 ] || failed "$name: not one line: $(cat "$tmp/stderr")"
	grep -qE -- "$pattern" "$tmp/stderr" || failed "$name: no '$pattern' in: $(cat "$tmp/stderr")"
}

finish() {
	[ "$failures" -eq 0 ] || exit 1
}
