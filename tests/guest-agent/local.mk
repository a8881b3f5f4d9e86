# SPDX-License-Identifier: Apache-2.0
guest_agent_tests = \
	tests/guest-agent/test-daemon \
	tests/guest-agent/test-json \
	tests/guest-agent/test-mailbox-client \
	tests/guest-agent/test-number \
	tests/guest-agent/test-pci \
	tests/guest-agent/test-percentile \
	tests/guest-agent/test-ring \
	tests/guest-agent/test-run-argument \
	tests/guest-agent/test-vector \
	tests/guest-agent/test-watch \
	tests/guest-agent/test-window
if BUILD_TESTS
check_PROGRAMS += $(guest_agent_tests)
TESTS += $(guest_agent_tests)
endif

guest_agent_agent_test_libs = guest-agent/libagent.la common/libcommon.la $(CMOCKA_LIBS) -lm
guest_agent_lib_test_libs = \
	guest-agent/libvgpu-core.la device/libdevice.la common/libcommon.la $(CMOCKA_LIBS)

tests_guest_agent_test_daemon_SOURCES = tests/guest-agent/test-daemon.c
tests_guest_agent_test_daemon_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_guest_agent_test_daemon_LDADD = guest-agent/libagent.la $(guest_agent_lib_test_libs)

tests_guest_agent_test_json_SOURCES = tests/guest-agent/test-json.c
tests_guest_agent_test_json_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_guest_agent_test_json_LDADD = $(guest_agent_agent_test_libs)

tests_guest_agent_test_mailbox_client_SOURCES = tests/guest-agent/test-mailbox-client.c
tests_guest_agent_test_mailbox_client_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_guest_agent_test_mailbox_client_LDADD = $(guest_agent_lib_test_libs)

tests_guest_agent_test_number_SOURCES = tests/guest-agent/test-number.c
tests_guest_agent_test_number_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_guest_agent_test_number_LDADD = $(guest_agent_agent_test_libs)

tests_guest_agent_test_pci_SOURCES = tests/guest-agent/test-pci.c
tests_guest_agent_test_pci_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_guest_agent_test_pci_LDADD = $(guest_agent_lib_test_libs)

tests_guest_agent_test_percentile_SOURCES = tests/guest-agent/test-percentile.c
tests_guest_agent_test_percentile_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_guest_agent_test_percentile_LDADD = $(guest_agent_agent_test_libs)

tests_guest_agent_test_vector_SOURCES = tests/guest-agent/test-vector.c
tests_guest_agent_test_vector_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_guest_agent_test_vector_LDADD = $(guest_agent_agent_test_libs)

tests_guest_agent_test_watch_SOURCES = tests/guest-agent/test-watch.c
tests_guest_agent_test_watch_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_guest_agent_test_watch_LDADD = $(guest_agent_agent_test_libs)

tests_guest_agent_test_ring_SOURCES = tests/guest-agent/test-ring.c
tests_guest_agent_test_ring_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_guest_agent_test_ring_LDADD = $(guest_agent_lib_test_libs)

tests_guest_agent_test_run_argument_SOURCES = tests/guest-agent/test-run-argument.c
tests_guest_agent_test_run_argument_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_guest_agent_test_run_argument_LDADD = $(guest_agent_agent_test_libs)

tests_guest_agent_test_window_SOURCES = tests/guest-agent/test-window.c
tests_guest_agent_test_window_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_guest_agent_test_window_LDADD = $(guest_agent_lib_test_libs)

# Starts vgpu-worker.
if BUILD_TESTS
if BUILD_MEDIATORD
check_PROGRAMS += tests/guest-agent/test-channel-pci
TESTS += tests/guest-agent/test-channel-pci
endif
endif
tests_guest_agent_test_channel_pci_SOURCES = \
	tests/guest-agent/channel-checks.c \
	tests/guest-agent/channel-checks.h \
	tests/guest-agent/pci-stand-in.c \
	tests/guest-agent/pci-stand-in.h \
	tests/guest-agent/test-channel-pci.c
tests_guest_agent_test_channel_pci_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/guest-agent
tests_guest_agent_test_channel_pci_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_guest_agent_test_channel_pci_LDADD = $(guest_agent_lib_test_libs) -lpthread

check_PROGRAMS += tests/guest-agent/channel-client
tests_guest_agent_channel_client_SOURCES = \
	tests/guest-agent/channel-checks.c \
	tests/guest-agent/channel-checks.h \
	tests/guest-agent/channel-client.c
tests_guest_agent_channel_client_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/guest-agent
tests_guest_agent_channel_client_LDADD = guest-agent/libvgpu.la -lpthread

# Links the shared library, and sees nothing but what is exported.
check_PROGRAMS += tests/guest-agent/library-client
tests_guest_agent_library_client_SOURCES = tests/guest-agent/library-client.c
tests_guest_agent_library_client_CPPFLAGS = -D_GNU_SOURCE -I$(top_srcdir)/guest-agent
tests_guest_agent_library_client_LDADD = guest-agent/libvgpu.la -lpthread

guest_agent_scripts = \
	tests/guest-agent/file-commands.sh \
	tests/guest-agent/local-channels.sh \
	tests/guest-agent/local-commands.sh \
	tests/guest-agent/local-context.sh \
	tests/guest-agent/local-failures.sh \
	tests/guest-agent/local-library.sh \
	tests/guest-agent/local-quarantine.sh \
	tests/guest-agent/local-quotas \
	tests/guest-agent/local-restart.sh \
	tests/guest-agent/local-run.sh \
	tests/guest-agent/local-sharing.sh \
	tests/guest-agent/local-wrong-sum.sh \
	tests/guest-agent/usage.sh
TESTS += $(guest_agent_scripts)
dist_check_SCRIPTS += $(guest_agent_scripts)
EXTRA_DIST += tests/lib.sh

if FUZZING
noinst_PROGRAMS += tests/guest-agent/fuzz-vector
FUZZ_TARGETS += tests/guest-agent/fuzz-vector
endif
tests_guest_agent_fuzz_vector_SOURCES = tests/guest-agent/fuzz-vector.c
tests_guest_agent_fuzz_vector_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_guest_agent_fuzz_vector_LDADD = guest-agent/libagent.la common/libcommon.la -lm
