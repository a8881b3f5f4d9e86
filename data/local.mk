# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += data/vectors/A.txt data/vectors/B.txt

# An operator's file is never overwritten, and removed only where nobody changed it.
EXTRA_DIST += data/mediatord.conf
if BUILD_MEDIATORD
INSTALL_EXEC_HOOKS += install-mediatord-conf
UNINSTALL_HOOKS += uninstall-mediatord-conf
endif
.PHONY: install-mediatord-conf uninstall-mediatord-conf
install-mediatord-conf:
	$(MKDIR_P) "$(DESTDIR)$(sysconfdir)/vgpu"
	test -e "$(DESTDIR)$(sysconfdir)/vgpu/mediatord.conf" || \
		$(INSTALL_DATA) "$(srcdir)/data/mediatord.conf" "$(DESTDIR)$(sysconfdir)/vgpu/mediatord.conf"
uninstall-mediatord-conf:
	if cmp -s "$(srcdir)/data/mediatord.conf" "$(DESTDIR)$(sysconfdir)/vgpu/mediatord.conf"; then \
		rm -f "$(DESTDIR)$(sysconfdir)/vgpu/mediatord.conf"; \
	fi
	-rmdir "$(DESTDIR)$(sysconfdir)/vgpu" 2>/dev/null
# The REST interface, and what watches it.
dist_doc_DATA += \
	data/openapi.yaml \
	data/vgpu-alerts.yaml \
	data/vgpu-dashboard.json

# Also /usr/local/lib/systemd/system is one of systemd's folders.
EXTRA_DIST += data/vgpu-agent.service.in data/vgpu-cloudstack-sync.service.in data/vgpu-keeper.service.in data/vgpu-mediatord.service.in
if HAVE_SYSTEMD
systemdunitdir = $(prefix)/lib/systemd/system
nodist_systemdunit_DATA = data/vgpu-agent.service
if BUILD_MEDIATORD
nodist_systemdunit_DATA += data/vgpu-keeper.service data/vgpu-mediatord.service
endif
if BUILD_CLOUDSTACK
nodist_systemdunit_DATA += data/vgpu-cloudstack-sync.service
endif
endif
units = data/vgpu-agent.service data/vgpu-cloudstack-sync.service data/vgpu-keeper.service data/vgpu-mediatord.service
CLEANFILES += $(units)
data/vgpu-agent.service: $(srcdir)/data/vgpu-agent.service.in
data/vgpu-cloudstack-sync.service: $(srcdir)/data/vgpu-cloudstack-sync.service.in
data/vgpu-keeper.service: $(srcdir)/data/vgpu-keeper.service.in
data/vgpu-mediatord.service: $(srcdir)/data/vgpu-mediatord.service.in
$(units): Makefile
	$(data_substitute) '$(srcdir)/$@.in' >$@.tmp && mv $@.tmp $@

# A group, and folders with their owners. `make install` makes them at once where systemd looks for
# such files; a package's scripts do it otherwise, or the next boot.
EXTRA_DIST += data/tmpfiles.d/vgpu.conf.in
CLEANFILES += data/tmpfiles.d/vgpu.conf
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d
if BUILD_MEDIATORD
dist_sysusers_DATA = data/sysusers.d/vgpu.conf
nodist_tmpfiles_DATA = data/tmpfiles.d/vgpu.conf
INSTALL_DATA_HOOKS += make-users-and-folders
endif
.PHONY: make-users-and-folders
make-users-and-folders:
	case '$(DESTDIR)$(prefix)' in /usr|/usr/local) test "`id -u`" != 0 || { \
		systemd-sysusers '$(sysusersdir)/vgpu.conf' && \
		systemd-tmpfiles --create '$(tmpfilesdir)/vgpu.conf'; } ;; esac
data_substitute = \
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SED) \
		-e 's|@bindir[@]|$(bindir)|g' -e 's|@sbindir[@]|$(sbindir)|g' \
		-e 's|@pkglibdir[@]|$(pkglibdir)|g' -e 's|@pkglibexecdir[@]|$(pkglibexecdir)|g' \
		-e 's|@sysconfdir[@]|$(sysconfdir)|g' -e 's|@localstatedir[@]|$(localstatedir)|g' \
		-e 's|@runstatedir[@]|$(runstatedir)|g'
data/tmpfiles.d/vgpu.conf: data/tmpfiles.d/vgpu.conf.in Makefile
	$(data_substitute) '$(srcdir)/$@.in' >$@.tmp && mv $@.tmp $@

# AppArmor: a part for libvirt's profile of a domain, and a profile of the mediator.
EXTRA_DIST += data/apparmor/libvirt-qemu.in data/apparmor/vgpu-mediatord.in
CLEANFILES += data/apparmor/libvirt-qemu.d/vgpu data/apparmor/vgpu-mediatord
apparmordir = $(sysconfdir)/apparmor.d
apparmorqemudir = $(apparmordir)/abstractions/libvirt-qemu.d
if BUILD_QEMU_MODULE
nodist_apparmorqemu_DATA = data/apparmor/libvirt-qemu.d/vgpu
INSTALL_DATA_HOOKS += include-apparmor
endif
# The abstraction of Debian 12's libvirt knows no folder for parts; what is local to the host does.
apparmor_local = $(apparmordir)/local/abstractions/libvirt-qemu
.PHONY: include-apparmor
include-apparmor:
	case '$(DESTDIR)$(sysconfdir)' in /etc) test ! -w '$(apparmor_local)' || \
		grep -qsF abstractions/libvirt-qemu.d '$(apparmordir)/abstractions/libvirt-qemu' \
			'$(apparmor_local)' || \
		echo '  include if exists <abstractions/libvirt-qemu.d>' >>'$(apparmor_local)' ;; esac
if BUILD_MEDIATORD
nodist_apparmor_DATA = data/apparmor/vgpu-mediatord
endif
data/apparmor/libvirt-qemu.d/vgpu: data/apparmor/libvirt-qemu.in Makefile
	$(data_substitute) '$(srcdir)/data/apparmor/libvirt-qemu.in' >$@.tmp && mv $@.tmp $@
data/apparmor/vgpu-mediatord: data/apparmor/vgpu-mediatord.in Makefile
	$(data_substitute) '$(srcdir)/$@.in' >$@.tmp && mv $@.tmp $@

# SELinux: a policy module, with its sources for another policy than it was compiled for.
EXTRA_DIST += data/selinux/vgpu.fc.in
CLEANFILES += data/selinux/vgpu.fc data/selinux/vgpu.mod data/selinux/vgpu.pp
if BUILD_QEMU_MODULE
selinuxdir = $(datadir)/vgpu/selinux
nodist_selinux_DATA = data/selinux/vgpu.fc
selinux_DATA = data/selinux/vgpu.te
if HAVE_SELINUX_TOOLS
selinuxpackagesdir = $(datadir)/selinux/packages
nodist_selinuxpackages_DATA = data/selinux/vgpu.pp
endif
endif
EXTRA_DIST += data/selinux/vgpu.te
data/selinux/vgpu.fc: data/selinux/vgpu.fc.in Makefile
	$(data_substitute) '$(srcdir)/$@.in' >$@.tmp && mv $@.tmp $@
data/selinux/vgpu.pp: data/selinux/vgpu.te data/selinux/vgpu.fc
	$(AM_V_GEN)$(CHECKMODULE) -M -m -o data/selinux/vgpu.mod '$(srcdir)/data/selinux/vgpu.te' && \
	$(SEMODULE_PACKAGE) -o $@ -m data/selinux/vgpu.mod -f data/selinux/vgpu.fc
