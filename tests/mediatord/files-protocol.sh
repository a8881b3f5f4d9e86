#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An old client's additions through files, what is refused and how that reads, the second format, and
# that all of it is counted and limited as any other request.
# shellcheck source=tests/mediatord/files-lib.bash
. "${top_srcdir:?see tests/README.md}/tests/mediatord/files-lib.bash"
need curl jq python3
mkdir "$tree/vm8" "$tree/vm07" "$tree/vm" "$tree/other"
start_files

# The prototype's lines.
answers 300 A:2:7:100:200
wait_for 60 taken || fail "the request was not emptied"
answers -8 A:2:7:-5:-3
answers -2147483648 A:2:7:2147483647:1
for i in $(seq 20); do
	answers $((i + 1)) "A:2:7:$i:1"
done
[ "$(vm '"\(.counters.requests) \(.counters.completed) \(.counters.failed)"')" = "23 23 0" ] ||
	fail "counted: $(vm .counters)"
[ "$(vm .worker.jobs)" = 23 ] || fail "another worker than the VM's did it: $(vm .worker)"
[ "$(vm .usage.gpu_memory_bytes)" = 0 ] || fail "memory is left: $(vm .usage)"
[ "$(find "$folder" -type f -printf '%f\n' | sort | xargs)" = "request.txt response.txt" ] ||
	fail "other files were left: $(ls -A "$folder")"

# What a line says of its VM is never believed: it is right, or refused.
answers "error: *pool*is B*pool A" B:2:7:1:2
answers "error: *priority*is 0*priority 2" A:0:7:1:2
answers "error: *priority*is 1*priority 2" A:1:7:1:2
answers "error: *vm_id*not*this folder" A:2:8:1:2
answers "error: *vm_id*not*this folder" A:2:0:1:2
answers "error: *no numbers*" A:2:7:1:2147483648
answers "error: *neither*" "nonsense"
answers "error: *no VM with vm_id 8*" A:2:8:1:2 "$tree/vm8"
answers 3 A:2:7:1:2
[ "$(vm .counters.failed)" = 7 ] || fail "refusals were not counted: $(vm .counters)"

# Folders of other names are nobody's.
for name in vm07 vm other; do
	echo A:2:7:1:2 >"$tree/$name/request.txt"
done
answers 3 A:2:7:1:2
[ -z "$(find "$tree"/{vm07,vm,other} -name response.txt)" ] || fail "another folder was answered"

# The second format, by hand: 1 2 3 and 10 20 30, added.
v1() {
	answers "vgpu/1 $1 $2" "vgpu/1 $1 $3"
}
pointer() {
	old_client "vgpu/1 $1 alloc 12 0" | sed "s/^vgpu\/1 $1 ok //"
}
v1 1 "ok" nop
v1 2 "ok 5" "add 2 3"
a=$(pointer 3) b=$(pointer 4) c=$(pointer 5)
v1 6 ok "copy 0 $a = 010000000200000003000000"
v1 7 ok "copy 0 $b = 0a000000140000001e000000"
hex() { # the pointer's 8 bytes, as they are in memory
	local word
	for word in $1; do
		printf '%08x' "$word" | sed 's/\(..\)\(..\)\(..\)\(..\)/\4\3\2\1/'
	done
}
v1 8 ok "kernel 1 1 1 3 1 1 0 8 32 = 766164645f693332$(hex "$a")$(hex "$b")$(hex "$c")$(hex "3 0")"
v1 9 "ok = 0b0000001600000021000000" "copy 1 $c 12"
v1 10 "ok" "free $a"
v1 11 "error 5 1 : *" "free $a"
v1 12 "error 1 : *operation*" "frob"
v1 13 "error 1 : *param_count*" "free"
v1 14 "ok" "nop async"
v1 15 "ok" "synchronize"
v1 16 "ok 1 *" "info"
v1 18446744073709551615 "ok" "reset"
[ "$(vm .usage.gpu_memory_bytes)" = 0 ] || fail "memory is left: $(vm .usage)"

