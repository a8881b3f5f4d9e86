# SPDX-License-Identifier: Apache-2.0
if BUILD_MEDIATORD
noinst_LTLIBRARIES += mediatord/worker/libworker.la
pkglibexec_PROGRAMS += vgpu-worker
endif
dist_man_MANS += man/vgpu-worker.8

mediatord_worker_libworker_la_SOURCES = \
	mediatord/worker/backend.c \
	mediatord/worker/backend.h \
	mediatord/worker/backend_cpu.c \
	mediatord/worker/cuda_error.c \
	mediatord/worker/cuda_error.h \
	mediatord/worker/execute.c \
	mediatord/worker/execute.h \
	mediatord/worker/kernels_cpu.c \
	mediatord/worker/kernels_cpu.h \
	mediatord/worker/mediator.c \
	mediatord/worker/mediator.h \
	mediatord/worker/memory_cpu.c \
	mediatord/worker/memory_cpu.h \
	mediatord/worker/sandbox.c \
	mediatord/worker/sandbox.h \
	mediatord/worker/sandbox_seccomp.c
mediatord_worker_libworker_la_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)
mediatord_worker_libworker_la_LIBADD = \
	mediatord/librequest.la \
	$(SECCOMP_LIBS)

vgpu_worker_SOURCES = mediatord/worker/worker_main.c
vgpu_worker_LDADD = mediatord/worker/libworker.la
