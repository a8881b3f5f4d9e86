#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is not a domain's XML, or tries to be more than that, is refused by every command.
. "${top_srcdir:?}/tests/xml/lib.sh"

# bad NAME PATTERN: the document on standard input, which is kept as a file too.
bad() {
	local name=$1 pattern=$2 command
	cat >"$tmp/$name.xml"
	for command in attach detach inspect validate; do
		expect_refusal "$name $command" 65 "^vgpu-xml: $tmp/$name.xml: $pattern" \
			timeout 60 "$vgpu_xml" $command "$tmp/$name.xml"
	done
	expect_refusal "$name standard input" 65 "^vgpu-xml: standard input: $pattern" \
		timeout 60 "$vgpu_xml" attach <"$tmp/$name.xml"
}

bad empty 'empty' </dev/null
echo 'hello' | bad text 'not well-formed XML: line 1'
head -n 5 "$data/q35.xml" | bad cut 'not well-formed XML: line 6'
echo '<network/>' | bad network 'the root element is <network>, not <domain>'
echo '<domain xmlns="urn:x"/>' | bad namespace 'the root element is <domain>, not <domain>'
echo '<domain><x:y/></domain>' | bad prefix 'not well-formed XML: line 1: Namespace prefix x'
printf '<domain>\xff</domain>' | bad utf-8 'not well-formed XML: line 1'
printf '<domain>\0</domain>' | bad nul 'holds a NUL byte'
printf '<?xml version="1.0" encoding="no-such"?><domain/>' | bad encoding 'the encoding is "no-such"'
printf '<?xml version="1.0" encoding = '"'iso-8859-1'"'?><domain>\xe4</domain>' |
	bad latin-1 'the encoding is "iso-8859-1": write it in UTF-8'
iconv -f UTF-8 -t UTF-16 "$data/q35.xml" | bad utf-16 'holds a NUL byte'
printf '<!DOCTYPE domain><domain/>' | bad doctype 'has a DOCTYPE'
printf '<!DOCTYPE d SYSTEM "http://127.0.0.1:1/x.dtd"><domain/>' | bad dtd 'has a DOCTYPE'
echo secret >"$tmp/secret"
bad entity 'has a DOCTYPE' <<END
<!DOCTYPE domain [<!ENTITY file SYSTEM "file://$tmp/secret">]>
<domain><name>&file;</name></domain>
END
bad laughs 'has a DOCTYPE' <<END
<!DOCTYPE domain [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">
<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">]>
<domain name="&f;"><name>&f;&f;&f;</name></domain>
END
echo '<domain>&undeclared;</domain>' | bad undeclared 'not well-formed XML: line 1: Entity'
{
	printf '<domain>'
	printf '<a>%.0s' {1..5000}
	printf '</a>%.0s' {1..5000}
	printf '</domain>'
} | bad deep 'not well-formed XML: line 1: Excessive depth'
{
	echo '<domain><!--'
	head -c 20000000 /dev/zero | tr '\0' 'x'
	echo '--></domain>'
} | bad large 'longer than 16 MiB'

# What would cost the parser minutes, or hundreds of megabytes.
many() {
	python3 -c "print(''.join($1))"
}
many '["<domain "] + [f"a{i}=\"\" " for i in range(257)] + ["/>"]' |
	bad attributes 'more than 256 attributes in one element'
many '["<domain>"] + [f"<a xmlns:n=\"u{i}\"/>" for i in range(1025)] + ["</domain>"]' |
	bad namespaces 'more than 1024 namespaces'
many '["<domain>", "<a/>" * 65536, "</domain>"]' | bad elements 'more than 65536 elements'
many '["<domain>", "<!---->" * 65536, "</domain>"]' | bad comments 'more than 65536 elements'
many '["<domain>", "<a b=\"\"/>" * 32768, "</domain>"]' | bad mixed 'more than 65536 elements'

# peak COMMAND...: its peak memory, in KiB.
peak() {
	python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$@"
}
# At all limits at once, and far beyond them: some ten times 16 MiB are enough. A sanitizer's own
# memory comes on top.
memory_max=200000
! grep -qa __asan_init "$vgpu_xml" || memory_max=800000
many '["<domain>", ("<a/>" + "x" * 250) * 65000, "</domain>"]' >"$tmp/limits.xml"
{
	echo '<domain>'
	head -c 100000000 /dev/zero | tr '\0' '\n'
	echo '</domain>'
} >"$tmp/hundred.xml"
for document in limits hundred; do
	used=$(peak "$vgpu_xml" detach "$tmp/$document.xml")
	[ "$used" -lt "$memory_max" ] || failed "$document takes $used KiB"
done
expect_refusal hundred 65 'longer than 16 MiB' "$vgpu_xml" attach <"$tmp/hundred.xml"
"$vgpu_xml" detach "$tmp/limits.xml" >/dev/null || failed "what is within the limits is refused"

# Nothing is fetched, whatever a document names.
coproc listener { python3 -c 'import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.readline()
server.setblocking(False)
try:
    server.accept()
    print("connected", flush=True)
except BlockingIOError:
    print("nobody", flush=True)'; }
read -r port <&"${listener[0]}"
url=http://127.0.0.1:$port/x
printf '<!DOCTYPE d PUBLIC "x" "%s"><domain/>' "$url" | bad public 'has a DOCTYPE'
printf '<!DOCTYPE d [<!ENTITY %% x SYSTEM "%s"> %%x;]><domain/>' "$url" | bad parameter 'has a DOCTYPE'
sed "s|<devices>|<x:include xmlns:x='http://www.w3.org/2001/XInclude' href='$url'/>&|; \
	s|<domain |&xmlns:s='http://www.w3.org/2001/XMLSchema-instance' s:schemaLocation='$url $url' |; \
	1i <?xml-stylesheet href='$url'?><?xml-model href='$url'?>" "$data/q35.xml" >"$tmp/include.xml"
attach "$tmp/include.xml" >"$tmp/included.xml" || failed "a foreign element is refused"
grep -q "x:include" "$tmp/included.xml" || failed "a foreign element is gone"
echo >&"${listener[1]}"
read -r answer <&"${listener[0]}"
[ "$answer" = nobody ] || failed "somebody $answer"

# Up to the limit a document is read.
{
	head -n -1 "$data/q35.xml"
	for _ in {1..15}; do
		printf '<!--'
		head -c 1000000 /dev/zero | tr '\0' 'x'
		echo '-->'
	done
	echo '</domain>'
} >"$tmp/big.xml"
attach "$tmp/big.xml" | "$vgpu_xml" validate || failed "15 MB are not too much"

expect_refusal missing 66 "^vgpu-xml: $tmp/none: cannot open: No such file" \
	"$vgpu_xml" attach "$tmp/none"
expect_refusal folder 66 "^vgpu-xml: $tmp: cannot read: Is a directory" "$vgpu_xml" attach "$tmp"
expect_refusal closed 66 '^vgpu-xml: standard input: cannot read' "$vgpu_xml" attach <&-
if [ -w /dev/full ]; then
	status=0
	attach "$data/q35.xml" >/dev/full 2>"$tmp/stderr" || status=$?
	[ "$status" -eq 74 ] || failed "full disk: status $status"
	grep -q 'standard output: cannot write: No space left' "$tmp/stderr" || failed "full disk"
fi

# A name with control characters cannot forge a second line of the message.
expect_refusal forged 66 'a\?b: cannot open' "$vgpu_xml" attach $'/none/a\nb'
finish
