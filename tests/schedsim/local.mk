# SPDX-License-Identifier: Apache-2.0
# The scheduler's simulator, and tests over it.
noinst_LTLIBRARIES += tests/schedsim/libschedsim.la
tests_schedsim_libschedsim_la_SOURCES = \
	tests/schedsim/sim_internal.h \
	tests/schedsim/sim_worker.c \
	tests/schedsim/simulate.c \
	tests/schedsim/simulate.h \
	tests/schedsim/workload.c \
	tests/schedsim/workload.h
tests_schedsim_libschedsim_la_LIBADD = mediatord/libsched.la common/libcommon.la -lm

noinst_PROGRAMS += tests/schedsim/vgpu-schedsim
tests_schedsim_vgpu_schedsim_SOURCES = \
	tests/schedsim/bench.c \
	tests/schedsim/bench.h \
	tests/schedsim/report.c \
	tests/schedsim/report.h \
	tests/schedsim/vgpu-schedsim.c
tests_schedsim_vgpu_schedsim_LDADD = tests/schedsim/libschedsim.la

EXTRA_DIST += \
	tests/schedsim/workloads/changes.txt \
	tests/schedsim/workloads/contention.txt \
	tests/schedsim/workloads/hostile.txt \
	tests/schedsim/workloads/shares.txt \
	tests/schedsim/workloads/weights.txt

schedsim_tests = \
	tests/schedsim/test-sim-changes \
	tests/schedsim/test-sim-order \
	tests/schedsim/test-sim-random \
	tests/schedsim/test-sim-shares \
	tests/schedsim/test-workload
if BUILD_TESTS
check_PROGRAMS += $(schedsim_tests)
TESTS += $(schedsim_tests)
endif
dist_check_SCRIPTS += tests/schedsim/schedsim-options.sh
TESTS += tests/schedsim/schedsim-options.sh

tests_schedsim_test_sim_changes_SOURCES = \
	tests/schedsim/sim-check.h \
	tests/schedsim/test-sim-changes.c
tests_schedsim_test_sim_changes_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_schedsim_test_sim_changes_LDADD = tests/schedsim/libschedsim.la $(CMOCKA_LIBS)

tests_schedsim_test_sim_order_SOURCES = \
	tests/schedsim/sim-check.h \
	tests/schedsim/test-sim-order.c
tests_schedsim_test_sim_order_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_schedsim_test_sim_order_LDADD = tests/schedsim/libschedsim.la $(CMOCKA_LIBS)

tests_schedsim_test_sim_random_SOURCES = \
	tests/schedsim/sim-check.h \
	tests/schedsim/test-sim-random.c
tests_schedsim_test_sim_random_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_schedsim_test_sim_random_LDADD = tests/schedsim/libschedsim.la $(CMOCKA_LIBS)

tests_schedsim_test_sim_shares_SOURCES = \
	tests/schedsim/sim-check.h \
	tests/schedsim/test-sim-shares.c
tests_schedsim_test_sim_shares_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_schedsim_test_sim_shares_LDADD = tests/schedsim/libschedsim.la $(CMOCKA_LIBS)

tests_schedsim_test_workload_SOURCES = tests/schedsim/test-workload.c
tests_schedsim_test_workload_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_schedsim_test_workload_LDADD = tests/schedsim/libschedsim.la $(CMOCKA_LIBS)

if FUZZING
noinst_PROGRAMS += tests/schedsim/fuzz-workload
FUZZ_TARGETS += tests/schedsim/fuzz-workload
endif
tests_schedsim_fuzz_workload_SOURCES = tests/schedsim/fuzz-workload.c
tests_schedsim_fuzz_workload_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_schedsim_fuzz_workload_LDADD = tests/schedsim/libschedsim.la
