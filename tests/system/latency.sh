#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Prints the round trip of a no-op from inside the guest, through the mailbox.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"

start_mediator
start_libvirt
define_guest
register
boot_guest

in_guest "vgpu-agent bench --mailbox --count 5000 --json" >"$work/bench.json"
jq -e '.p50 > 0 and .p99 >= .p50' "$work/bench.json" >/dev/null || fail "no figures"
jq -r '"mailbox no-op from inside a VM under TCG: p50 \(.p50) us, p99 \(.p99) us"' "$work/bench.json"
