# SPDX-License-Identifier: Apache-2.0
dist_noinst_SCRIPTS += scripts/qemu-headers scripts/qemu-intree-patch
