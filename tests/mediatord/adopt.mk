# SPDX-License-Identifier: Apache-2.0
# Workers that outlive a mediator, and the next one that goes on with them.
mediatord_adopt_tests = \
	tests/mediatord/test-adopt-quota \
	tests/mediatord/test-adopt-refuse \
	tests/mediatord/test-adopt-resume \
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

tests_mediatord_test_adopt_resume_SOURCES = tests/mediatord/test-adopt-resume.c
tests_mediatord_test_adopt_resume_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_adopt_resume_LDADD = tests/mediatord/libadoptdriver.la

tests_mediatord_test_adopt_quota_SOURCES = tests/mediatord/test-adopt-quota.c
tests_mediatord_test_adopt_quota_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_adopt_quota_LDADD = tests/mediatord/libadoptdriver.la

tests_mediatord_test_adopt_refuse_SOURCES = tests/mediatord/test-adopt-refuse.c
tests_mediatord_test_adopt_refuse_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_adopt_refuse_LDADD = tests/mediatord/libadoptdriver.la
