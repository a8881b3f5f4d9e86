# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += cloudstack-plugin/README.md data/cloudstack.conf
# An example: nothing is asked before an operator says whom.
vgpucloudstackexamplesdir = $(datadir)/vgpu/examples
if BUILD_CLOUDSTACK
vgpucloudstackexamples_DATA = data/cloudstack.conf
noinst_LTLIBRARIES += cloudstack-plugin/libcloudstack.la
sbin_PROGRAMS += cloudstack-plugin/vgpu-cloudstack
dist_man_MANS += man/vgpu-cloudstack.8 man/vgpu-cloudstack.conf.5
# What stands in the agent's folders: docs/cloudstack.md says where.
cloudstackdir = $(datadir)/vgpu/cloudstack
cloudstack_SCRIPTS = \
	cloudstack-plugin/gpudiscovery.sh \
	cloudstack-plugin/libvirt-vm-state-change.sh \
	cloudstack-plugin/libvirt-vm-xml-transformer.groovy \
	cloudstack-plugin/libvirt-vm-xml-transformer.sh
CLEANFILES += $(cloudstack_SCRIPTS)
endif

cloudstack_plugin_libcloudstack_la_SOURCES = \
	cloudstack-plugin/answer.c \
	cloudstack-plugin/answer.h \
	cloudstack-plugin/api.c \
	cloudstack-plugin/api.h \
	cloudstack-plugin/child.c \
	cloudstack-plugin/child.h \
	cloudstack-plugin/merge.c \
	cloudstack-plugin/merge.h \
	cloudstack-plugin/offering.c \
	cloudstack-plugin/offering.h \
	cloudstack-plugin/offerings.c \
	cloudstack-plugin/offerings.h \
	cloudstack-plugin/pci.c \
	cloudstack-plugin/pci.h \
	cloudstack-plugin/plan.c \
	cloudstack-plugin/plan.h \
	cloudstack-plugin/profiles.c \
	cloudstack-plugin/profiles.h \
	cloudstack-plugin/quiet.c \
	cloudstack-plugin/quiet.h \
	cloudstack-plugin/running.c \
	cloudstack-plugin/running.h \
	cloudstack-plugin/seats.c \
	cloudstack-plugin/seats.h \
	cloudstack-plugin/sign.c \
	cloudstack-plugin/sign.h \
	cloudstack-plugin/sync.c \
	cloudstack-plugin/sync.h \
	cloudstack-plugin/sync_config.c \
	cloudstack-plugin/sync_config.h \
	cloudstack-plugin/transform.c \
	cloudstack-plugin/transform.h \
	cloudstack-plugin/webhook_check.c \
	cloudstack-plugin/webhook_check.h \
	xml/file.c \
	xml/file.h
cloudstack_plugin_libcloudstack_la_CFLAGS = $(AM_CFLAGS) $(LIBCURL_CFLAGS) $(JANSSON_CFLAGS) $(GNUTLS_CFLAGS) \
	$(LIBVIRT_CFLAGS)
cloudstack_plugin_libcloudstack_la_LIBADD = xml/libvgpuxml.la common/librestclient.la common/libsettings.la \
	common/libcommon.la \
	$(LIBCURL_LIBS) $(JANSSON_LIBS) $(GNUTLS_LIBS) $(LIBVIRT_LIBS)

cloudstack_plugin_vgpu_cloudstack_SOURCES = \
	cloudstack-plugin/cmd_offerings.c \
	cloudstack-plugin/cmd_sync.c \
	cloudstack-plugin/cmd_discover.c \
	cloudstack-plugin/cmd_state.c \
	cloudstack-plugin/cmd_transform.c \
	cloudstack-plugin/commands.h \
	cloudstack-plugin/follow.c \
	cloudstack-plugin/follow.h \
	cloudstack-plugin/main.c \
	cloudstack-plugin/service.c \
	cloudstack-plugin/service.h \
	cloudstack-plugin/webhook.c \
	cloudstack-plugin/webhook.h
cloudstack_plugin_vgpu_cloudstack_CPPFLAGS = $(AM_CPPFLAGS) \
	-DVGPU_SEATS_FILE='"$(localstatedir)/lib/vgpu/seats.json"' \
	-DVGPU_LAST_FILE='"$(localstatedir)/lib/vgpu/gpudiscovery.json"' \
	-DVGPU_PROFILES_FILE='"$(sysconfdir)/vgpu/cloudstack-profiles.json"' \
	-DSYNC_CONFIG='"$(sysconfdir)/vgpu/cloudstack.conf"' \
	-DVGPU_CONTROL_SOCKET='"$(runstatedir)/vgpu/control.sock"'
cloudstack_plugin_vgpu_cloudstack_CFLAGS = $(AM_CFLAGS) $(MICROHTTPD_CFLAGS) $(LIBCURL_CFLAGS) $(JANSSON_CFLAGS) $(SYSTEMD_CFLAGS)
cloudstack_plugin_vgpu_cloudstack_LDADD = cloudstack-plugin/libcloudstack.la $(MICROHTTPD_LIBS) $(SYSTEMD_LIBS)

EXTRA_DIST += \
	cloudstack-plugin/gpudiscovery.sh.in \
	cloudstack-plugin/libvirt-vm-state-change.sh.in \
	cloudstack-plugin/libvirt-vm-xml-transformer.groovy.in \
	cloudstack-plugin/libvirt-vm-xml-transformer.sh.in
cloudstack_make_script = \
	$(AM_V_GEN)$(MKDIR_P) cloudstack-plugin && \
	$(SED) -e 's|@sbindir''@|$(sbindir)|g' $(srcdir)/$@.in >$@.tmp && \
	chmod +x $@.tmp && mv $@.tmp $@
cloudstack-plugin/gpudiscovery.sh: cloudstack-plugin/gpudiscovery.sh.in Makefile
	$(cloudstack_make_script)
cloudstack-plugin/libvirt-vm-state-change.sh: cloudstack-plugin/libvirt-vm-state-change.sh.in Makefile
	$(cloudstack_make_script)
cloudstack-plugin/libvirt-vm-xml-transformer.sh: \
		cloudstack-plugin/libvirt-vm-xml-transformer.sh.in Makefile
	$(cloudstack_make_script)
cloudstack-plugin/libvirt-vm-xml-transformer.groovy: \
		cloudstack-plugin/libvirt-vm-xml-transformer.groovy.in Makefile
	$(cloudstack_make_script)
