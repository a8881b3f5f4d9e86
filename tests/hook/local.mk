# SPDX-License-Identifier: Apache-2.0
hook_tests = \
	tests/hook/bad-input.sh \
	tests/hook/mediator.sh \
	tests/hook/unreachable.sh
EXTRA_DIST += $(hook_tests) tests/hook/lib.sh

if BUILD_HOOK
TESTS += $(hook_tests)
if BUILD_TESTS
check_PROGRAMS += tests/hook/test-decisions tests/hook/test-hook-config
TESTS += tests/hook/test-decisions tests/hook/test-hook-config
endif
if FUZZING
noinst_PROGRAMS += tests/hook/fuzz-hook
FUZZ_TARGETS += tests/hook/fuzz-hook
endif
endif

tests_hook_test_decisions_SOURCES = tests/hook/test-decisions.c
tests_hook_test_decisions_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_hook_test_decisions_LDADD = hook/libhook.la xml/libvgpuxml.la common/libcommon.la $(CMOCKA_LIBS)

tests_hook_test_hook_config_SOURCES = tests/hook/test-hook-config.c
tests_hook_test_hook_config_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_hook_test_hook_config_LDADD = hook/libhook.la common/libcommon.la $(CMOCKA_LIBS)

tests_hook_fuzz_hook_SOURCES = tests/hook/fuzz-hook.c
tests_hook_fuzz_hook_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_hook_fuzz_hook_LDADD = hook/libhook.la xml/libvgpuxml.la common/libcommon.la
