# SPDX-License-Identifier: Apache-2.0
xml_tests = \
	tests/xml/bad-input.sh \
	tests/xml/corpus.sh \
	tests/xml/golden.sh \
	tests/xml/in-place.sh \
	tests/xml/reattach.sh \
	tests/xml/refusals.sh \
	tests/xml/templates.sh
EXTRA_DIST += \
	$(xml_tests) \
	tests/xml/data \
	tests/xml/lib.sh

if BUILD_XML
TESTS += $(xml_tests)
if BUILD_TESTS
check_PROGRAMS += tests/xml/corpus tests/xml/test-device-option
TESTS += tests/xml/test-device-option
endif
if FUZZING
noinst_PROGRAMS += tests/xml/fuzz-xml
FUZZ_TARGETS += tests/xml/fuzz-xml
endif
endif

tests_xml_test_device_option_SOURCES = tests/xml/test-device-option.c
tests_xml_test_device_option_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_xml_test_device_option_LDADD = xml/libvgpuxml.la common/libcommon.la $(CMOCKA_LIBS)

tests_xml_fuzz_xml_SOURCES = tests/xml/fuzz-xml.c
tests_xml_fuzz_xml_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_xml_fuzz_xml_LDADD = xml/libvgpuxml.la common/libcommon.la

tests_xml_corpus_SOURCES = tests/xml/corpus.c xml/file.c
tests_xml_corpus_CFLAGS = $(AM_CFLAGS) $(LIBXML2_CFLAGS)
tests_xml_corpus_LDADD = xml/libvgpuxml.la common/libcommon.la $(LIBXML2_LIBS)
