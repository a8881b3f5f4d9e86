# SPDX-License-Identifier: Apache-2.0
# What is installed, and how.
dist_check_SCRIPTS += tests/install/apparmor.sh
if BUILD_MEDIATORD
TESTS += tests/install/apparmor.sh
endif
