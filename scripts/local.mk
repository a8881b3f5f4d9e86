# SPDX-License-Identifier: Apache-2.0
dist_noinst_SCRIPTS += scripts/kernels-ptx scripts/qemu-headers scripts/qemu-intree-patch
dist_noinst_SCRIPTS += scripts/guest-ctl scripts/guest-domain scripts/guest-image scripts/lint scripts/check scripts/quickstart
dist_noinst_SCRIPTS += scripts/guest/init scripts/guest/load scripts/guest/serve
EXTRA_DIST += scripts/guest/domain.xml scripts/packages.sh scripts/build.sh .ci/run .cppcheck .shellcheckrc
