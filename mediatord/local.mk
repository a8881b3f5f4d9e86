# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += \
	mediatord/config.h \
	mediatord/vm_config.h \
	mediatord/worker_protocol.h

# The only validator of requests; daemon and worker link it.
noinst_LTLIBRARIES += mediatord/librequest.la
mediatord_librequest_la_SOURCES = \
	mediatord/request.c \
	mediatord/request.h
mediatord_librequest_la_LIBADD = common/libcommon.la

# The scheduler: pure, linked by the daemon, the tests and a simulator alike.
noinst_LTLIBRARIES += mediatord/libsched.la
mediatord_libsched_la_SOURCES = \
	mediatord/idmap.c \
	mediatord/idmap.h \
	mediatord/sched.c \
	mediatord/sched.h

# The control plane: what is registered, how it is kept, and REST. The daemon adds control.h's
# functions and the configuration's.
if BUILD_MEDIATORD
noinst_LTLIBRARIES += mediatord/libplane.la
endif
mediatord_libplane_la_SOURCES = \
	mediatord/control.h \
	mediatord/layers.c \
	mediatord/layers.h \
	mediatord/problem.c \
	mediatord/problem.h \
	mediatord/registry.c \
	mediatord/registry.h \
	mediatord/rest.c \
	mediatord/rest.h \
	mediatord/rest_internal.h \
	mediatord/rest_router.c \
	mediatord/rest_router.h \
	mediatord/rest_vms.c \
	mediatord/state.c \
	mediatord/state.h
mediatord_libplane_la_CFLAGS = $(AM_CFLAGS) $(MICROHTTPD_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
	-pthread
mediatord_libplane_la_LIBADD = common/libcommon.la $(MICROHTTPD_LIBS) $(JANSSON_LIBS) \
	$(SQLITE_LIBS) -lpthread

include mediatord/worker/local.mk
