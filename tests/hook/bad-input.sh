#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Arguments, standard input, configuration, environment and answers that are wrong, endless or
# hostile: the hook says so in one line, or nothing where it is none of its business, and returns.
. "${top_srcdir:?}/tests/hook/lib.sh"
plain=$top_srcdir/tests/xml/data/bare.xml
configure

# Arguments.
usage() {
	local status=0
	timeout 60 env -i "$hook" "$@" >"$tmp/stdout" 2>"$tmp/stderr" </dev/null || status=$?
	[ "$status" -eq 1 ] || failed "usage of '$*': status $status"
	grep -q '^Usage: vgpu' "$tmp/stderr" || failed "usage of '$*': $(cat "$tmp/stderr")"
	[ ! -s "$tmp/stdout" ] || failed "usage of '$*': wrote to standard output"
}
usage
usage one two
usage a prepare begin - more
usage --config
usage --config a b
"$hook" --help | grep -q '^Usage: vgpu' || failed "--help"
"$hook" --version | grep -q '^vgpu-hook [0-9]' || failed "--version"
expect empty 0 '' '' '' <"$attached"
expect case 0 '' PREPARE BEGIN <"$attached"
expect long 0 '' "$(head -c 100000 /dev/zero | tr '\0' x)" begin <"$attached"
no_mediator='^vgpu: cannot reach the mediator at .*; is vgpu-mediatord running\?$'
for domain in -x --config --help --check '' ' ' 'a b' "a\"b'c" '%s%n' '..' $'a\tb' \
	"\${HOME}\`id\`" "$(head -c 100000 /dev/zero | tr '\0' n)"; do
	expect "named $domain" 1 "$no_mediator" prepare begin <"$attached"
	expect "plain named $domain" 0 '' prepare begin <"$plain"
done
domain=$'\xff'
expect not-utf-8 1 "^vgpu: the domain's name is not UTF-8$" prepare begin <"$attached"
domain=q35

# Standard input: what is not a domain with a vGPU keeps nothing from starting.
head -n 10 "$attached" >"$tmp/cut.xml"
expect cut 1 '^vgpu: not well-formed XML' prepare begin <"$tmp/cut.xml"
expect cut 0 '^vgpu: not well-formed XML' release end <"$tmp/cut.xml"
expect cut-elsewhere 0 '' reconnect begin <"$tmp/cut.xml"
head -n 2 "$attached" >"$tmp/cut.xml"
expect cut-early 0 '' prepare begin <"$tmp/cut.xml"
expect nothing 0 '' prepare begin </dev/null
printf '\x7fELF\0\1\2' >"$tmp/binary"
expect binary 0 '' prepare begin <"$tmp/binary"
sed '1i <!DOCTYPE domain [<!ENTITY a "a"><!ENTITY b "\&a;\&a;">]>' "$attached" >"$tmp/doctype.xml"
expect doctype 1 '^vgpu: has a DOCTYPE' prepare begin <"$tmp/doctype.xml"
sed "s/<name>.*</<name>$(printf '\xff')</" "$attached" >"$tmp/bytes.xml"
expect bytes 1 '^vgpu: not well-formed XML' prepare begin <"$tmp/bytes.xml"
{
	printf '<domain>'
	head -c 100M /dev/zero | tr '\0' ' '
	tail -n +2 "$attached"
} >"$tmp/huge.xml"
expect huge 1 "^vgpu: .*longer than 16 MiB|^vgpu: gave up" \
	prepare begin <"$tmp/huge.xml"
expect huge 0 '^vgpu: ' release end <"$tmp/huge.xml"
expect huge-elsewhere 0 '' reconnect begin <"$tmp/huge.xml"
{
	sed '/<devices>/,$d' "$attached"
	for _ in {1..5000}; do printf '<a>'; done
} >"$tmp/deep.xml"
expect deep 1 '^vgpu: not well-formed XML' prepare begin <"$tmp/deep.xml"
mkfifo "$tmp/stdin"
exec 7<>"$tmp/stdin"
expect stuck 1 '^vgpu: gave up: the time limit is over$' prepare begin <"$tmp/stdin"
expect stuck 0 '^vgpu: gave up: the time limit is over$' release end <"$tmp/stdin"
expect stuck 0 '' reconnect begin <"$tmp/stdin"
exec 7>&-
expect closed 1 "^vgpu: the domain's XML: cannot read" prepare begin <&-

