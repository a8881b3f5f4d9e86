#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The services under systemd itself, as PID 1 of a guest that has this host's systemd, the project as
# `make install` leaves it, and Debian's kernel: all in the initramfs. What is checked there is in
# units-guest, which runs as a service of the guest.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
need systemctl systemd strip binutils busybox busybox-static jq jq
[ -x /lib/systemd/systemd ] || skip "systemd is missing (Debian: systemd)"
isolate "$@"

root=$work/root
limit=900

# put FILE...: into the guest, where it is here, symlinks followed. Below the build's prefix that is
# what was installed with DESTDIR.
put() {
	local file folder
	for file in "$@"; do
		folder=$root$(realpath "$(dirname "$file")")
		mkdir -p "$folder"
		cp -L "$file" "$folder/"
	done
}

# put_program FILE...: with the libraries that each needs, all without symbols.
put_program() {
	put "$@"
	ldd "$@" | awk '$2 == "=>" { print $3 } $1 ~ /ld-linux/ { print $1 }' | sort -u >"$work/libraries"
	while read -r library; do
		put "$library"
	done <"$work/libraries"
}

put_systemd() {
	local units=/lib/systemd/system unit
	put_program /lib/systemd/systemd /lib/systemd/systemd-journald /lib/systemd/systemd-shutdown \
		/bin/systemctl /bin/journalctl /bin/systemd-sysusers /bin/systemd-tmpfiles
	for unit in basic sysinit local-fs sockets timers paths slices multi-user shutdown umount \
		final network network-online time-sync poweroff; do
		put "$units/$unit.target"
	done
	put "$units"/systemd-{sysusers,tmpfiles-setup,poweroff,journald}.service \
		"$units"/systemd-journald{,-dev-log}.socket
	mkdir -p "$root$(realpath $units)"/{sysinit,sockets}.target.wants
	for unit in sysinit.target.wants/systemd-{journald,sysusers,tmpfiles-setup}.service \
		sockets.target.wants/systemd-journald{,-dev-log}.socket; do
		ln -s "../${unit#*/}" "$root$(realpath $units)/$unit"
	done
}

# All that `make install` puts into these folders; the manual pages would only make it large.
put_project() {
	local file
	while read -r file; do
		put_program "$VGPU_PREFIX/$file"
	done < <(cd "$VGPU_PREFIX" && find bin sbin libexec -type f -perm /111 \
		-exec sh -c 'head -c 4 "$1" | grep -q ELF && echo "$1"' _ {} \;)
	while read -r file; do
		put "$VGPU_PREFIX/$file"
	done < <(cd "$VGPU_PREFIX" && find lib/systemd lib/sysusers.d lib/tmpfiles.d -type f)
	put_program "$top_builddir/tests/system/channel-holder"
	mv "$root$(realpath "$top_builddir")/tests/system/channel-holder" "$root/usr/bin/"
	mkdir -p "$root$VGPU_SYSCONFDIR/vgpu"
	cp "$dest$VGPU_SYSCONFDIR/vgpu/mediatord.conf" "$root$VGPU_SYSCONFDIR/vgpu/"
}

put_rest() {
	local link
	put_program /bin/bash "$(command -v jq)"
	cp "$(command -v busybox)" "$root/usr/bin/busybox"
	for link in sh cat grep sed stat kill sleep tail head sort wc mknod chmod mkdir rm mv cp dd \
		readlink cut tr mount chroot ps env; do
		[ -e "$root/usr/bin/$link" ] || ln -s busybox "$root/usr/bin/$link"
	done
	install -m 0755 "$top_srcdir/tests/system/units-guest" "$root/usr/bin/units-guest"
	echo "root:x:0:0:root:/root:/bin/sh" >"$root/etc/passwd"
	echo "root:x:0:" >"$root/etc/group"
	: >"$root/etc/machine-id"
	printf 'PREFIX=%s\nSBINDIR=%s\nSYSCONFDIR=%s\nLOCALSTATEDIR=%s\nPKGLIBEXECDIR=%s\n' \
		"$VGPU_PREFIX" "$VGPU_SBINDIR" "$VGPU_SYSCONFDIR" "$VGPU_LOCALSTATEDIR" \
		"$VGPU_PKGLIBEXECDIR" >"$root/etc/vgpu-paths"
	cat >"$root/etc/systemd/system/units-guest.service" <<-END
	[Unit]
	DefaultDependencies=no
	Requires=basic.target
	After=basic.target
	SuccessAction=poweroff-immediate
	FailureAction=poweroff-immediate
	[Service]
	Type=oneshot
	ExecStart=/usr/bin/units-guest
	StandardOutput=tty
	StandardError=inherit
	TTYPath=/dev/ttyS0
	END
	# The kernel's own root cannot be changed with pivot_root(2), as workers and systemd do. Seen
	# from a mount of it, it can.
	cat >"$root/init" <<-'END'
	#!/bin/sh
	mount -o bind / /mnt
	cd /mnt
	mount -o move . /
	exec chroot . /lib/systemd/systemd
	END
	chmod 0755 "$root/init"
}

make_image() {
	local folder
	mkdir -p "$root"/{proc,sys,dev,run,tmp,mnt,root,srv,home,var/{lib,tmp,log},etc/systemd/system} \
		"$root"/usr/{bin,sbin,lib,lib64}
	for folder in bin sbin lib lib64; do
		ln -s "usr/$folder" "$root/$folder"
	done
	ln -s ../run "$root/var/run"
	chmod 1777 "$root/tmp" "$root/var/tmp"
	put_systemd
	put_project
	put_rest
	find "$root" -type f -perm /111 -exec strip --strip-unneeded {} + 2>/dev/null || true
	find "$root" -name '*.so*' -type f -exec strip --strip-unneeded {} + 2>/dev/null || true
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) >"$work/initrd"
}

make_image
say "the guest's initramfs has $(($(stat -c %s "$work/initrd") >> 20)) MiB"
# Without mitigations, each of which costs an emulated processor dearly. Nobody serves the device's
# link: vgpu-agent needs a device to watch alone.
timeout "$limit" "$emulator" -machine q35,accel=tcg -smp 2 -m 768 -nodefaults -display none -no-reboot \
	-kernel "$work/image/vmlinuz" -initrd "$work/initrd" -serial "file:$work/console/guest" \
	-device "vgpu,link=$work/nobody.sock,window-size=16M" \
	-append "console=ttyS0 quiet panic=-1 no_timer_check mitigations=off random.trust_cpu=on rdinit=/init \
systemd.unit=units-guest.service systemd.show_status=no" >"$work/qemu.log" 2>&1 ||
	fail "QEMU ended with status $?"
sed 's/\r$//' "$work/console/guest"
grep -q '^units-guest: passed' "$work/console/guest" || fail "not all is well in the guest"
