# SPDX-License-Identifier: Apache-2.0
if BUILD_TESTS
tests_common = \
	tests/common/test-file-line \
	tests/common/test-log \
	tests/common/test-packet \
	tests/common/test-text \
	tests/common/test-uuid
check_PROGRAMS += $(tests_common)
TESTS += $(tests_common)
endif

tests_common_test_file_line_SOURCES = tests/common/test-file-line.c
tests_common_test_file_line_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_common_test_file_line_LDADD = common/libcommon.la $(CMOCKA_LIBS)

if FUZZING
noinst_PROGRAMS += tests/common/fuzz-file-line
FUZZ_TARGETS += tests/common/fuzz-file-line
endif
tests_common_fuzz_file_line_SOURCES = tests/common/fuzz-file-line.c
tests_common_fuzz_file_line_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_common_fuzz_file_line_LDADD = common/libcommon.la

# Relative, so that it is in the test's own folder.
tests_common_test_log_SOURCES = \
	common/log.c \
	common/log.h \
	tests/common/test-log.c
tests_common_test_log_CPPFLAGS = $(AM_CPPFLAGS) -DVGPU_JOURNAL_SOCKET='"journal.sock"'
tests_common_test_log_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_common_test_log_LDADD = $(CMOCKA_LIBS)

tests_common_test_text_SOURCES = tests/common/test-text.c
tests_common_test_text_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_common_test_text_LDADD = $(CMOCKA_LIBS)

tests_common_test_uuid_SOURCES = tests/common/test-uuid.c
tests_common_test_uuid_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_common_test_uuid_LDADD = common/libcommon.la $(CMOCKA_LIBS)

tests_common_test_packet_SOURCES = tests/common/test-packet.c
tests_common_test_packet_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_common_test_packet_LDADD = common/libcommon.la $(CMOCKA_LIBS)
