# SPDX-License-Identifier: Apache-2.0
# vgpuctl: against a real mediator, against one that lies, and its parts.
ctl_tests = \
	tests/ctl/admin.sh \
	tests/ctl/completion-zsh.sh \
	tests/ctl/completion.sh \
	tests/ctl/day.sh \
	tests/ctl/doctor.sh \
	tests/ctl/doctor-install.sh \
	tests/ctl/events.sh \
	tests/ctl/help.sh \
	tests/ctl/hostile.sh \
	tests/ctl/profile.sh \
	tests/ctl/remote.sh \
	tests/ctl/top.sh \
	tests/ctl/usage.sh \
	tests/ctl/vm.sh
dist_check_SCRIPTS += $(ctl_tests)
EXTRA_DIST += tests/ctl/lib.bash

ctl_unit_tests = \
	tests/ctl/test-sse \
	tests/ctl/test-table \
	tests/ctl/test-top \
	tests/ctl/test-values
if BUILD_CTL
if BUILD_MEDIATORD
TESTS += $(ctl_tests)
endif
if BUILD_TESTS
check_PROGRAMS += $(ctl_unit_tests)
TESTS += $(ctl_unit_tests)
endif
endif

ctl_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
ctl_test_libs = mediatord/ctl/libctl.la $(CMOCKA_LIBS)

tests_ctl_test_sse_SOURCES = tests/ctl/test-sse.c
tests_ctl_test_sse_CFLAGS = $(ctl_test_cflags)
tests_ctl_test_sse_LDADD = $(ctl_test_libs)

tests_ctl_test_table_SOURCES = tests/ctl/test-table.c
tests_ctl_test_table_CFLAGS = $(ctl_test_cflags)
tests_ctl_test_table_LDADD = $(ctl_test_libs)

tests_ctl_test_top_SOURCES = tests/ctl/test-top.c
tests_ctl_test_top_CFLAGS = $(ctl_test_cflags)
tests_ctl_test_top_LDADD = $(ctl_test_libs)

tests_ctl_test_values_SOURCES = tests/ctl/test-values.c
tests_ctl_test_values_CFLAGS = $(ctl_test_cflags)
tests_ctl_test_values_LDADD = $(ctl_test_libs)

if FUZZING
if BUILD_CTL
noinst_PROGRAMS += tests/ctl/fuzz-answer tests/ctl/fuzz-sse
FUZZ_TARGETS += tests/ctl/fuzz-answer tests/ctl/fuzz-sse
endif
endif
tests_ctl_fuzz_answer_SOURCES = tests/ctl/fuzz-answer.c
tests_ctl_fuzz_answer_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_ctl_fuzz_answer_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_ctl_fuzz_answer_LDADD = mediatord/ctl/libctl.la
tests_ctl_fuzz_sse_SOURCES = tests/ctl/fuzz-sse.c
tests_ctl_fuzz_sse_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_ctl_fuzz_sse_LDADD = mediatord/ctl/libctl.la