# A line counts when it is whole: its end may come later, and a rename brings all of it at once.
rm -f "$folder/response.txt"
before=$(vm .counters.requests)
printf 'A:2:7:1' >"$folder/request.txt"
answers "error: *no VM*" A:2:8:3:4 "$tree/vm8" # folders were looked at meanwhile
[ ! -e "$folder/response.txt" ] || fail "half a line was answered: $(cat "$folder/response.txt")"
printf '0:5\n' >>"$folder/request.txt"
wait_for 60 test -s "$folder/response.txt" || fail "the rest of the line was not seen"
[ "$(cat "$folder/response.txt")" = 15 ] || fail "10 + 5 is $(cat "$folder/response.txt")"
[ "$(vm .counters.requests)" = $((before + 1)) ] || fail "half a line was counted"
rm -f "$folder/response.txt"
echo A:2:7:20:22 >"$folder/new"
mv "$folder/new" "$folder/request.txt"
wait_for 60 test -s "$folder/response.txt" || fail "a request that was renamed was not seen"
[ "$(cat "$folder/response.txt")" = 42 ] || fail "20 + 22 is $(cat "$folder/response.txt")"

# A client that writes its next request in place the moment that the answer is there loses none.
cat >"$dir/eager" <<'END'
import os, sys, time

os.chdir(sys.argv[1])
for i in range(int(sys.argv[2])):
    try:
        os.unlink("response.txt")
    except FileNotFoundError:
        pass
    with open("request.txt", "w") as file:
        file.write(f"A:2:7:{i}:1\n")
    end = time.monotonic() + 60
    while not os.path.exists("response.txt"):
        if time.monotonic() > end:
            sys.exit(f"{i} + 1 is not answered: {open('request.txt').read()!r}")
    with open("response.txt") as file:
        answer = file.read()
    if answer != f"{i + 1}\n":
        sys.exit(f"{i} + 1 is {answer!r}")
END
said=$(python3 "$dir/eager" "$folder" 1000 2>&1) || fail "$said"

# A client that gave up waiting and asks again gets no answer to what it asked before.
rest POST "/v1/vms/$uuid/pause" >/dev/null
rm -f "$folder/response.txt"
requests=$(vm .counters.requests)
completed=$(vm .counters.completed)
counted() {
	[ "$(vm ".counters.$1")" -gt "$2" ]
}
echo A:2:7:100:200 >"$folder/request.txt"
wait_for 60 counted requests "$requests" || fail "the request was not taken"
printf 'A:2:7:1:' >"$folder/request.txt"
rest POST "/v1/vms/$uuid/resume" >/dev/null
wait_for 60 counted completed "$completed" || fail "the request was not done"
answers "error: *no VM*" A:2:8:3:4 "$tree/vm8" # folders were looked at meanwhile
[ ! -e "$folder/response.txt" ] || fail "the old request was answered: $(cat "$folder/response.txt")"
printf '2\n' >>"$folder/request.txt"
wait_for 60 test -s "$folder/response.txt" || fail "the new request was not answered"
[ "$(cat "$folder/response.txt")" = 3 ] || fail "1 + 2 is $(cat "$folder/response.txt")"

# With nothing to do it does nothing: what it does to a folder wakes it no more than once.
woken() {
	cat /proc/"$mediator_pid"/task/*/status | awk '/^voluntary_ctxt/ { sum += $2 } END { print sum }'
}
sleep 0.2
before=$(woken)
sleep 2 # the time that is looked at
after=$(woken)
[ $((after - before)) -lt 500 ] || fail "woken $((after - before)) times in 2 s without requests"

# The VM's limits hold here, too.
put_vm "$uuid" '{"vm_id":7,"priority":"high","quotas":{"requests_per_second":1,"burst":1}}'
says() {
	# shellcheck disable=SC2053 # a pattern
	[[ $(old_client A:2:7:1:2) == $1 ]]
}
wait_for 60 says "error: request rate*" || fail "the rate limit does not hold"
wait_for 60 says 3 || fail "nothing is served within the rate limit"
finish
