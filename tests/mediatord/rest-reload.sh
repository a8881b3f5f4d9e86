#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SIGHUP: what can change while the mediator runs does, the rest is named, a bad file changes nothing.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
start_daemon

# reload TEXT: and waits until the log says that, as often as it did before and once more.
reload() {
	local before
	before=$(grep -c "$1" "$work/log") || true
	kill -HUP "$daemon_pid"
	for _ in $(seq 1200); do
		if [ "$(grep -c "$1" "$work/log")" -gt "$before" ]; then return; fi
		sleep 0.05
	done
	fail "no '$1' in the log"
}

expect 201 PUT "$vm1" '{"profile":"gold"}'
has '"queue_depth":9'
sed -i 's/^queue-depth = 9/queue-depth = 5/; s/^priority = high/priority = low/' "$work/mediatord.conf"
printf '[profile bronze]\npool = A\nweight = 3\n' >>"$work/mediatord.conf"
reload 'was read anew'
expect 200 GET "$vm1"
has '"queue_depth":5'
has '"priority":"low"'
expect 200 GET /v1/profiles/bronze
has '"origin":"file"'
expect 201 PUT "$vm2" '{"profile":"bronze"}'

# What only a restart can change is named; the rest of the file is in force.
sed -i 's/^weight = 3/weight = 4/; s|^link-dir = .*|&2|; s/^gpus = 1/gpus = 2/' "$work/mediatord.conf"
reload 'was read anew'
grep -q 'link-dir has changed: restart' "$work/log" || fail "the folder's change is not named"
grep -q '\[pool B\] has changed' "$work/log" || fail "the pool's change is not named"
expect 200 GET "$vm2"
has '"weight":4'
[ -S "$work/run/link/$uuid2.sock" ] || fail "the link socket went"

# So is every key that only a restart can change, as the manual page lists them.
cp "$work/mediatord.conf" "$work/before"
{
	cat <<CONF
[mediatord]
control-socket = $work/other.sock
control-group = 5
listen = 127.0.0.1:1
tls-certificate = $work/certificate
tls-key = $work/key
insecure-loopback = yes
link-dir = $work/links
link-group = 5
libvirt-run-dir = $work/libvirt
libvirt-uri = test:///default
libvirt-attach = no
reconciler = $work/reconciler
state = $work/other.db
worker = $work/worker
worker-uid-base = 100000000
keeper = $work/keeper
keeper-socket = $work/keeper.sock
keeper-wait = 90s
gpuinfo = $work/gpuinfo
backend = cuda
software-gpus = 3
context-memory = 3MiB
context-idle = 7s
warm-workers = 3
window-commitment = 3MiB
allow-pageable-access = yes
files-dir = $work/files
files-poll = 50ms
files-notify = no
CONF
	sed '1,/^\[pool A\]/ { /^\[pool A\]/!d }' "$work/before"
} >"$work/mediatord.conf"
reload 'was read anew'
count=0
for key in $(sed -n '/^\.SH RELOADING/,/^\.SH FILES/ p' "$top_srcdir/man/mediatord.conf.5" |
	sed '1,/^\.I \[mediatord\]/d' | sed -n 's/^\.BR* \([a-z\\-]*\).*/\1/p' | tr -d '\134'); do
	grep -q " $key has changed: restart" "$work/log" || fail "$key is not named"
	count=$((count + 1))
done
[ "$count" = "$(sed '/^\[pool/,$d' "$work/mediatord.conf" | grep -c =)" ] || fail "$count keys are listed"
cp "$work/before" "$work/mediatord.conf"

# The default pool counts for operators' profiles, too.
expect 201 PUT /v1/profiles/plain '{}'
has '"pool":"A"'
sed -i 's/^\[mediatord\]/&\ndefault-pool = B/' "$work/mediatord.conf"
reload 'was read anew'
expect 200 GET /v1/profiles/plain
has '"pool":"B"'

# A memory commitment counts at once, for what comes then.
sed -i 's/^gpus = 0/gpus = 0\nmemory-commitment = 50/' "$work/mediatord.conf"
reload 'was read anew'
expect 200 GET /v1/pools
has '"memory_commitment_percent":50'

# A file with an error, and one without a profile that a VM has, change nothing.
cp "$work/mediatord.conf" "$work/good"
echo 'speed = 9' >>"$work/mediatord.conf"
reload 'the configuration stays as it was'
sed '/^\[profile bronze\]/,$d' "$work/good" >"$work/mediatord.conf"
reload 'the configuration stays as it was'
expect 200 GET "$vm2"
has '"weight":4'
lacks '"problem"'
stop_daemon TERM
