# SPDX-License-Identifier: Apache-2.0
# One folder a part, each with a fragment of its own; see tests/README.md.
TEST_EXTENSIONS = .sh
AM_TESTS_ENVIRONMENT = export top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)';

# Tests that boot VMs, need root or start libvirt: `make check-system`, never part of `make check`.
SYSTEM_TESTS =
# libFuzzer targets, also listed in noinst_PROGRAMS: `make fuzz-targets`.
FUZZ_TARGETS =

include tests/common/local.mk
include tests/device/local.mk
include tests/mediatord/local.mk
include tests/guest-agent/local.mk
include tests/xml/local.mk
include tests/hook/local.mk
include tests/qemu/local.mk
include tests/system/local.mk

dist_check_SCRIPTS += $(SYSTEM_TESTS)

.PHONY: check-system fuzz-targets
check-system: system-setup
	$(SYSTEM_ENVIRONMENT) $(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS='$(SYSTEM_TESTS)' TEST_SUITE_LOG=system-tests.log

fuzz-targets: $(FUZZ_TARGETS)
