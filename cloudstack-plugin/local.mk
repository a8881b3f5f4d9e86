# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += cloudstack-plugin/README.md data/cloudstack.conf data/cloudstack-vgpu.html
# An example: nothing is asked before an operator says whom.
vgpucloudstackexamplesdir = $(datadir)/vgpu/examples
if BUILD_CLOUDSTACK
vgpucloudstackexamples_DATA = data/cloudstack.conf data/cloudstack-vgpu.html
noinst_LTLIBRARIES += cloudstack-plugin/libcloudstack.la
sbin_PROGRAMS += cloudstack-plugin/vgpu-cloudstack
dist_man_MANS += man/vgpu-cloudstack.8 man/vgpu-cloudstack.conf.5
endif

cloudstack_plugin_libcloudstack_la_SOURCES = \
	cloudstack-plugin/answer.c \
	cloudstack-plugin/answer.h \
	cloudstack-plugin/api.c \
	cloudstack-plugin/api.h \
	cloudstack-plugin/offering.c \
	cloudstack-plugin/offering.h \
	cloudstack-plugin/offerings.c \
	cloudstack-plugin/offerings.h \
	cloudstack-plugin/sign.c \
	cloudstack-plugin/sign.h \
	cloudstack-plugin/sync.c \
	cloudstack-plugin/sync.h \
	cloudstack-plugin/sync_config.c \
	cloudstack-plugin/sync_config.h \
	cloudstack-plugin/webhook_check.c \
	cloudstack-plugin/webhook_check.h \
	common/settings.c \
	common/settings.h
cloudstack_plugin_libcloudstack_la_CFLAGS = $(AM_CFLAGS) $(LIBCURL_CFLAGS) $(JANSSON_CFLAGS) $(GNUTLS_CFLAGS)
cloudstack_plugin_libcloudstack_la_LIBADD = common/librestclient.la common/libcommon.la \
	$(LIBCURL_LIBS) $(JANSSON_LIBS) $(GNUTLS_LIBS)

cloudstack_plugin_vgpu_cloudstack_SOURCES = \
	cloudstack-plugin/cmd_offerings.c \
	cloudstack-plugin/cmd_sync.c \
	cloudstack-plugin/commands.h \
	cloudstack-plugin/main.c \
	cloudstack-plugin/service.c \
	cloudstack-plugin/service.h \
	cloudstack-plugin/webhook.c \
	cloudstack-plugin/webhook.h
cloudstack_plugin_vgpu_cloudstack_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSYNC_CONFIG='"$(sysconfdir)/vgpu/cloudstack.conf"' \
	-DVGPU_CONTROL_SOCKET='"$(runstatedir)/vgpu/control.sock"'
cloudstack_plugin_vgpu_cloudstack_CFLAGS = $(AM_CFLAGS) $(MICROHTTPD_CFLAGS) $(JANSSON_CFLAGS) $(SYSTEMD_CFLAGS)
cloudstack_plugin_vgpu_cloudstack_LDADD = cloudstack-plugin/libcloudstack.la $(MICROHTTPD_LIBS) $(SYSTEMD_LIBS)
