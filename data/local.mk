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
EXTRA_DIST += data/vgpu-agent.service.in data/vgpu-keeper.service.in data/vgpu-mediatord.service.in
if HAVE_SYSTEMD
systemdunitdir = $(prefix)/lib/systemd/system
nodist_systemdunit_DATA = data/vgpu-agent.service
if BUILD_MEDIATORD
nodist_systemdunit_DATA += data/vgpu-keeper.service data/vgpu-mediatord.service
endif
endif
CLEANFILES += data/vgpu-agent.service data/vgpu-keeper.service data/vgpu-mediatord.service
data/vgpu-agent.service: $(srcdir)/data/vgpu-agent.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) data && $(SED) 's|@bindir[@]|$(bindir)|g' \
		"$(srcdir)/data/vgpu-agent.service.in" >$@.tmp && mv $@.tmp $@
data/vgpu-keeper.service: $(srcdir)/data/vgpu-keeper.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) data && $(SED) 's|@pkglibexecdir[@]|$(pkglibexecdir)|g' \
		"$(srcdir)/data/vgpu-keeper.service.in" >$@.tmp && mv $@.tmp $@
data/vgpu-mediatord.service: $(srcdir)/data/vgpu-mediatord.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) data && $(SED) 's|@sbindir[@]|$(sbindir)|g' \
		"$(srcdir)/data/vgpu-mediatord.service.in" >$@.tmp && mv $@.tmp $@
