# SPDX-License-Identifier: Apache-2.0
dist_noinst_SCRIPTS += scripts/kernels-ptx scripts/promtool scripts/qemu-headers scripts/qemu-intree-patch
dist_noinst_SCRIPTS += scripts/guest-ctl scripts/guest-domain scripts/guest-image scripts/lint scripts/check scripts/quickstart
dist_noinst_SCRIPTS += scripts/guest/init scripts/guest/load scripts/guest/serve
# The Debian packages.
EXTRA_DIST += \
	debian/changelog \
	debian/control \
	debian/copyright \
	debian/libvgpu-dev.install \
	debian/libvgpu0.install \
	debian/libvirt-vgpu.install \
	debian/libvirt-vgpu.lintian-overrides \
	debian/libvirt-vgpu.postinst \
	debian/qemu-vgpu.install \
	debian/qemu-vgpu.postinst \
	debian/qemu-vgpu.postrm \
	debian/qemu-vgpu.triggers \
	debian/rules \
	debian/source/format \
	debian/vgpu-guest.install \
	debian/vgpu-mediator.README.Debian \
	debian/vgpu-mediator.docs \
	debian/vgpu-mediator.install \
	debian/vgpu-mediator.postrm

EXTRA_DIST += scripts/guest/domain.xml scripts/packages.sh scripts/build.sh .ci/run .cppcheck .shellcheckrc
