# SPDX-License-Identifier: Apache-2.0
# The dashboard, in a browser.
TESTS += tests/ui/dashboard.sh
dist_check_SCRIPTS += tests/ui/dashboard.sh
EXTRA_DIST += tests/ui/dashboard.py tests/ui/webdriver.py
