# SPDX-License-Identifier: Apache-2.0
if BUILD_MEDIATORD
noinst_LTLIBRARIES += mediatord/keeper/libkeeper.la
pkglibexec_PROGRAMS += vgpu-keeper
endif
dist_man_MANS += man/vgpu-keeper.8

mediatord_keeper_libkeeper_la_SOURCES = \
	mediatord/keeper/held.c \
	mediatord/keeper/held.h \
	mediatord/keeper/keeper.c \
	mediatord/keeper/keeper.h \
	mediatord/keeper/listen.c \
	mediatord/keeper/listen.h \
	mediatord/keeper/message.c \
	mediatord/keeper/message.h \
	mediatord/keeper/session.c \
	mediatord/keeper/session.h \
	mediatord/keeper/source.h \
	mediatord/keeper/spawn.c \
	mediatord/keeper/spawn.h
mediatord_keeper_libkeeper_la_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
mediatord_keeper_libkeeper_la_LIBADD = mediatord/libmediator.la $(SYSTEMD_LIBS)

vgpu_keeper_SOURCES = mediatord/keeper/main.c
vgpu_keeper_CPPFLAGS = $(AM_CPPFLAGS) $(mediatord_paths)
vgpu_keeper_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
vgpu_keeper_LDADD = mediatord/keeper/libkeeper.la
