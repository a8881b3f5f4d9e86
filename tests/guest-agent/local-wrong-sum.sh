#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A sum that is wrong is told and not written: loop-fake-worker, which serves mailboxes only, reads its
# device memory as zeros.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq
worker_program=$top_builddir/tests/mediatord/loop-fake-worker
[ -x "$worker_program" ] || skip "loop-fake-worker is not built"
start_mediator
put_vm "$uuid"
cd "$dir"

seq 0 9 >a
expect 70 "the vGPU's sum is wrong, first at element 2" local_agent add --mailbox a a -o sum
[ -z "$(compgen -G 'sum*')" ] || fail "output files are left: $(echo sum*)"

# What happens to be right is written.
seq 0 0 >a
expect 0 "checked   yes" local_agent add --mailbox a a -o sum
[ "$(cat sum)" = 0 ] || fail "the sum of 0 and 0 is $(cat sum)"
finish
