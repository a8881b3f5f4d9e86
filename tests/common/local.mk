# SPDX-License-Identifier: Apache-2.0
if BUILD_TESTS
tests_common = \
	tests/common/test-packet \
	tests/common/test-text \
	tests/common/test-uuid
check_PROGRAMS += $(tests_common)
TESTS += $(tests_common)
endif

tests_common_test_text_SOURCES = tests/common/test-text.c
tests_common_test_text_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_common_test_text_LDADD = $(CMOCKA_LIBS)

tests_common_test_uuid_SOURCES = tests/common/test-uuid.c
tests_common_test_uuid_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_common_test_uuid_LDADD = common/libcommon.la $(CMOCKA_LIBS)

tests_common_test_packet_SOURCES = tests/common/test-packet.c
tests_common_test_packet_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_common_test_packet_LDADD = common/libcommon.la $(CMOCKA_LIBS)
