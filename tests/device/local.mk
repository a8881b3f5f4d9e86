# SPDX-License-Identifier: Apache-2.0
if BUILD_TESTS
device_tests = \
	tests/device/test-channels \
	tests/device/test-channels-hostile \
	tests/device/test-channels-reset \
	tests/device/test-channels-resume \
	tests/device/test-channels-resume-hostile \
	tests/device/test-creation \
	tests/device/test-hostile-mediator \
	tests/device/test-link \
	tests/device/test-mailbox \
	tests/device/test-registers \
	tests/device/test-reset
check_LTLIBRARIES += tests/device/libfixture.la
check_PROGRAMS += $(device_tests)
TESTS += $(device_tests)
endif

tests_device_libfixture_la_SOURCES = \
	tests/device/fixture.c \
	tests/device/fixture.h
tests_device_libfixture_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_libfixture_la_LIBADD = device/libdevice.la common/libcommon.la $(CMOCKA_LIBS)

tests_device_test_channels_SOURCES = tests/device/test-channels.c
tests_device_test_channels_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_test_channels_LDADD = tests/device/libfixture.la

tests_device_test_channels_hostile_SOURCES = tests/device/test-channels-hostile.c
tests_device_test_channels_hostile_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_test_channels_hostile_LDADD = tests/device/libfixture.la

tests_device_test_channels_reset_SOURCES = tests/device/test-channels-reset.c
tests_device_test_channels_reset_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_test_channels_reset_LDADD = tests/device/libfixture.la

tests_device_test_channels_resume_SOURCES = tests/device/test-channels-resume.c
tests_device_test_channels_resume_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_test_channels_resume_LDADD = tests/device/libfixture.la

tests_device_test_channels_resume_hostile_SOURCES = tests/device/test-channels-resume-hostile.c
tests_device_test_channels_resume_hostile_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_test_channels_resume_hostile_LDADD = tests/device/libfixture.la

tests_device_test_creation_SOURCES = tests/device/test-creation.c
tests_device_test_creation_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_test_creation_LDADD = tests/device/libfixture.la

tests_device_test_hostile_mediator_SOURCES = tests/device/test-hostile-mediator.c
tests_device_test_hostile_mediator_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_test_hostile_mediator_LDADD = tests/device/libfixture.la

tests_device_test_link_SOURCES = tests/device/test-link.c
tests_device_test_link_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_test_link_LDADD = tests/device/libfixture.la

tests_device_test_mailbox_SOURCES = tests/device/test-mailbox.c
tests_device_test_mailbox_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_test_mailbox_LDADD = tests/device/libfixture.la

tests_device_test_registers_SOURCES = tests/device/test-registers.c
tests_device_test_registers_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_test_registers_LDADD = tests/device/libfixture.la

tests_device_test_reset_SOURCES = tests/device/test-reset.c
tests_device_test_reset_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_test_reset_LDADD = tests/device/libfixture.la

if FUZZING
if BUILD_TESTS
device_fuzz_targets = \
	tests/device/fuzz-link \
	tests/device/fuzz-registers
noinst_PROGRAMS += $(device_fuzz_targets)
FUZZ_TARGETS += $(device_fuzz_targets)
endif
endif

tests_device_fuzz_link_SOURCES = tests/device/fuzz-link.c
tests_device_fuzz_link_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_fuzz_link_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_device_fuzz_link_LDADD = tests/device/libfixture.la

tests_device_fuzz_registers_SOURCES = tests/device/fuzz-registers.c
tests_device_fuzz_registers_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_fuzz_registers_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_device_fuzz_registers_LDADD = tests/device/libfixture.la
