# SPDX-License-Identifier: Apache-2.0
# The worker: the program itself, driven over its socket as the mediator does.
mediatord_worker_tests = \
	tests/mediatord/test-worker-errors \
	tests/mediatord/test-worker-memory \
	tests/mediatord/test-worker-operations \
	tests/mediatord/test-worker-protocol \
	tests/mediatord/test-worker-proc \
	tests/mediatord/test-worker-quota \
	tests/mediatord/test-worker-sandbox \
	tests/mediatord/test-worker-user
if BUILD_TESTS
if BUILD_MEDIATORD
check_PROGRAMS += $(mediatord_worker_tests)
TESTS += $(mediatord_worker_tests)
check_LTLIBRARIES += tests/mediatord/libworkerdriver.la
endif
endif

tests_mediatord_libworkerdriver_la_SOURCES = \
	tests/mediatord/request-maker.h \
	tests/mediatord/worker-driver.c \
	tests/mediatord/worker-driver.h
tests_mediatord_libworkerdriver_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_libworkerdriver_la_LIBADD = $(CMOCKA_LIBS)

tests_mediatord_test_worker_operations_SOURCES = tests/mediatord/test-worker-operations.c
tests_mediatord_test_worker_operations_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_operations_LDADD = tests/mediatord/libworkerdriver.la $(CMOCKA_LIBS)

tests_mediatord_test_worker_errors_SOURCES = tests/mediatord/test-worker-errors.c
tests_mediatord_test_worker_errors_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_errors_LDADD = tests/mediatord/libworkerdriver.la $(CMOCKA_LIBS)

tests_mediatord_test_worker_protocol_SOURCES = tests/mediatord/test-worker-protocol.c
tests_mediatord_test_worker_protocol_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_protocol_LDADD = tests/mediatord/libworkerdriver.la common/libcommon.la $(CMOCKA_LIBS)

tests_mediatord_test_worker_quota_SOURCES = tests/mediatord/test-worker-quota.c
tests_mediatord_test_worker_quota_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_quota_LDADD = tests/mediatord/libworkerdriver.la $(CMOCKA_LIBS)

tests_mediatord_test_worker_proc_SOURCES = tests/mediatord/test-worker-proc.c
tests_mediatord_test_worker_proc_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_proc_LDADD = tests/mediatord/libworkerdriver.la mediatord/worker/libworker.la $(CMOCKA_LIBS)

tests_mediatord_test_worker_sandbox_SOURCES = tests/mediatord/test-worker-sandbox.c
tests_mediatord_test_worker_sandbox_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_sandbox_LDADD = tests/mediatord/libworkerdriver.la mediatord/worker/libworker.la $(CMOCKA_LIBS)

tests_mediatord_test_worker_user_SOURCES = tests/mediatord/test-worker-user.c
tests_mediatord_test_worker_user_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_user_LDADD = mediatord/worker/libworker.la $(CMOCKA_LIBS)

tests_mediatord_test_worker_memory_SOURCES = tests/mediatord/test-worker-memory.c
tests_mediatord_test_worker_memory_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_memory_LDADD = mediatord/worker/libworker.la $(CMOCKA_LIBS)

# The cuda backend on a double of the driver's library.
mediatord_cuda_tests = \
	tests/mediatord/test-cuda-backend \
	tests/mediatord/test-cuda-failures \
	tests/mediatord/test-cuda-image \
	tests/mediatord/test-worker-cuda
if BUILD_TESTS
if BUILD_MEDIATORD
check_PROGRAMS += $(mediatord_cuda_tests)
TESTS += $(mediatord_cuda_tests)
check_LTLIBRARIES += tests/mediatord/libcuda.la tests/mediatord/libcudafixture.la
endif
endif
TESTS += tests/mediatord/check-cuda-api.sh
dist_check_SCRIPTS += tests/mediatord/check-cuda-api.sh
if BUILD_TESTS
if BUILD_MEDIATORD
check_PROGRAMS += tests/mediatord/show-cuda-image
TESTS += tests/mediatord/cuda-image-nvcc.sh
endif
endif
dist_check_SCRIPTS += tests/mediatord/cuda-image-nvcc.sh
EXTRA_DIST += tests/mediatord/check-cuda-api.c

tests_mediatord_test_worker_cuda_SOURCES = tests/mediatord/test-worker-cuda.c
tests_mediatord_test_worker_cuda_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_cuda_LDADD = tests/mediatord/libchanneldriver.la

# -rpath makes a shared library of one that is not installed.
tests_mediatord_libcuda_la_SOURCES = \
	tests/mediatord/libcuda-double.c \
	tests/mediatord/libcuda-double.h \
	tests/mediatord/libcuda-double-private.h \
	tests/mediatord/libcuda-double-work.c
tests_mediatord_libcuda_la_LDFLAGS = $(AM_LDFLAGS) -shared -version-info 1 -rpath /nonexistent

tests_mediatord_libcudafixture_la_SOURCES = \
	tests/mediatord/cuda-fixture.c \
	tests/mediatord/cuda-fixture.h
tests_mediatord_libcudafixture_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_libcudafixture_la_LIBADD = mediatord/worker/libworker.la $(CMOCKA_LIBS) -ldl

tests_mediatord_test_cuda_backend_SOURCES = tests/mediatord/test-cuda-backend.c
tests_mediatord_test_cuda_backend_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_cuda_backend_LDADD = tests/mediatord/libcudafixture.la

tests_mediatord_test_cuda_failures_SOURCES = tests/mediatord/test-cuda-failures.c
tests_mediatord_test_cuda_failures_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_cuda_failures_LDADD = tests/mediatord/libcudafixture.la

tests_mediatord_test_cuda_image_SOURCES = tests/mediatord/test-cuda-image.c
tests_mediatord_test_cuda_image_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_cuda_image_LDADD = mediatord/worker/libworker.la $(CMOCKA_LIBS)

tests_mediatord_show_cuda_image_SOURCES = tests/mediatord/show-cuda-image.c
tests_mediatord_show_cuda_image_LDADD = mediatord/worker/libworker.la

if FUZZING
if BUILD_MEDIATORD
noinst_PROGRAMS += tests/mediatord/fuzz-cuda-image tests/mediatord/fuzz-execute
FUZZ_TARGETS += tests/mediatord/fuzz-cuda-image tests/mediatord/fuzz-execute
endif
endif
tests_mediatord_fuzz_cuda_image_SOURCES = tests/mediatord/fuzz-cuda-image.c
tests_mediatord_fuzz_cuda_image_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_mediatord_fuzz_cuda_image_LDADD = mediatord/worker/libworker.la

tests_mediatord_fuzz_execute_SOURCES = \
	tests/mediatord/fuzz-execute.c \
	tests/mediatord/fuzz-input.h \
	tests/mediatord/request-maker.h
tests_mediatord_fuzz_execute_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_mediatord_fuzz_execute_LDADD = mediatord/worker/libworker.la
