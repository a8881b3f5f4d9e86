# SPDX-License-Identifier: Apache-2.0
# Each boots a guest under a libvirt of its own; see tests/README.md.
SYSTEM_TESTS += \
	tests/system/domains.sh \
	tests/system/reconciler.sh \
	tests/system/agents-share.sh \
	tests/system/channel-owner.sh \
	tests/system/cloudstack.sh \
	tests/system/files-nfs.sh \
	tests/system/files-stale.sh \
	tests/system/pci-address.sh \
	tests/system/qemu-upgrade.sh \
	tests/system/readme.sh \
	tests/system/guest-reboot.sh \
	tests/system/head-to-head.sh \
	tests/system/hook.sh \
	tests/system/kill-mediator.sh \
	tests/system/kill-qemu.sh \
	tests/system/kill-worker.sh \
	tests/system/latency.sh \
	tests/system/second-qemu.sh \
	tests/system/templates.sh \
	tests/system/units.sh \
	tests/system/vector-add.sh \
	tests/system/virt-install.sh

EXTRA_DIST += tests/system/lib.sh tests/system/nfs.bash
dist_check_SCRIPTS += tests/system/ganesha tests/system/units-guest

# For the guest, which has no libvgpu: linked in. `make check` has no use for it.
EXTRA_PROGRAMS += tests/system/channel-holder
CLEANFILES += tests/system/channel-holder
tests_system_channel_holder_SOURCES = tests/system/channel-holder.c
tests_system_channel_holder_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/guest-agent
tests_system_channel_holder_LDADD = guest-agent/libvgpu-core.la

# What the tests see at the prefix, and the guest that they boot.
SYSTEM_ROOT = $(abs_top_builddir)/tests/system/root
SYSTEM_GUEST = $(abs_top_builddir)/tests/system/guest
SYSTEM_GANESHA = $(abs_top_builddir)/tests/system/ganesha.unpacked
SYSTEM_ENVIRONMENT = \
	VGPU_PREFIX='$(prefix)' \
	VGPU_BINDIR='$(bindir)' \
	VGPU_SBINDIR='$(sbindir)' \
	VGPU_SYSCONFDIR='$(sysconfdir)' \
	VGPU_LOCALSTATEDIR='$(localstatedir)' \
	VGPU_PKGLIBEXECDIR='$(pkglibexecdir)' \
	VGPU_HOOKSDIR='$(libvirthooksdir)' \
	VGPU_QEMU_HEADERS='$(QEMU_HEADERS)'

.PHONY: system-setup
system_needs = all tests/system/channel-holder$(EXEEXT) tests/bench/head-to-head-client$(EXEEXT)
if BUILD_QEMU_MODULE
system_needs += tests/qemu/other-version.la
endif
system-setup: $(system_needs)
	rm -rf $(SYSTEM_ROOT) $(SYSTEM_GUEST)
	$(MAKE) $(AM_MAKEFLAGS) install DESTDIR=$(SYSTEM_ROOT) >/dev/null
	LD_LIBRARY_PATH=$(SYSTEM_ROOT)$(libdir) $(top_srcdir)/scripts/guest-image \
		$(SYSTEM_ROOT)$(bindir)/vgpu-agent $(SYSTEM_GUEST)
	-$(top_srcdir)/tests/system/ganesha $(SYSTEM_GANESHA)
