# SPDX-License-Identifier: Apache-2.0
# The host's GPUs: what the driver says of them, and what pools promise of their memory.
mediatord_gpu_tests = \
	tests/mediatord/test-gpus \
	tests/mediatord/test-pools
if BUILD_TESTS
if BUILD_MEDIATORD
check_PROGRAMS += $(mediatord_gpu_tests)
TESTS += $(mediatord_gpu_tests) tests/mediatord/gpu-lost.sh tests/mediatord/gpuinfo-usage.sh
check_LTLIBRARIES += tests/mediatord/libnvidia-ml.la
endif
endif

dist_check_SCRIPTS += tests/mediatord/gpu-lost.sh tests/mediatord/gpuinfo-usage.sh

tests_mediatord_test_gpus_SOURCES = tests/mediatord/test-gpus.c
tests_mediatord_test_gpus_CFLAGS = $(plane_test_cflags)
tests_mediatord_test_gpus_LDADD = $(plane_test_libs)

tests_mediatord_test_pools_SOURCES = tests/mediatord/test-pools.c
tests_mediatord_test_pools_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_pools_LDADD = mediatord/libmediator.la $(CMOCKA_LIBS)

tests_mediatord_libnvidia_ml_la_SOURCES = tests/mediatord/libnvidia-ml-double.c
tests_mediatord_libnvidia_ml_la_LDFLAGS = $(AM_LDFLAGS) -shared -version-info 1 -rpath /nonexistent

if FUZZING
noinst_PROGRAMS += tests/mediatord/fuzz-gpu-report
FUZZ_TARGETS += tests/mediatord/fuzz-gpu-report
endif
tests_mediatord_fuzz_gpu_report_SOURCES = tests/mediatord/fuzz-gpu-report.c
tests_mediatord_fuzz_gpu_report_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_mediatord_fuzz_gpu_report_LDADD = mediatord/libplane.la $(JANSSON_LIBS)
