# SPDX-License-Identifier: Apache-2.0
hook_tests = \
	tests/hook/bad-input.sh \
	tests/hook/mediator.sh \
	tests/hook/unreachable.sh
EXTRA_DIST += $(hook_tests) tests/hook/lib.sh

if BUILD_HOOK
TESTS += $(hook_tests)
if BUILD_TESTS
hook_unit_tests = \
	tests/hook/test-decisions \
	tests/hook/test-hook-config \
	tests/hook/test-reconcile
check_PROGRAMS += $(hook_unit_tests)
TESTS += $(hook_unit_tests)
endif
if FUZZING
noinst_PROGRAMS += tests/hook/fuzz-hook tests/hook/fuzz-reconcile
FUZZ_TARGETS += tests/hook/fuzz-hook tests/hook/fuzz-reconcile
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

tests_hook_test_reconcile_SOURCES = tests/hook/test-reconcile.c
tests_hook_test_reconcile_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_hook_test_reconcile_LDADD = hook/libreconcile.la $(CMOCKA_LIBS)

tests_hook_fuzz_reconcile_SOURCES = tests/hook/fuzz-reconcile.c
tests_hook_fuzz_reconcile_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_hook_fuzz_reconcile_LDADD = hook/libreconcile.la
