#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# systemd finds nothing wrong with the services, nor too little confinement, and the workers' one is
# not stopped, or its folder removed, with the mediator's. tests/system/units.sh starts them.
set -eu
: "${top_srcdir:?}" "${top_builddir:?}"
command -v systemd-analyze >/dev/null || { echo "systemd-analyze is missing"; exit 77; }
[ -x "$top_builddir/vgpu-keeper" ] || { echo "vgpu-keeper is not built"; exit 77; }
build=$(cd "$top_builddir" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Each with the highest exposure that systemd may find: as far as workers and driver allow, and almost
# none. A line that gets lost shows here.
units="vgpu-keeper:70 vgpu-mediatord:60 vgpu-agent:20 vgpu-cloudstack-sync:30"
for unit in $units; do
	# The programs must be there to be verified, the manual pages need not.
	sed -e "s|@sbindir@/vgpu-cloudstack|$build/cloudstack-plugin/vgpu-cloudstack|" \
		-e "s|@bindir@|$build/guest-agent|; s|@sbindir@|$build/mediatord|" \
		-e "s|@pkglibexecdir@|$build|; s|@localstatedir@|/var|; s|@sysconfdir@|/etc|" \
		-e "/^Documentation=/d" "$top_srcdir/data/${unit%:*}.service.in" >"$dir/${unit%:*}.service"
	if grep '@[a-z]*dir@' "$dir/${unit%:*}.service"; then
		echo "a folder that this test does not know"
		exit 1
	fi
done
[ -x "$build/cloudstack-plugin/vgpu-cloudstack" ] || rm "$dir/vgpu-cloudstack-sync.service"
SYSTEMD_UNIT_PATH="$dir:" systemd-analyze verify "$dir"/*.service >"$dir/out" 2>&1 ||
	{ cat "$dir/out"; exit 1; }
if grep -F "$dir" "$dir/out"; then
	echo "systemd-analyze has something to say"
	exit 1
fi

for unit in $units; do
	[ -e "$dir/${unit%:*}.service" ] || continue
	systemd-analyze security --offline=true --threshold="${unit#*:}" \
		"$dir/${unit%:*}.service" >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
	tail -n 1 "$dir/out"
done

unit_has() {
	grep -qx -- "$2" "$dir/$1.service" || { echo "$1.service lacks $2"; exit 1; }
}
unit_has vgpu-mediatord Wants=vgpu-keeper.service
unit_has vgpu-mediatord After=vgpu-keeper.service
unit_has vgpu-keeper KillMode=process
for name in vgpu-keeper vgpu-mediatord; do
	unit_has "$name" RuntimeDirectoryPreserve=yes
done
! grep -E '^(Requires|BindsTo|PartOf)=' "$dir"/*.service || { echo "they are tied together"; exit 1; }