# What is wrong with the vGPU before the mediator is asked.
sed 's/,addr=0x1c//' "$attached" >"$tmp/no-address.xml"
expect no-device 1 '^vgpu: the metadata asks for a vGPU and the domain has none; run vgpu-xml attach on it, or start it again: .*' \
	prepare begin <"$top_srcdir/tests/xml/data/q35.xml"
expect no-address 1 '^vgpu: the vGPU has no PCI address; run vgpu-xml' \
	prepare begin <"$tmp/no-address.xml"

# The configuration.
configure 'polcy = required'
expect config 1 "^vgpu: $tmp/hook.conf:2: unknown key \"polcy\"" prepare begin <"$attached"
expect config 0 "^vgpu: $tmp/hook.conf:2: unknown key \"polcy\"" release end <"$attached"
expect config-plain 0 '' prepare begin <"$plain"
printf 'policy = \0required\n' >"$tmp/hook.conf"
expect config-binary 1 "^vgpu: $tmp/hook.conf: not a text file" prepare begin <"$attached"
head -c 100000 /dev/zero | tr '\0' '#' >"$tmp/hook.conf"
expect config-long 1 "^vgpu: $tmp/hook.conf: " prepare begin <"$attached"
rm "$tmp/hook.conf"
expect config-missing 1 "^vgpu: $tmp/hook.conf: cannot open" prepare begin <"$attached"
mkdir "$tmp/hook.conf"
expect config-folder 1 "^vgpu: $tmp/hook.conf: " prepare begin <"$attached"
rmdir "$tmp/hook.conf"
mkfifo "$tmp/hook.conf"
expect config-fifo 1 '^vgpu: gave up: the time limit is over$' prepare begin <"$attached"
expect config-fifo 0 '^vgpu: gave up: the time limit is over$' release end <"$attached"
rm "$tmp/hook.conf"

# An environment that would lead it elsewhere, and an alarm that is blocked.
configure
status=0
python3 -c 'import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
proxy = "http://127.0.0.1:1"
os.environ.update(http_proxy=proxy, all_proxy=proxy, HOME="/nonexistent", TMPDIR="/nonexistent",
                  LC_ALL="tr_TR.UTF-8", PATH="", VGPU_CONTROL_SOCKET="/nonexistent")
os.execv(sys.argv[1], sys.argv[1:])' "$hook" --config "$tmp/hook.conf" q35 prepare begin - \
	<"$attached" >"$tmp/stdout" 2>"$tmp/stderr" || status=$?
[ "$status" -eq 1 ] || failed "environment: status $status"
grep -q "cannot reach the mediator at $tmp/control.sock" "$tmp/stderr" ||
	failed "environment: $(cat "$tmp/stderr")"

# Answers that never end: byte by byte, or as fast as can be.
endless() {
	stop_server
	rm -f "$tmp/control.sock"
	python3 -c 'import itertools, os, socket, sys, threading, time
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1] + ".new")
listener.listen()
os.rename(sys.argv[1] + ".new", sys.argv[1])
def drip(peer):
    for byte in itertools.cycle(b"HTTP/1.1 200 OK\r\nA: "):
        peer.send(bytes([byte]))
        time.sleep(0.02)
def headers(peer):
    peer.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        peer.send(b"A: b\r\n" * 1000)
def body(peer):
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
    while True:
        peer.send(b"x" * 65536)
def serve(peer):
    try:
        globals()[sys.argv[2]](peer)
    except OSError:
        pass
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()' \
		"$tmp/control.sock" "$1" &
	server=$!
	for _ in {1..3000}; do
		[ ! -S "$tmp/control.sock" ] || return 0
		sleep 0.02
	done
	failed "endless $1: no server"
}
for way in drip headers body; do
	endless $way
	configure policy=required timeout=300ms
	expect "$way required" 1 '^vgpu: the mediator at .*; is vgpu-mediatord running\?$' \
		prepare begin <"$attached"
	expect "$way release" 0 '^vgpu: the mediator at ' release end <"$attached"
	configure policy=best-effort timeout=300ms
	expect "$way best-effort" 0 '; the domain starts without its vGPU' prepare begin <"$attached"
done
stop_server

# It cannot ask libvirt, whatever it reads.
! ldd "$(readlink -f "$hook")" 2>/dev/null | grep -q libvirt || failed "linked with libvirt"
finish
