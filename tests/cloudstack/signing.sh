#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Requests are signed as python3-cs signs them, with every printable character in a parameter. It
# does not escape '~', as Java does: there the expected text stands here.
set -eu
: "${top_srcdir:?run by make check}" "${top_builddir:?run by make check}"
# Debian's: its modules are where its own interpreter looks.
python=/usr/bin/python3
"$python" -c 'import cs.client' 2>/dev/null || {
	echo "python3-cs is missing"
	exit 77
}
exec "$python" - "$top_builddir/tests/cloudstack/sign-form" <<'END'
import string
import subprocess
import sys
import urllib.parse

import cs.client

SECRET = 'aVery/Secret+Key=='


def ours(params, secret=SECRET):
    pairs = [text for pair in params.items() for text in pair]
    return subprocess.run([sys.argv[1], secret, *pairs], check=True, capture_output=True,
                          text=True).stdout.rstrip('\n')


def theirs(params, secret=SECRET):
    signed = dict(params)
    cs.client.CloudStack('http://localhost', 'key', secret)._sign(signed)
    return signed


printable = ''.join(chr(c) for c in range(32, 126))
cases = [{'command': 'listHosts', 'name': character} for character in printable]
cases += [
    {'command': 'listHosts', 'response': 'json', 'apiKey': 'Kk', 'name': printable},
    {'a': '1', 'B': '2', 'b': '3', 'A': '4', 'a1': '', '_': 'x'},
    {'serviceofferingdetails[0].key': 'vgpu.priority', 'serviceofferingdetails[0].value': 'High',
     'serviceofferingdetails[10].key': 'x', 'serviceofferingdetails[2].key': 'y'},
    {'name': 'h\u00f6st \u20ac \U0001f600', 'expires': '2026-01-01T00:00:00+0000'},
    {'x' * 200: 'y' * 5000},
    {},
]
for params in cases:
    form = ours(params)
    wanted = theirs(params)
    got = dict(urllib.parse.parse_qsl(form, keep_blank_values=True))
    assert got == wanted, (params, got, wanted)
    assert '+' not in form and all(c in string.printable for c in form), form
assert ours({'a': '~'}, 'k').startswith('a=%7E&signature='), ours({'a': '~'}, 'k')
wanted = theirs({'a': '~'}, 'k')['signature']
assert wanted != dict(urllib.parse.parse_qsl(ours({'a': '~'}, 'k')))['signature']
END
