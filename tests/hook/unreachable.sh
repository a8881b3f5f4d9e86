#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Where the mediator cannot be asked, a domain with a vGPU starts or not as the policy says, a domain
# without one is never touched, and the hook returns in any case.
. "${top_srcdir:?}/tests/hook/lib.sh"
plain=$top_srcdir/tests/xml/data/bare.xml

# all NAME LINE: with a mediator in the state that the caller made.
all() {
	local name=$1 line=$2 operation
	configure timeout=300ms
	expect "$name required" 1 "^vgpu: $line.*; is vgpu-mediatord running?" \
		prepare begin <"$attached"
	expect "$name release" 0 "^vgpu: $line.*; the VM was not marked as detached" \
		release end <"$attached"
	configure policy=best-effort timeout=300ms
	expect "$name best-effort" 0 "^vgpu: $line.*; the domain starts without its vGPU" \
		prepare begin <"$attached"
	expect "$name plain" 0 "" prepare begin <"$plain"
	expect "$name plain" 0 "" release end <"$plain"
	for operation in 'prepare end' 'start begin' 'started begin' 'stopped end' 'reconnect begin' \
		'migrate begin' 'restore begin' 'attach begin' 'whatever begin'; do
		# shellcheck disable=SC2086
		expect "$name $operation" 0 "" $operation <"$attached"
	done
}

all down "cannot reach the mediator at $tmp/control.sock: No such file"
: >"$tmp/control.sock"
all file "cannot reach the mediator at $tmp/control.sock: Connection refused"
fake
all hanging "the mediator at $tmp/control.sock did not answer within [0-9]+ ms"
echo 'hello' >"$tmp/garbage"
fake "$tmp/garbage"
all garbage "the mediator at $tmp/control.sock did not answer properly"
: >"$tmp/nothing"
fake "$tmp/nothing"
all nothing "the mediator at $tmp/control.sock did not answer properly"
{
	printf 'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n'
	head -c 100000 /dev/zero | tr '\0' 'x'
} >"$tmp/long"
fake "$tmp/long"
all long "the mediator at $tmp/control.sock gave an answer of more than 65536 bytes"

# An answer that is no problem document is told by its status; one that would forge lines is not
# printed as it is.
configure
printf 'HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\n{}' >"$tmp/status"
fake "$tmp/status"
expect status 1 '^vgpu: the mediator answered with HTTP status 503; is vgpu-mediatord running\?$' \
	prepare begin <"$attached"
body='{"title":"No","detail":"a\nb\u001b[31m"}'
printf 'HTTP/1.1 422 No\r\nContent-Length: %d\r\n\r\n%s' "${#body}" "$body" >"$tmp/forged"
fake "$tmp/forged"
expect forged 1 '^vgpu: a\?b\?\[31m$' prepare begin <"$attached"
configure policy=best-effort
expect refused 1 '^vgpu: a' prepare begin <"$attached"

# What somebody else answers admits nobody, and refuses nobody.
for status in '200 OK' '404 Not Found'; do
	printf 'HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>hi</html>' \
		"$status" >"$tmp/html"
	fake "$tmp/html"
	configure policy=required
	expect "html $status" 1 '^vgpu: the mediator.*; is vgpu-mediatord running\?$' \
		prepare begin <"$attached"
	configure policy=best-effort
	expect "html $status" 0 '^vgpu: the mediator.*; the domain starts without its vGPU' \
		prepare begin <"$attached"
done

# What the metadata says goes before the configuration.
sed 's/profile="gold"/policy="required"/' "$attached" >"$tmp/required.xml"
sed 's/profile="gold"/policy="best-effort"/' "$attached" >"$tmp/best-effort.xml"
expect metadata-required 1 '; is vgpu-mediatord running\?$' prepare begin <"$tmp/required.xml"
configure policy=required
expect metadata-best-effort 0 '; the domain starts without its vGPU' \
	prepare begin <"$tmp/best-effort.xml"

# What is wrong before the mediator is asked.
sed 's/,addr=0x1c//' "$attached" >"$tmp/no-address.xml"
expect no-device 1 '^vgpu: the metadata asks for a vGPU and the domain has none; run vgpu-xml' \
	prepare begin <"$top_srcdir/tests/xml/data/q35.xml"
expect no-address 1 '^vgpu: the vGPU has no PCI address; run vgpu-xml' \
	prepare begin <"$tmp/no-address.xml"
finish
