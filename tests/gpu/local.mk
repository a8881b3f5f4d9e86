# SPDX-License-Identifier: Apache-2.0
# For a host with an NVIDIA GPU: tests/gpu/run, and with guests tests/gpu/guest; with several GPUs
# tests/gpu/several. Built by `make check` everywhere; only the last is run there, on software GPUs.
if BUILD_TESTS
if BUILD_MEDIATORD
check_PROGRAMS += tests/gpu/backend-check tests/gpu/worker-check
endif
check_PROGRAMS += tests/gpu/tenant
endif
dist_check_SCRIPTS += \
	tests/gpu/all \
	tests/gpu/guest \
	tests/gpu/pack \
	tests/gpu/run \
	tests/gpu/several \
	tests/gpu/several-software.sh
TESTS += tests/gpu/several-software.sh
EXTRA_DIST += \
	tests/host.py \
	tests/gpu/guest.cu \
	tests/gpu/hostile.py \
	tests/gpu/stack.py \
	tests/gpu/tenant.cu

tests_gpu_backend_check_SOURCES = \
	tests/gpu/backend-check.c \
	tests/gpu/backend-check.h \
	tests/gpu/backend-measure.c \
	tests/gpu/check.h
tests_gpu_backend_check_LDADD = mediatord/worker/libworker.la -ldl
# A product and a sum round each by itself, as the kernels' do.
tests_gpu_backend_check_CFLAGS = $(AM_CFLAGS) -ffp-contract=off

tests_gpu_tenant_SOURCES = tests/gpu/tenant.c
tests_gpu_tenant_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/guest-agent
# With the library in it: it is put into a guest alone.
tests_gpu_tenant_LDADD = guest-agent/libvgpu-core.la common/libcommon.la

tests_gpu_worker_check_SOURCES = \
	tests/gpu/check.h \
	tests/gpu/worker-check.c
tests_gpu_worker_check_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_gpu_worker_check_LDADD = tests/mediatord/libchanneldriver.la -ldl
