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
			timeout 20 "$vgpu_xml" $command "$tmp/$name.xml"
		expect_refusal "$name $command" 65 "^vgpu-xml: standard input: $pattern" \
			timeout 20 "$vgpu_xml" $command <"$tmp/$name.xml"
	done
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
