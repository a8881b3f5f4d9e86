# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += common/libcommon.la
common_libcommon_la_SOURCES = \
	common/bytes.h \
	common/cleanup.h \
	common/clock.h \
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
