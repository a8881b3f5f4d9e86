# SPDX-License-Identifier: Apache-2.0
# What is installed, and how.
dist_check_SCRIPTS += tests/install/apparmor.sh

# Builds everything: a minute.
if BUILD_QEMU_MODULE
SYSTEM_TESTS += tests/install/packages.sh
endif

if BUILD_MEDIATORD
TESTS += tests/install/apparmor.sh
endif
