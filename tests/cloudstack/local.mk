# SPDX-License-Identifier: Apache-2.0
cloudstack_tests = \
	tests/cloudstack/chain.sh \
	tests/cloudstack/configuration.sh \
	tests/cloudstack/discover.sh \
	tests/cloudstack/documents.sh \
	tests/cloudstack/groovy.sh \
	tests/cloudstack/half-answers.sh \
	tests/cloudstack/offerings.sh \
	tests/cloudstack/service-reload.sh \
	tests/cloudstack/service.sh \
	tests/cloudstack/signing.sh \
	tests/cloudstack/sync.sh \
	tests/cloudstack/transform.sh \
	tests/cloudstack/webhook-hostile.sh
dist_check_SCRIPTS += $(cloudstack_tests)
dist_check_DATA += tests/cloudstack/agent.bash tests/cloudstack/cmk.py tests/cloudstack/lib.bash tests/cloudstack/management_server.py

if BUILD_CLOUDSTACK
check_PROGRAMS += tests/cloudstack/sign-form
TESTS += $(cloudstack_tests)
if BUILD_TESTS
check_PROGRAMS += tests/cloudstack/test-plan
TESTS += tests/cloudstack/test-plan
endif
endif

if BUILD_CLOUDSTACK
if FUZZING
noinst_PROGRAMS += tests/cloudstack/fuzz-answer tests/cloudstack/fuzz-merge
FUZZ_TARGETS += tests/cloudstack/fuzz-answer tests/cloudstack/fuzz-merge
endif
endif
tests_cloudstack_fuzz_answer_SOURCES = tests/cloudstack/fuzz-answer.c
tests_cloudstack_fuzz_answer_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_cloudstack_fuzz_answer_LDADD = cloudstack-plugin/libcloudstack.la

tests_cloudstack_test_plan_SOURCES = tests/cloudstack/test-plan.c
tests_cloudstack_test_plan_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_cloudstack_test_plan_LDADD = cloudstack-plugin/libcloudstack.la $(CMOCKA_LIBS)

tests_cloudstack_sign_form_SOURCES = tests/cloudstack/sign-form.c
tests_cloudstack_sign_form_LDADD = cloudstack-plugin/libcloudstack.la

tests_cloudstack_fuzz_merge_SOURCES = tests/cloudstack/fuzz-merge.c
tests_cloudstack_fuzz_merge_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_cloudstack_fuzz_merge_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_cloudstack_fuzz_merge_LDADD = cloudstack-plugin/libcloudstack.la
