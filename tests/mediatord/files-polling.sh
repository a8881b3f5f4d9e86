#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Where changes are not told, folders are looked at, and all is served the same.
# shellcheck source=tests/mediatord/files-lib.bash
. "${top_srcdir:?see tests/README.md}/tests/mediatord/files-lib.bash"
need curl jq
start_files "files-notify = no
files-poll = 20ms"
grep -q "vm7, looked at from time to time" "$dir/mediator.log" || fail "changes are asked for"
for i in $(seq 10); do
	answers $((i + 1)) "A:2:7:$i:1"
done
wait_for 60 taken || fail "the request was not emptied"
mkdir "$tree/vm8"
put_vm 6f1f2c3d-0a1b-4c5d-8e9f-001122334499 '{"vm_id":8}'
answers 3 A:1:8:1:2 "$tree/vm8"
stop_mediator
start_mediator
answers 3 A:2:7:1:2
finish
