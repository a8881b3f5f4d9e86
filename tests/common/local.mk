# SPDX-License-Identifier: Apache-2.0
if BUILD_TESTS
check_PROGRAMS += tests/common/test-uuid tests/common/test-packet
TESTS += tests/common/test-uuid tests/common/test-packet
endif

tests_common_test_uuid_SOURCES = tests/common/test-uuid.c
tests_common_test_uuid_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_common_test_uuid_LDADD = common/libcommon.la $(CMOCKA_LIBS)

tests_common_test_packet_SOURCES = tests/common/test-packet.c
tests_common_test_packet_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_common_test_packet_LDADD = common/libcommon.la $(CMOCKA_LIBS)
