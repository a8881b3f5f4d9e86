# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += common/libcommon.la
common_libcommon_la_SOURCES = \
	common/bytes.h \
	common/cleanup.h \
	common/clock.h \
	common/condition.h \
	common/error.c \
	common/error.h \
	common/file_line.c \
	common/file_line.h \
	common/link.h \
	common/log.c \
	common/log.h \
	common/packet.c \
	common/packet.h \
	common/protocol.h \
	common/ring.h \
	common/text.h \
	common/uuid.c \
	common/uuid.h

# What command lines share. Apart from libcommon, which is also built into QEMU.
noinst_LTLIBRARIES += common/libcommandline.la
common_libcommandline_la_SOURCES = \
	common/output.c \
	common/output.h

# Configuration files without sections: the hook's, and those of CloudStack's part.
noinst_LTLIBRARIES += common/libsettings.la
common_libsettings_la_SOURCES = \
	common/settings.c \
	common/settings.h

# What asks the mediator over REST. It needs libcurl and jansson.
if HAVE_REST_CLIENT
noinst_LTLIBRARIES += common/librestclient.la
endif
common_librestclient_la_SOURCES = \
	common/json_auto.h \
	common/rest_client.c \
	common/rest_client.h
common_librestclient_la_CFLAGS = $(AM_CFLAGS) $(LIBCURL_CFLAGS) $(JANSSON_CFLAGS)
common_librestclient_la_LIBADD = $(LIBCURL_LIBS) $(JANSSON_LIBS)
