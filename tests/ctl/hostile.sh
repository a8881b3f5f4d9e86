#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Answers that no sound mediator gives: cut short, endless, of wrong types, and made to forge lines.
# vgpuctl says so with status 76 or shows them harmlessly; it never hangs nor crashes.
# shellcheck source=tests/ctl/lib.bash
. "${top_srcdir:?}/tests/ctl/lib.bash"
need jq socat

# answers STATUS TEXT ANSWER-FILE COMMAND...
answers() {
	local status=$1 text=$2 answer=$3

	shift 3
	mkdir -p "$dir/answers"
	cp "$answer" "$dir/answers/any"
	expect "$status" "$text" timeout 120 "$ctl" --timeout 60 "$@"
}
a=$dir/a
start_fake

: >"$a"
answers 76 "did not answer properly" "$a" vm list
printf 'SSH-2.0-OpenSSH\r\n' >"$a"
answers 76 "did not answer properly" "$a" vm list
printf 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"vms":[' >"$a"
answers 76 "did not answer properly" "$a" vm list
for body in '' '[]' '{' 'null' '{"vms":5}' '{"vms":{}}' '{"a":1,"a":2}' '{"vms":[],}' $'{"vms":["\xff"]}'; do
	http "$body" >"$a"
	answers 76 "the mediator's" "$a" vm list
done
# Deeper than anybody needs, and longer.
http "$(printf '{"vms":%s' "$(printf '[%.0s' $(seq 20000))")" >"$a"
answers 76 "no JSON object" "$a" vm list
{
	printf 'HTTP/1.1 200 OK\r\n\r\n'
	head -c 70000000 /dev/zero
} >"$a"
answers 76 "more than 67108864 bytes" "$a" vm list

# Wrong types everywhere: shown as what is not there.
http '{"vms":[5,null,[],{},{"name":7,"uuid":{},"vm_id":"x","quotas":[],"link":"up","channels":3,
	"usage":{"gpu_memory_bytes":-1}},{"name":"sound","vm_id":99999999999999}]}' >"$a"
answers 0 "sound" "$a" vm list
answers 0 "sound" "$a" vm list --json
http '{"gpus":[{"index":"0","memory_bytes":1e300,"name":[]}]}' >"$a"
answers 0 "GPU" "$a" gpu list
http '{"pools":[{"gpus":[1,"x",{},null,9223372036854775807],"name":{}}]}' >"$a"
answers 0 "1,9223372036854775807" "$a" pool list
http '{"uuid":5,"sources":[1],"channels":{"x":1}}' >"$a"
answers 0 "state" "$a" vm show "$uuid"
answers 76 "no list 'channels'" "$a" channel list "$uuid"
answers 76 "no list 'entries'" "$a" audit
answers 76 "where its backup is" "$a" backup
# shellcheck disable=SC2028  # JSON's escapes
http '{"path":"/a\u001b[2J"}' >"$a"
answers 0 '/a\x1b[2J' "$a" backup
http '{"uuid":5,"sources":[1],"channels":{"x":1}}' >"$a"
answers 76 "has no ETag" "$a" vm set "$uuid" weight=1

# A list whose next page is another list, or itself.
http '{"vms":[{"name":"one"}],"next":"/v1/tokens?x"}' >"$a"
answers 0 "one" "$a" vm list
http '{"vms":[],"next":"/v1/vms?after=x"}' >"$a"
answers 76 "has no end" "$a" vm list
http '{"entries":[{"id":5},{"id":3}],"next":"/v1/audit?after=3"}' >"$a"
answers 76 "has no end" "$a" audit

# Names that would move the cursor, forge a line, or pretend to be another.
# shellcheck disable=SC2028  # JSON's escapes
http '{"vms":[{"name":"a\u001b[2Jb\nfake  1  up\u202ec\u0007\u009b"}]}' >"$a"
answers 0 'a\x1b[2Jb\nfake  1  up\u202ec\x07\u009b' "$a" vm list
[ "$(wc -l <<<"$said")" = 2 ] || fail "a name made lines: $said"
# shellcheck disable=SC2028
http '{"detail":"no\u001b]0;owned\u0007","field":"\n"}' "409 Conflict" >"$a"
answers 75 '\n: no\x1b]0;owned\x07' "$a" vm reset "$uuid"
# A uuid of the mediator's goes into a path only where it is one.
http '{"vms":[{"name":"x","uuid":"../tokens"}]}' >"$a"
answers 1 "there is no VM 'x'" "$a" vm rm x
! grep -q tokens "$dir/requests" || fail "asked for what a uuid said"

# Problems in other forms, and statuses that say nothing.
for pair in "400:1" "401:77" "403:77" "404:1" "409:75" "412:75" "503:69" "507:1" "302:76" "999:76"; do
	http 'not JSON' "${pair%:*} X" >"$a"
	answers "${pair#*:}" "HTTP status ${pair%:*}" "$a" vm pause "$uuid"
done
http '{"title":"T","detail":7}' "422 X" >"$a"
answers 1 ": T" "$a" vm pause "$uuid"

# Events that are none, and one without an end.
printf 'HTTP/1.1 200 OK\r\n\r\ndata: not JSON \033[2J\n\nid: 5\nevent: x\ndata: {"time":"1970","a":[1],"b":"\\n"}\n\n' >"$a"
answers 0 'data=not JSON \x1b[2J' "$a" events
shows '5 1970 x a=[1] b=\n'
{
	printf 'HTTP/1.1 200 OK\r\n\r\ndata: '
	head -c 100000 /dev/zero
} >"$a"
answers 76 "an event of more than" "$a" events
answers 76 "an event of more than" "$a" events --follow

# Nobody answers at all.
stop_fake
mkdir "$dir/answers"
expect 69 "cannot reach the mediator" "$ctl" vm list
socat "UNIX-LISTEN:$VGPUCTL_SOCKET" 'EXEC:sleep 60' &
started+=($!)
wait_for 60 listens "$VGPUCTL_SOCKET" || fail "socat does not listen"
expect 69 "did not answer within 200 ms" "$ctl" --timeout 0.2 vm list
finish
