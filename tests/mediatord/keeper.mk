# SPDX-License-Identifier: Apache-2.0
# The keeper as a process, and the mediator's side of it.
mediatord_keeper_tests = \
	tests/mediatord/test-keeper-spawn \
	tests/mediatord/test-keeper-restart \
	tests/mediatord/test-keeper-refusals \
	tests/mediatord/test-keeper-client \
	tests/mediatord/test-keeper-cgroup \
	tests/mediatord/test-keeper-hostile
if BUILD_TESTS
if BUILD_MEDIATORD
check_PROGRAMS += $(mediatord_keeper_tests) tests/mediatord/keeper-stand-in
TESTS += $(mediatord_keeper_tests)
check_LTLIBRARIES += tests/mediatord/libkeeperdriver.la
endif
endif
TESTS += tests/mediatord/units.sh
dist_check_SCRIPTS += tests/mediatord/units.sh

tests_mediatord_keeper_stand_in_SOURCES = tests/mediatord/keeper-stand-in.c

tests_mediatord_libkeeperdriver_la_SOURCES = \
	tests/mediatord/keeper-driver.c \
	tests/mediatord/keeper-driver.h
tests_mediatord_libkeeperdriver_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_libkeeperdriver_la_LIBADD = mediatord/libmediator.la $(CMOCKA_LIBS)

tests_mediatord_test_keeper_spawn_SOURCES = tests/mediatord/test-keeper-spawn.c
tests_mediatord_test_keeper_spawn_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_keeper_spawn_LDADD = tests/mediatord/libkeeperdriver.la

tests_mediatord_test_keeper_restart_SOURCES = tests/mediatord/test-keeper-restart.c
tests_mediatord_test_keeper_restart_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_keeper_restart_LDADD = tests/mediatord/libkeeperdriver.la

tests_mediatord_test_keeper_refusals_SOURCES = tests/mediatord/test-keeper-refusals.c
tests_mediatord_test_keeper_refusals_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_keeper_refusals_LDADD = tests/mediatord/libkeeperdriver.la

tests_mediatord_test_keeper_client_SOURCES = \
	tests/mediatord/keeper-mediator.c \
	tests/mediatord/keeper-mediator.h \
	tests/mediatord/test-keeper-client.c
tests_mediatord_test_keeper_client_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_keeper_client_LDADD = tests/mediatord/libkeeperdriver.la

tests_mediatord_test_keeper_cgroup_SOURCES = \
	tests/mediatord/keeper-mediator.c \
	tests/mediatord/keeper-mediator.h \
	tests/mediatord/test-keeper-cgroup.c
tests_mediatord_test_keeper_cgroup_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_keeper_cgroup_LDADD = tests/mediatord/libkeeperdriver.la

if FUZZING
if BUILD_MEDIATORD
noinst_PROGRAMS += tests/mediatord/fuzz-keeper
FUZZ_TARGETS += tests/mediatord/fuzz-keeper
endif
endif
tests_mediatord_fuzz_keeper_SOURCES = tests/mediatord/fuzz-keeper.c
tests_mediatord_fuzz_keeper_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_mediatord_fuzz_keeper_LDADD = mediatord/keeper/libkeeper.la

tests_mediatord_test_keeper_hostile_SOURCES = \
	tests/mediatord/keeper-mediator.c \
	tests/mediatord/keeper-mediator.h \
	tests/mediatord/test-keeper-hostile.c
tests_mediatord_test_keeper_hostile_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_keeper_hostile_LDADD = tests/mediatord/libkeeperdriver.la
