#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Debian packages: built, installed, upgraded, removed and purged, and QEMU upgraded below them,
# in a root of its own: this host's files, with what is written kept in memory. What it starts dies
# with it. There is no network: what is missing cannot be fetched.
set -euo pipefail
: "${top_srcdir:?run this test with make check-system SYSTEM_TESTS=tests/install/packages.sh}"
: "${VGPU_QEMU_HEADERS:?}"
packages="libvgpu0 libvgpu-dev libvirt-vgpu qemu-vgpu vgpu-guest vgpu-mediator"
wrapper=/usr/bin/qemu-system-x86_64-vgpu

skip() {
	echo "SKIP: $*"
	exit 77
}

say() {
	printf '[%3d s] %s\n' "$SECONDS" "$*"
}

# To standard error: what fails may be in a command whose output is read.
fail() {
	echo "FAIL: $*" >&2
	exit 1
}

# In namespaces of our own: the root, and then this script in it, again.
make_root() {
	local root=$1

	mount --make-rprivate /
	mount -t tmpfs -o size=4g tmpfs "$root"
	mkdir "$root"/{upper,work,root}
	mount -t overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" overlay "$root/root" ||
		skip "overlayfs is not permitted"
	# The sources may be on a file system of their own.
	mkdir -p "$root/root/vgpu-packages/source"
	(
		top=$top_srcdir
		# shellcheck source=scripts/build.sh
		. "$top_srcdir/scripts/build.sh"
		project_files | tar -C "$top" -cf - -T -
	) | tar -C "$root/root/vgpu-packages/source" -xf -
	cp -R "$VGPU_QEMU_HEADERS" "$root/root/vgpu-packages/source/qemu-headers"
	mount --rbind /dev "$root/root/dev"
	mount -t proc proc "$root/root/proc"
	mount -t tmpfs tmpfs "$root/root/run"
	exec chroot "$root/root" /bin/bash /vgpu-packages/source/tests/install/packages.sh
}

if [ "${VGPU_TEST_ROOT:-}" = "" ]; then
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	for needed in dpkg-buildpackage:dpkg-dev dh:debhelper dh_apparmor:dh-apparmor jq:jq; do
		command -v "${needed%:*}" >/dev/null ||
			skip "${needed%:*} is missing (Debian: ${needed#*:})"
	done
	unshare --mount --pid --net true 2>/dev/null || skip "unshare is not permitted"
	VGPU_TEST_ROOT=$(mktemp -d)
	trap 'rmdir "$VGPU_TEST_ROOT"' EXIT
	export VGPU_TEST_ROOT
	status=0
	unshare --mount --pid --net --fork --kill-child "$0" || status=$?
	exit "$status"
elif [ ! -d /vgpu-packages ]; then
	make_root "$VGPU_TEST_ROOT"
fi

cd /vgpu-packages/source
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

quietly() {
	local status=0

	"$@" >/vgpu-packages/log 2>&1 </dev/null || status=$?
	[ "$status" -eq 0 ] || {
		tail -n 40 /vgpu-packages/log
		fail "exit status $status from: $*"
	}
}

build() {
	say "building the packages"
	DEB_BUILD_OPTIONS="nocheck noopt noautodbgsym parallel=2" \
		quietly dpkg-buildpackage -us -uc -b -Pnocheck
	mkdir ../new
	mv ../*.deb ../new/
	[ "$(find ../new -name '*.deb' | wc -l)" = "$(wc -w <<<"$packages")" ] ||
		fail "other packages than expected: $(ls ../new)"
}

# The same packages with a lower version.
make_old() {
	local package

	mkdir ../old
	for package in $packages; do
		dpkg-deb -R ../new/"$package"_*.deb "../old/$package"
		sed -i "s/$version/0.0.1/g" "../old/$package/DEBIAN/control"
		quietly dpkg-deb --root-owner-group -Znone --build "../old/$package"
	done
}

# Every file that packages may own or make; dh_apparmor removes the folder named last where it is
# empty, whoever made it.
files() {
	find /etc /usr /var /opt /srv -xdev \( -path /var/lib/dpkg -o -path /var/cache/man -o \
		-path /var/cache/ldconfig -o -path /var/log -o -path /var/cache/apparmor -o \
		-path /etc/apparmor.d/disable \) -prune -o -print | sort
}

# All of it is read: QEMU must not end for writing to nobody.
has_device() {
	"$wrapper" -machine none -device help 2>&1 | grep '^name "vgpu"' >/dev/null
}

# mode MODE OWNER PATH
mode() {
	[ "$(stat -c '%a %U:%G' "$3")" = "$1 $2" ] || fail "$3 is $(stat -c '%a %U:%G' "$3"), not $1 $2"
}

# doctor CHECK RESULT: what vgpuctl doctor found.
doctor() {
	local found

	found=$(vgpuctl doctor --json | jq -r --arg name "$1" '.checks[] | select(.name == $name) |
		.result + ": " + .message + " " + (.cure // "")')
	[[ $found == "$2: "* ]] || fail "doctor says of $1: $found"
	echo "$found"
}

start_mediator() {
	local end=$((SECONDS + 60))

	vgpu-mediatord >/vgpu-packages/mediatord.log 2>&1 &
	mediator=$!
	until vgpuctl vm list >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || fail "the mediator: $(tail -n 5 /vgpu-packages/mediatord.log)"
		sleep 0.1
	done
}

stop_mediator() {
	kill "$mediator"
	wait "$mediator" || true
}

# is_installed: what each package is for is there, and works.
is_installed() {
	local check

	grep -q '^vgpu:' /etc/group || fail "there is no group vgpu"
	mode 755 root:root /run/vgpu
	mode 755 root:root /run/vgpu/link
	mode 700 root:root /var/lib/vgpu
	mode 755 root:root /etc/libvirt/hooks/qemu.d/vgpu
	for check in vgpu-mediatord vgpu-keeper vgpu-agent; do
		[ -e "/etc/systemd/system/multi-user.target.wants/$check.service" ] ||
			fail "$check.service is not enabled"
	done
	grep -qF 'abstractions/libvirt-qemu.d' /etc/apparmor.d/abstractions/libvirt-qemu \
		/etc/apparmor.d/local/abstractions/libvirt-qemu || fail "AppArmor's part is not included"
	[ -s /usr/share/selinux/packages/vgpu.pp ] || fail "there is no module for SELinux"
	has_device || fail "QEMU has no device vgpu"
	quietly vgpu-agent --version
	# shellcheck disable=SC2046 # a list
	quietly cc -o /vgpu-packages/example /usr/share/doc/libvgpu-dev/examples/vector-add.c \
		$(pkg-config --cflags --libs libvgpu)
	mkdir -p /run/systemd/system
	start_mediator
	for check in mediator control-socket state programs keeper links qemu hook libvirt-caches folders \
		groups; do
		doctor "$check" ok >/dev/null
	done
	[[ $(doctor units warning) == *"systemd did not start the mediator"* ]] ||
		fail "doctor does not see who started the mediator"
	stop_mediator
	rmdir /run/systemd/system
}

# The QEMU that is installed, with another version in it, as a package that upgrades it.
make_qemu() {
	local root=/vgpu-packages/qemu

	mkdir -p "$root/DEBIAN"
	dpkg -L qemu-system-x86 | sed 's|^/||' | tar -C / -cf - --no-recursion -T - |
		tar -C "$root" -xf -
	sed -i 's/Debian 1:/Debian 9:/g' "$root/usr/bin/qemu-system-x86_64"
	dpkg-query -s qemu-system-x86 | sed -e '/^Status:/d; /^Conffiles:/,/^[^ C]/{/^ /d; /^C/d}' \
		-e 's/^Version: .*/&+vgpu/' >"$root/DEBIAN/control"
	quietly dpkg-deb --root-owner-group -Znone --build "$root" /vgpu-packages/qemu.deb
}

