#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every operation's answers have the status, the media type and the body that data/openapi.yaml says.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
# Debian's: its modules are where its own interpreter looks.
python=/usr/bin/python3
"$python" -c 'import yaml' 2>/dev/null || {
	echo "python3-yaml is missing"
	exit 77
}
start_daemon
"$python" "$top_srcdir/tests/mediatord/openapi_check.py" "$top_srcdir/data/openapi.yaml" "$socket" \
	>"$work/out" || fail "$(cat "$work/out")"
stop_daemon TERM
