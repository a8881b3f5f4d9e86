#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# systemd finds nothing wrong with the services of mediator and keeper, nor too little confinement,
# and the workers' one is not stopped, or its folder removed, with the mediator's.
set -eu
: "${top_srcdir:?}" "${top_builddir:?}"
command -v systemd-analyze >/dev/null || { echo "systemd-analyze is missing"; exit 77; }
[ -x "$top_builddir/vgpu-keeper" ] || { echo "vgpu-keeper is not built"; exit 77; }
build=$(cd "$top_builddir" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

for name in vgpu-keeper vgpu-mediatord; do
	# The programs must be there to be verified, the manual pages need not.
	sed -e "s|@sbindir@|$build/mediatord|; s|@pkglibexecdir@|$build|; /^Documentation=/d" \
		"$top_srcdir/data/$name.service.in" >"$dir/$name.service"
done
SYSTEMD_UNIT_PATH="$dir:" systemd-analyze verify "$dir/vgpu-keeper.service" \
	"$dir/vgpu-mediatord.service" >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
if grep -F "$dir" "$dir/out"; then
	echo "systemd-analyze has something to say"
	exit 1
fi

# Confined as far as workers and driver allow; a line that gets lost shows here.
for unit in vgpu-keeper:70 vgpu-mediatord:60; do
	systemd-analyze security --offline=true --threshold="${unit#*:}" \
		"$dir/${unit%:*}.service" >"$dir/out" 2>&1 || { tail -n 2 "$dir/out"; exit 1; }
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
