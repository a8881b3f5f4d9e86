# SPDX-License-Identifier: Apache-2.0
# The device module in a real QEMU. Each program starts VMs of its own, in private folders.
qemu_tests = \
	tests/qemu/test-qemu-channels \
	tests/qemu/test-qemu-hostile-msix \
	tests/qemu/test-qemu-hotplug \
	tests/qemu/test-qemu-link \
	tests/qemu/test-qemu-msix \
	tests/qemu/test-qemu-options \
	tests/qemu/test-qemu-pci \
	tests/qemu/test-qemu-registers \
	tests/qemu/test-qemu-reset
qemu_test_scripts = tests/qemu/module-loading.sh
dist_check_SCRIPTS += $(qemu_test_scripts)

# Downloads and configures QEMU's source: half a minute.
SYSTEM_TESTS += tests/qemu/in-tree-build.sh

if BUILD_TESTS
if BUILD_QEMU_MODULE
check_LTLIBRARIES += tests/qemu/libqemutest.la tests/qemu/other-version.la
check_PROGRAMS += $(qemu_tests)
TESTS += $(qemu_tests)
# It preloads the module into programs without a sanitizer's runtime.
if !SANITIZERS
TESTS += $(qemu_test_scripts)
endif
endif
endif

tests_qemu_libqemutest_la_SOURCES = \
	tests/qemu/mediator.c \
	tests/qemu/mediator.h \
	tests/qemu/pci.c \
	tests/qemu/pci.h \
	tests/qemu/vm.c \
	tests/qemu/vm.h
tests_qemu_libqemutest_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_qemu_libqemutest_la_LIBADD = common/libcommon.la $(CMOCKA_LIBS)

# The module as it would be, had it been built for another QEMU.
tests_qemu_other_version_la_SOURCES = $(vgpu_qemu_module_sources)
tests_qemu_other_version_la_CPPFLAGS = $(vgpu_qemu_cppflags) \
	-DVGPU_QEMU_VERSION='"1.2.3 (Elsewhere)"'
tests_qemu_other_version_la_CFLAGS = $(device_vgpu_qemu_la_CFLAGS)
tests_qemu_other_version_la_LDFLAGS = $(device_vgpu_qemu_la_LDFLAGS) -rpath /nowhere
tests_qemu_other_version_la_LIBADD = $(device_vgpu_qemu_la_LIBADD)

tests_qemu_test_qemu_channels_SOURCES = tests/qemu/test-qemu-channels.c
tests_qemu_test_qemu_channels_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_qemu_test_qemu_channels_LDADD = tests/qemu/libqemutest.la
tests_qemu_test_qemu_hostile_msix_SOURCES = tests/qemu/test-qemu-hostile-msix.c
tests_qemu_test_qemu_hostile_msix_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_qemu_test_qemu_hostile_msix_LDADD = tests/qemu/libqemutest.la
tests_qemu_test_qemu_hotplug_SOURCES = tests/qemu/test-qemu-hotplug.c
tests_qemu_test_qemu_hotplug_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_qemu_test_qemu_hotplug_LDADD = tests/qemu/libqemutest.la
tests_qemu_test_qemu_link_SOURCES = tests/qemu/test-qemu-link.c
tests_qemu_test_qemu_link_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_qemu_test_qemu_link_LDADD = tests/qemu/libqemutest.la
tests_qemu_test_qemu_msix_SOURCES = tests/qemu/test-qemu-msix.c
tests_qemu_test_qemu_msix_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_qemu_test_qemu_msix_LDADD = tests/qemu/libqemutest.la
tests_qemu_test_qemu_options_SOURCES = tests/qemu/test-qemu-options.c
tests_qemu_test_qemu_options_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_qemu_test_qemu_options_LDADD = tests/qemu/libqemutest.la
tests_qemu_test_qemu_pci_SOURCES = tests/qemu/test-qemu-pci.c
tests_qemu_test_qemu_pci_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_qemu_test_qemu_pci_LDADD = tests/qemu/libqemutest.la
tests_qemu_test_qemu_registers_SOURCES = tests/qemu/test-qemu-registers.c
tests_qemu_test_qemu_registers_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_qemu_test_qemu_registers_LDADD = tests/qemu/libqemutest.la
tests_qemu_test_qemu_reset_SOURCES = tests/qemu/test-qemu-reset.c
tests_qemu_test_qemu_reset_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_qemu_test_qemu_reset_LDADD = tests/qemu/libqemutest.la
