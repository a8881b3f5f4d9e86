# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += \
	mediatord/config.h \
	mediatord/control.h \
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

include mediatord/worker/local.mk
