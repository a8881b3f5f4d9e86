#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The older machine type has the device too.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"

start_mediator
start_libvirt
define_guest guest "$guest_uuid" pc gold
register
boot_guest
put_vectors 1000
add_vectors || fail "no sum on i440fx"
check_sum
