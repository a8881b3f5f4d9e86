# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += \
	mediatord/config.h \
	mediatord/control.h \
	mediatord/sched.h \
	mediatord/vm_config.h \
	mediatord/worker_protocol.h

# The only validator of requests; daemon and worker link it.
noinst_LTLIBRARIES += mediatord/librequest.la
mediatord_librequest_la_SOURCES = \
	mediatord/request.c \
	mediatord/request.h
mediatord_librequest_la_LIBADD = common/libcommon.la
