# SPDX-License-Identifier: Apache-2.0
# Channels: a real worker whose mediator and guest are the test, and its parts alone.
mediatord_channel_tests = \
	tests/mediatord/test-channel-context \
	tests/mediatord/test-channel-errors \
	tests/mediatord/test-channel-grant \
	tests/mediatord/test-channel-grant-gpu \
	tests/mediatord/test-channel-index \
	tests/mediatord/test-channel-operations \
	tests/mediatord/test-channel-order \
	tests/mediatord/test-channel-refusals \
	tests/mediatord/test-channel-ring \
	tests/mediatord/test-channel-sleep \
	tests/mediatord/test-channel-start \
	tests/mediatord/test-inflight \
	tests/mediatord/test-worker-adopt
if BUILD_TESTS
check_PROGRAMS += tests/mediatord/test-histogram
TESTS += tests/mediatord/test-histogram
if BUILD_MEDIATORD
check_PROGRAMS += $(mediatord_channel_tests)
TESTS += $(mediatord_channel_tests)
check_LTLIBRARIES += tests/mediatord/libchanneldriver.la
endif
endif

tests_mediatord_test_histogram_SOURCES = \
	mediatord/histogram.h \
	tests/mediatord/test-histogram.c
tests_mediatord_test_histogram_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_histogram_LDADD = $(CMOCKA_LIBS)

tests_mediatord_libchanneldriver_la_SOURCES = \
	tests/mediatord/channel-driver.c \
	tests/mediatord/channel-driver.h \
	tests/mediatord/guest-ring.h
tests_mediatord_libchanneldriver_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_libchanneldriver_la_LIBADD = \
	tests/mediatord/libworkerdriver.la \
	common/libcommon.la \
	$(CMOCKA_LIBS) \
	-lpthread

tests_mediatord_test_channel_context_SOURCES = tests/mediatord/test-channel-context.c
tests_mediatord_test_channel_context_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_channel_context_LDADD = \
	mediatord/worker/libworker.la \
	tests/mediatord/libchanneldriver.la

tests_mediatord_test_channel_errors_SOURCES = tests/mediatord/test-channel-errors.c
tests_mediatord_test_channel_errors_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_channel_errors_LDADD = tests/mediatord/libchanneldriver.la

tests_mediatord_test_channel_operations_SOURCES = tests/mediatord/test-channel-operations.c
tests_mediatord_test_channel_operations_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_channel_operations_LDADD = tests/mediatord/libchanneldriver.la

tests_mediatord_test_channel_refusals_SOURCES = tests/mediatord/test-channel-refusals.c
tests_mediatord_test_channel_refusals_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_channel_refusals_LDADD = tests/mediatord/libchanneldriver.la

tests_mediatord_test_channel_ring_SOURCES = tests/mediatord/test-channel-ring.c
tests_mediatord_test_channel_ring_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_channel_ring_LDADD = tests/mediatord/libchanneldriver.la

tests_mediatord_test_channel_sleep_SOURCES = tests/mediatord/test-channel-sleep.c
tests_mediatord_test_channel_sleep_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_channel_sleep_LDADD = tests/mediatord/libchanneldriver.la

tests_mediatord_test_channel_start_SOURCES = tests/mediatord/test-channel-start.c
tests_mediatord_test_channel_start_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_channel_start_LDADD = tests/mediatord/libchanneldriver.la

tests_mediatord_test_worker_adopt_SOURCES = tests/mediatord/test-worker-adopt.c
tests_mediatord_test_worker_adopt_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_adopt_LDADD = tests/mediatord/libchanneldriver.la

tests_mediatord_test_channel_index_SOURCES = \
	tests/mediatord/guest-ring.h \
	tests/mediatord/test-channel-index.c
tests_mediatord_test_channel_index_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_channel_index_LDADD = mediatord/worker/libworker.la $(CMOCKA_LIBS) -lpthread

tests_mediatord_test_channel_order_SOURCES = \
	tests/mediatord/guest-ring.h \
	tests/mediatord/served-channel.c \
	tests/mediatord/served-channel.h \
	tests/mediatord/test-channel-order.c
tests_mediatord_test_channel_order_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_channel_order_LDADD = mediatord/worker/libworker.la $(CMOCKA_LIBS) -lpthread

tests_mediatord_test_channel_grant_SOURCES = tests/mediatord/test-channel-grant.c
tests_mediatord_test_channel_grant_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_channel_grant_LDADD = tests/mediatord/libchanneldriver.la

tests_mediatord_test_channel_grant_gpu_SOURCES = \
	tests/mediatord/guest-ring.h \
	tests/mediatord/served-channel.c \
	tests/mediatord/served-channel.h \
	tests/mediatord/test-channel-grant-gpu.c
tests_mediatord_test_channel_grant_gpu_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_channel_grant_gpu_LDADD = tests/mediatord/libcudafixture.la -lpthread

tests_mediatord_test_inflight_SOURCES = tests/mediatord/test-inflight.c
tests_mediatord_test_inflight_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_inflight_LDADD = mediatord/worker/libworker.la $(CMOCKA_LIBS)

if FUZZING
if BUILD_MEDIATORD
noinst_PROGRAMS += tests/mediatord/fuzz-channel
FUZZ_TARGETS += tests/mediatord/fuzz-channel
endif
endif
tests_mediatord_fuzz_channel_SOURCES = \
	tests/mediatord/fuzz-channel.c \
	tests/mediatord/fuzz-input.h
tests_mediatord_fuzz_channel_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_mediatord_fuzz_channel_LDADD = mediatord/worker/libworker.la
