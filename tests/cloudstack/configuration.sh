#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Keys that others may read or change are refused, and so is every line that makes no sense.
# shellcheck source=tests/cloudstack/lib.bash
. "${top_srcdir:?}/tests/cloudstack/lib.bash"
port=1
check() {
	"$program" sync --config "$dir/cloudstack.conf" --check
}
configure
expect 0 '' check
for mode in 0604 0602 0620 0666; do
	chmod $mode "$dir/key"
	expect 78 "has mode $mode" check
done
chmod 0640 "$dir/key"
expect 0 '' check
if [ "$(id -u)" = 0 ]; then
	chown 12345 "$dir/key"
	expect 78 'belongs to user 12345' check
fi
rm "$dir/key"
mkfifo "$dir/key"
expect 78 'is not a regular file' check
rm "$dir/key"
expect 78 'cannot open' check
for case in 'interval = 5s:is not from 10s' 'interval = 300:is not from' 'page-size = 0:is not from 1' \
	'page-size = 501:to 500' 'webhook-listen =:is empty' 'nonsense:is not KEY = VALUE' 'colour = red:unknown key' \
	'host = kvm2:was set before' 'webhook-listen = 1.2.3.4:5:go together' 'api-ca = x:absolute path'; do
	configure "${case%:*}"
	expect 78 "${case##*:}" check
done
configure
sed -i 's|^api-url = .*|api-url = http://ms.example/client/api|' "$dir/cloudstack.conf"
expect 78 'use https://' check
echo 'insecure-http = yes' >>"$dir/cloudstack.conf"
expect 0 '' check
echo 'api-key = reader' >"$dir/key"
expect 78 'api-key and secret-key are needed' check
expect 64 'no command' "$program" nonsense
expect 64 'see vgpu-cloudstack help sync' "$program" sync --nonsense
expect 64 'is no option' "$program" sync nonsense
finish
