# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += data/vectors/A.txt data/vectors/B.txt
