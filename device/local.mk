# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += device/libdevice.la
device_libdevice_la_SOURCES = \
	device/channels.c \
	device/core.c \
	device/core.h \
	device/core_private.h \
	device/link.c \
	device/link_message.c \
	device/mailbox.c \
	device/registers.c \
	device/report.c
# Whoever links this links common/libcommon.la too: libtool would put its objects into a shared
# library twice.
