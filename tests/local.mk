# SPDX-License-Identifier: Apache-2.0
# One folder a part, each with a fragment of its own; see tests/README.md.
AM_TESTS_ENVIRONMENT = export top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)';

include tests/common/local.mk
include tests/device/local.mk
include tests/mediatord/local.mk
include tests/guest-agent/local.mk
include tests/xml/local.mk
include tests/hook/local.mk
include tests/qemu/local.mk
include tests/system/local.mk
