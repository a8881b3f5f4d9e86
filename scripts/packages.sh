# shellcheck shell=bash
# shellcheck disable=SC2034 # those who source it use the lists
# SPDX-License-Identifier: Apache-2.0
# The Debian packages that the scripts need, and how they are installed. Sourced, not run.

# To build everything that configure knows; for the device module, see packages_qemu.
packages_build="gcc libc6-dev make autoconf automake libtool pkg-config
	libmicrohttpd-dev libgnutls28-dev libjansson-dev libsqlite3-dev libseccomp-dev libsystemd-dev libxml2-dev
	libcurl4-openssl-dev libvirt-dev libglib2.0-dev checkpolicy semodule-utils"

# To run the mediator, libvirt and a guest.
packages_run="qemu-system-x86 libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients
	busybox-static python3 curl iproute2 util-linux procps systemd"

# To run every test and every check of the source.
packages_test="git g++ xz-utils libcmocka-dev clang clang-format libclang-rt-14-dev cppcheck shellcheck valgrind jq
	libxml2-utils ovmf man-db openssl python3-cs python3-yaml socat zsh chromium chromium-driver apparmor debhelper dh-apparmor"

# What scripts/qemu-headers needs.
packages_qemu() {
	"$(dirname "${BASH_SOURCE[0]}")/qemu-headers" --packages
}

packages_missing() {
	local package
	for package in "$@"; do
		case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
		*" installed") ;;
		*) echo "$package" ;;
		esac
	done
}

# packages_install PACKAGE...: installs those that are missing, and says which. Waits for another
# apt or dpkg. Output goes to standard error only if it fails.
packages_install() {
	local missing log
	mapfile -t missing < <(packages_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "these Debian packages are missing, and only root can install them: ${missing[*]}" >&2
		return 1
	fi
	echo "installing Debian packages: ${missing[*]}"
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	if { apt-get -q -o DPkg::Lock::Timeout=300 update &&
		apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold \
			--no-install-recommends install "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
		rm -f "$log"
		return 0
	fi
	tail -n 30 "$log" >&2
	rm -f "$log"
	echo "apt-get could not install: ${missing[*]}" >&2
	return 1
}
