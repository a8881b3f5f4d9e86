# SPDX-License-Identifier: Apache-2.0

# Requests: validation and the making of responses.
mediatord_request_tests = \
	tests/mediatord/test-request-decoding \
	tests/mediatord/test-request-refusals
if BUILD_TESTS
check_PROGRAMS += $(mediatord_request_tests)
TESTS += $(mediatord_request_tests)
endif

tests_mediatord_test_request_decoding_SOURCES = \
	tests/mediatord/request-maker.h \
	tests/mediatord/test-request-decoding.c
tests_mediatord_test_request_decoding_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_request_decoding_LDADD = mediatord/librequest.la $(CMOCKA_LIBS)

tests_mediatord_test_request_refusals_SOURCES = \
	tests/mediatord/request-maker.h \
	tests/mediatord/test-request-refusals.c
tests_mediatord_test_request_refusals_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_request_refusals_LDADD = mediatord/librequest.la $(CMOCKA_LIBS)

if FUZZING
noinst_PROGRAMS += tests/mediatord/fuzz-request
FUZZ_TARGETS += tests/mediatord/fuzz-request
endif
tests_mediatord_fuzz_request_SOURCES = tests/mediatord/fuzz-request.c
tests_mediatord_fuzz_request_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_mediatord_fuzz_request_LDADD = mediatord/librequest.la
