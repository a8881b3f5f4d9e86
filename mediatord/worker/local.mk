# SPDX-License-Identifier: Apache-2.0
if BUILD_MEDIATORD
noinst_LTLIBRARIES += mediatord/worker/libworker.la
pkglibexec_PROGRAMS += vgpu-worker
endif
dist_man_MANS += man/vgpu-worker.8

mediatord_worker_libworker_la_SOURCES = \
	mediatord/worker/allocations.c \
	mediatord/worker/allocations.h \
	mediatord/worker/backend.c \
	mediatord/worker/backend.h \
	mediatord/worker/backend_cpu.c \
	mediatord/worker/backend_cpu.h \
	mediatord/worker/backend_cpu_channel.c \
	mediatord/worker/backend_cuda.c \
	mediatord/worker/backend_cuda.h \
	mediatord/worker/backend_cuda_link.c \
	mediatord/worker/backend_cuda_memory.c \
	mediatord/worker/backend_cuda_module.c \
	mediatord/worker/backend_cuda_stream.c \
	mediatord/worker/channel.h \
	mediatord/worker/channel_context.c \
	mediatord/worker/channel_execute.c \
	mediatord/worker/channel_validate.c \
	mediatord/worker/channel_work.c \
	mediatord/worker/channel_work.h \
	mediatord/worker/cuda_api.c \
	mediatord/worker/cuda_api.h \
	mediatord/worker/cuda_error.c \
	mediatord/worker/cuda_error.h \
	mediatord/worker/cuda_image.c \
	mediatord/worker/cuda_image.h \
	mediatord/worker/cuda_memory.c \
	mediatord/worker/cuda_memory.h \
	mediatord/worker/execute.c \
	mediatord/worker/execute.h \
	mediatord/worker/gate.c \
	mediatord/worker/gate.h \
	mediatord/worker/handles.c \
	mediatord/worker/handles.h \
	mediatord/worker/inflight.c \
	mediatord/worker/inflight.h \
	mediatord/worker/jobs.c \
	mediatord/worker/jobs.h \
	mediatord/worker/kernels_cpu.c \
	mediatord/worker/kernels_cpu.h \
	mediatord/worker/kernels_ptx.c \
	mediatord/worker/mediator.c \
	mediatord/worker/mediator.h \
	mediatord/worker/memory_cpu.c \
	mediatord/worker/memory_cpu.h \
	mediatord/worker/memory_ledger.h \
	mediatord/worker/pending.c \
	mediatord/worker/pending.h \
	mediatord/worker/ring.c \
	mediatord/worker/ring.h \
	mediatord/worker/ring_map.c \
	mediatord/worker/ring_map.h \
	mediatord/worker/sandbox.c \
	mediatord/worker/sandbox.h \
	mediatord/worker/sandbox_root.c \
	mediatord/worker/sandbox_seccomp.c \
	mediatord/worker/sandbox_user.c \
	mediatord/worker/serve.c \
	mediatord/worker/serve.h \
	mediatord/worker/serve_idle.c \
	mediatord/worker/serve_private.h

# Its age stands for kernels.ptx's, since .incbin is no dependency that the compiler would tell.
BUILT_SOURCES += mediatord/worker/kernels_ptx.h
CLEANFILES += mediatord/worker/kernels_ptx.h
mediatord/worker/kernels_ptx.h: $(top_srcdir)/mediatord/worker/kernels.ptx
	$(AM_V_GEN)$(MKDIR_P) mediatord/worker && \
		echo '#define CUDA_BUILTIN_PTX "$(abs_top_srcdir)/mediatord/worker/kernels.ptx"' >$@

# The built-in kernels for GPUs. The PTX is in the tree: a host without the CUDA Toolkit needs it too.
EXTRA_DIST += mediatord/worker/kernels.cu mediatord/worker/kernels.ptx
.PHONY: regenerate-kernels
regenerate-kernels:
	NVCC='$(NVCC)' $(top_srcdir)/scripts/kernels-ptx $(top_srcdir)/mediatord/worker/kernels.cu \
		>kernels.ptx.tmp
	mv kernels.ptx.tmp $(top_srcdir)/mediatord/worker/kernels.ptx

nodist_mediatord_worker_libworker_la_SOURCES = mediatord/worker/kernels_ptx.h
# kernels_cpu.c: every operation rounds by itself.
mediatord_worker_libworker_la_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS) -ffp-contract=off
mediatord_worker_libworker_la_LIBADD = \
	mediatord/librequest.la \
	$(SECCOMP_LIBS) \
	-ldl

vgpu_worker_SOURCES = mediatord/worker/worker_main.c
vgpu_worker_LDADD = mediatord/worker/libworker.la
