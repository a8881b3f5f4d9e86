# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For the tests of vgpu-cloudstack: a stand-in for CloudStack's management server with a site of its
# own, and the configuration to ask it.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
program=$top_builddir/cloudstack-plugin/vgpu-cloudstack
[ -x "$program" ] || skip "vgpu-cloudstack is not built"
need jq curl python3

host1=aaaaaaaa-0000-4000-8000-000000000001
gold=bbbbbbbb-0000-4000-8000-000000000001
bronze=bbbbbbbb-0000-4000-8000-000000000002
plain=bbbbbbbb-0000-4000-8000-000000000003
uuid2=7f1f2c3d-0a1b-4c5d-8e9f-001122334455
uuid3=8f1f2c3d-0a1b-4c5d-8e9f-001122334455

# A site of two hosts, with two VMs on the first one: one of a project. Tenants wrote what they can:
# details, tags and names, with whatever might be taken for an offering's.
make_site() {
	jq -n --arg h1 "$host1" --arg gold "$gold" --arg bronze "$bronze" --arg plain "$plain" \
		--arg u1 "$uuid" --arg u2 "$uuid2" --arg u3 "$uuid3" '
	{"vgpu.priority": "high", "vgpu.weight": "9999", "vgpu.memory": "0", "vgpu.profile": "gold",
	 "serviceofferingid": $bronze, "serviceofferingdetails": "{\"vgpu.burst\": \"9\"}",
	 "extraconfig-1": "vgpu.priority:high"} as $details |
	{details: $details, displayname: "x\nvgpu.priority=high", name: "vgpu.priority=high",
	 userdata: ("vgpu.priority=high" | @base64), group: "vgpu.priority=high", vgpu: $details,
	 vgpuprofileid: $bronze, priority: "high", weight: 9999, quotas: {burst: 9},
	 tags: [$details | to_entries[] | {key, value, resourcetype: "UserVm"}]} as $tenant |
	{keys: {reader: {secret: "s/ecret+r~*", role: "reader"}, writer: {secret: "w", role: "admin"}},
	 hosts: [{id: $h1, name: "kvm1", type: "Routing"},
		 {id: "aaaaaaaa-0000-4000-8000-000000000002", name: "kvm12", type: "Routing"}],
	 serviceofferings: [
		{id: $gold, name: "gpu.gold", state: "Inactive", serviceofferingdetails: {
			"vgpu.priority": "low", "vgpu.weight": "70", "vgpu.memory": "2GiB",
			"vgpu.longest-job": "3s", "other": "x"}},
		{id: $bronze, name: "gpu.bronze", state: "Active", serviceofferingdetails: {"vgpu.weight": "5"}},
		{id: $plain, name: "plain", state: "Active"}],
	 virtualmachines: [
		$tenant + {id: $u1, instancename: "i-2-1-VM", hostid: $h1, state: "Running",
			serviceofferingid: $gold},
		$tenant + {id: $u2, instancename: "i-2-2-VM", hostid: $h1, state: "Running",
			serviceofferingid: $bronze, projectid: "p"},
		{id: $u3, instancename: "i-2-3-VM", hostid: "aaaaaaaa-0000-4000-8000-000000000002",
		 state: "Running", serviceofferingid: $gold}]}' >"$dir/site.in.json"
}

start_server() {
	rm -f "$dir/port"
	/usr/bin/python3 "$top_srcdir/tests/cloudstack/management_server.py" "$dir/site.in.json" "$dir" \
		>"$dir/server.log" 2>&1 &
	started+=($!)
	wait_for 60 test -s "$dir/port" || { cat "$dir/server.log"; exit 1; }
	port=$(cat "$dir/port")
}

# configure [LINE]...: for the key of a reader.
configure() {
	printf 'api-key = reader\nsecret-key = s/ecret+r~*\n' >"$dir/key"
	chmod 0600 "$dir/key"
	{
		printf 'api-url = http://127.0.0.1:%s/client/api\nkey-file = %s\nhost = kvm1\n' "$port" "$dir/key"
		printf 'control-socket = %s\ntimeout = 60000ms\n' "$dir/control.sock"
		printf '%s\n' "$@"
	} >"$dir/cloudstack.conf"
}

# mode [MODE [COMMAND]...]: what happens to the server's answers from now on.
mode() {
	echo "$*" >"$dir/mode.tmp"
	mv "$dir/mode.tmp" "$dir/mode"
}

# change FILTER...: another site, for a server that is started again.
change() {
	jq "$@" "$dir/site.in.json" >"$dir/site.new.json"
	mv "$dir/site.new.json" "$dir/site.in.json"
}

sync_once() {
	timeout 120 "$program" sync --config "$dir/cloudstack.conf" --once "$@"
}

# start_sync: the service, whose log is $dir/sync.log.
start_sync() {
	"$program" sync --config "$dir/cloudstack.conf" 2>"$dir/sync.log" &
	service=$!
	started+=("$service")
}

# rounds N: whether so many of the service's resyncs ended well.
rounds() {
	[ "$(grep -c 'VMs on host' "$dir/sync.log")" -ge "$1" ]
}

# said TEXT [N]: whether the service said so, N times.
said() {
	[ "$(grep -c -- "$1" "$dir/sync.log")" -ge "${2-1}" ]
}

# use_webhook: lines for the configuration of a service that listens at port $hook, its key being "hush".
use_webhook() {
	hook=$("$top_srcdir/tests/free-port")
	echo 'secret-key = hush' >"$dir/webhook.key"
	chmod 0600 "$dir/webhook.key"
	webhook_lines=("webhook-listen = 127.0.0.1:$hook" "webhook-key-file = $dir/webhook.key")
}

webhook_listens() {
	curl -s -o "$dir/answer" --max-time 60 "http://127.0.0.1:$hook/"
}

# sign KEY: of what is on standard input.
sign() {
	openssl dgst -sha256 -hmac "$1" -binary | base64 -w 0
}

# event TIME N
event() {
	printf '{"event":"VM.START","entityuuid":"%s","eventDateTime":"%s","n":%s}' \
		"$uuid" "$(date -u -d "$1" '+%Y-%m-%d %H:%M:%S +0000')" "$2"
}

# post STATUS BODY SIGNATURE [OPTION]...
post() {
	local wanted=$1 body=$2 signature=$3 got
	shift 3
	got=$(printf %s "$body" | curl -s -o "$dir/answer" -w '%{http_code}' --max-time 60 \
		--data-binary @- -H "X-CS-Signature: $signature" -H 'X-CS-Event: VM.START' -H 'Expect:' "$@" \
		"http://127.0.0.1:$hook/") || true
	[ "$got" = "$wanted" ] || fail "answered $got, not $wanted: $(cat "$dir/answer"), $body"
}
