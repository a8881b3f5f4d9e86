# SPDX-License-Identifier: Apache-2.0
cloudstack_tests = \
	tests/cloudstack/configuration.sh \
	tests/cloudstack/offerings.sh \
	tests/cloudstack/service.sh \
	tests/cloudstack/signing.sh \
	tests/cloudstack/sync.sh
dist_check_SCRIPTS += $(cloudstack_tests)
dist_check_DATA += tests/cloudstack/lib.bash tests/cloudstack/management_server.py

if BUILD_CLOUDSTACK
check_PROGRAMS += tests/cloudstack/sign-form
TESTS += $(cloudstack_tests)
endif

if BUILD_CLOUDSTACK
if FUZZING
noinst_PROGRAMS += tests/cloudstack/fuzz-answer
FUZZ_TARGETS += tests/cloudstack/fuzz-answer
endif
endif
tests_cloudstack_fuzz_answer_SOURCES = tests/cloudstack/fuzz-answer.c
tests_cloudstack_fuzz_answer_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_cloudstack_fuzz_answer_LDADD = cloudstack-plugin/libcloudstack.la

tests_cloudstack_sign_form_SOURCES = tests/cloudstack/sign-form.c
tests_cloudstack_sign_form_LDADD = cloudstack-plugin/libcloudstack.la