upgrade_qemu() {
	dpkg -i /vgpu-packages/qemu.deb >/vgpu-packages/log 2>&1 </dev/null || {
		cat /vgpu-packages/log
		fail "QEMU cannot be upgraded"
	}
}

files >/vgpu-packages/before
version=$(dpkg-parsechangelog --show-field Version)
build
make_old

say "installing 0.0.1"
quietly dpkg -i ../old/*.deb
is_installed

say "upgrading to $version"
echo "# the operator's" >>/etc/vgpu/mediatord.conf
stat -c %i /var/lib/vgpu/state.db >/vgpu-packages/state
quietly dpkg -i ../new/*.deb
[ "$(dpkg-query -W -f '${Version}' vgpu-mediator)" = "$version" ] || fail "not upgraded"
[ "$(tail -n 1 /etc/vgpu/mediatord.conf)" = "# the operator's" ] || fail "mediatord.conf is replaced"
[ "$(stat -c %i /var/lib/vgpu/state.db)" = "$(cat /vgpu-packages/state)" ] || fail "the state is gone"
is_installed

say "upgrading QEMU, with nothing to build the module for it from"
make_qemu
upgrade_qemu
grep -q "VMs with a vGPU do not start until vgpu-rebuild-module succeeds" /vgpu-packages/log ||
	fail "the upgrade says nothing: $(cat /vgpu-packages/log)"
said=$("$wrapper" -machine none -device help 2>&1) && fail "the old module is loaded: $said"
[[ $said == *"but this is QEMU "*"Debian 9:"*": run vgpu-rebuild-module as root" ]] || fail "$said"
[[ $(doctor qemu failed) == *"run vgpu-rebuild-module"* ]] || fail "doctor has no cure"

say "upgrading QEMU again, with its headers at hand"
mkdir -p /var/cache/vgpu
cp -R qemu-headers /var/cache/vgpu/
sed -i 's/Debian 1:/Debian 9:/g' /var/cache/vgpu/qemu-headers/version \
	/var/cache/vgpu/qemu-headers/generated/*.h
touch -d 2000-01-01 "$wrapper"
upgrade_qemu
has_device || fail "the module is not rebuilt: $(cat /vgpu-packages/log)"
[ "$(stat -c %Y "$wrapper")" -gt "$(date -d 2001-01-01 +%s)" ] || fail "the wrapper is not touched"

say "removing"
# shellcheck disable=SC2086 # a list
quietly dpkg -r $packages
for gone in "$wrapper" /usr/sbin/vgpu-mediatord /etc/libvirt/hooks/qemu.d/vgpu; do
	[ ! -e "$gone" ] || fail "$gone is still there"
done
for kept in /etc/vgpu/mediatord.conf /var/lib/vgpu/state.db; do
	[ -f "$kept" ] || fail "$kept is removed, not only purged"
done

say "purging"
# shellcheck disable=SC2086 # a list
quietly dpkg -P $packages
files >/vgpu-packages/after
diff /vgpu-packages/before /vgpu-packages/after || fail "not as it was before"
[ ! -e /run/vgpu ] || fail "/run/vgpu is still there"
! grep -q vgpu /etc/apparmor.d/local/abstractions/libvirt-qemu || fail "AppArmor still includes the part"
say "done"
