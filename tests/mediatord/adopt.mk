# SPDX-License-Identifier: Apache-2.0
# Workers that outlive a mediator, and the next one that goes on with them.
mediatord_adopt_tests = \
	tests/mediatord/test-adopt-serve
if BUILD_TESTS
if BUILD_MEDIATORD
check_PROGRAMS += $(mediatord_adopt_tests)
TESTS += $(mediatord_adopt_tests)
check_LTLIBRARIES += tests/mediatord/libadoptdriver.la
endif
endif

tests_mediatord_libadoptdriver_la_SOURCES = \
	tests/mediatord/adopt-driver.c \
	tests/mediatord/adopt-driver.h \
	tests/mediatord/guest-ring.h
tests_mediatord_libadoptdriver_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_libadoptdriver_la_LIBADD = tests/mediatord/libloopharness.la

tests_mediatord_test_adopt_serve_SOURCES = tests/mediatord/test-adopt-serve.c
tests_mediatord_test_adopt_serve_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_adopt_serve_LDADD = tests/mediatord/libadoptdriver.la
