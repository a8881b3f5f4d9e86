# SPDX-License-Identifier: Apache-2.0
if BUILD_HOOK
noinst_LTLIBRARIES += hook/libhook.la
libvirthooks_PROGRAMS = hook/vgpu
dist_man_MANS += man/vgpu-hook.8 man/vgpu-hook.conf.5
endif

hook_libhook_la_SOURCES = \
	hook/hook_config.c \
	hook/hook_config.h \
	hook/hook.c \
	hook/hook.h \
	hook/registration.c \
	hook/registration.h \
	xml/file.c \
	xml/file.h
hook_libhook_la_CPPFLAGS = $(AM_CPPFLAGS) \
	-DVGPU_CONTROL_SOCKET='"$(runstatedir)/vgpu/control.sock"'
hook_libhook_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
hook_libhook_la_LIBADD = common/librestclient.la common/libsettings.la $(JANSSON_LIBS)

hook_vgpu_SOURCES = hook/main.c
hook_vgpu_CPPFLAGS = $(AM_CPPFLAGS) -DHOOK_CONFIG='"$(sysconfdir)/vgpu/hook.conf"'
hook_vgpu_LDADD = hook/libhook.la xml/libvgpuxml.la common/libcommon.la

# The reconciler's decisions, without libvirt.
if BUILD_HOOK
noinst_LTLIBRARIES += hook/libreconcile.la
endif
hook_libreconcile_la_SOURCES = \
	hook/reconcile.c \
	hook/reconcile.h \
	hook/vm_view.c \
	hook/vm_view.h
hook_libreconcile_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
hook_libreconcile_la_LIBADD = hook/libhook.la xml/libvgpuxml.la common/libcommon.la

# It alone knows libvirt's library: the mediator starts it where it is installed.
if BUILD_HOOK
if BUILD_RECONCILER
pkglibexec_PROGRAMS += vgpu-reconciler
dist_man_MANS += man/vgpu-reconciler.8
endif
endif
vgpu_reconciler_SOURCES = \
	hook/follow.c \
	hook/follow.h \
	hook/mediator.c \
	hook/mediator.h \
	hook/reconciler_main.c
vgpu_reconciler_CPPFLAGS = $(AM_CPPFLAGS) \
	-DVGPU_CONTROL_SOCKET='"$(runstatedir)/vgpu/control.sock"'
vgpu_reconciler_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS)
vgpu_reconciler_LDADD = hook/libreconcile.la $(LIBVIRT_LIBS)

# An example: the hook's own defaults are the same.
EXTRA_DIST += data/hook.conf
if BUILD_HOOK
vgpuexamplesdir = $(datadir)/vgpu/examples
vgpuexamples_DATA = data/hook.conf
endif
