# SPDX-License-Identifier: Apache-2.0
if BUILD_TESTS
check_LTLIBRARIES += tests/device/libfixture.la
check_PROGRAMS += tests/device/test-mailbox
TESTS += tests/device/test-mailbox
endif

tests_device_libfixture_la_SOURCES = \
	tests/device/fixture.c \
	tests/device/fixture.h
tests_device_libfixture_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_libfixture_la_LIBADD = device/libdevice.la $(CMOCKA_LIBS)

tests_device_test_mailbox_SOURCES = tests/device/test-mailbox.c
tests_device_test_mailbox_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_device_test_mailbox_LDADD = tests/device/libfixture.la
