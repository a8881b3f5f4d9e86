#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every block of commands in docs/cloudstack.md and docs/cloudstack-offerings.md, in the order of the
# documents and as it stands there, but for the folders, which are the test's. CloudMonkey's commands
# go to a stand-in that knows the API's names and parameters; systemctl's to what runs here.
# shellcheck source=tests/cloudstack/lib.bash
. "${top_srcdir:?}/tests/cloudstack/lib.bash"
need openssl dpkg-divert
[ -x "$top_builddir/mediatord/vgpuctl" ] || skip "vgpuctl is not built: configure says what it lacks"
PATH=$top_builddir/mediatord:$PATH
export VGPUCTL_SOCKET=$dir/control.sock DPKG_ADMINDIR=$dir/dpkg

cmk() {
	/usr/bin/python3 "$top_srcdir/tests/cloudstack/cmk.py" "$dir/site.json" "$@"
}

vgpu-cloudstack() {
	local config=()

	[ "$1" != sync ] || config=(--config "$dir/cloudstack.conf")
	timeout 120 "$program" "$@" "${config[@]}"
}

systemctl() {
	case $* in
	'reload vgpu-mediatord') kill -HUP "$mediator_pid" ;;
	'restart cloudstack-agent') ;;
	'enable --now vgpu-cloudstack-sync') start_sync ;;
	'disable --now vgpu-cloudstack-sync') kill "$service" && wait "$service" ;;
	*) fail "no such service here: $*" ;;
	esac
}

# read_blocks DOCUMENT: its indented blocks, with the test's folders.
read_blocks() {
	mapfile -d '' -t blocks < <(awk '/^    / { print substr($0, 5); in_block = 1; next }
		in_block { printf "%c", 0; in_block = 0 }' "$top_srcdir/docs/$1" |
		sed -e "s|/usr/share/vgpu/cloudstack|$dir/share|g" \
			-e "s|/usr/share/vgpu/examples|$top_srcdir/data|g" \
			-e "s|/usr/share/cloudstack-common|$dir/common|g" \
			-e "s|/etc/cloudstack|$dir/etc|g" -e "s|/etc/vgpu|$dir|g" -e "s|/run/vgpu|$dir|g" \
			-e "s|/var/lib/vgpu|$dir|g")
	document=$1
}

# next BEGINNING: sets block to the next one of the document, which begins so.
next() {
	block=${blocks[0]-}
	blocks=("${blocks[@]:1}")
	[[ $block == "$1"* ]] || { fail "docs/$document: '$block' is not '$1'"; finish; }
}

# A command of a block that fails ends the test.
set -E
trap 'echo "FAIL: docs/${document-}: ${block-}: $(cat "$dir/output")"' ERR

# run: the block; what it says is in $dir/output.
run() {
	eval "$block" >"$dir/output" 2>&1
	cd "$dir"
}

# does BEGINNING: the next block runs.
does() {
	next "$1"
	run
}

over() {
	[ ${#blocks[@]} = 0 ] || fail "docs/$document: not run: ${blocks[*]}"
}

# A host with CloudStack's agent, whose own script knows no GPU.
read_blocks cloudstack.md
scripts=$dir/common/scripts/vm/hypervisor/kvm
mkdir -p "$dir/share" "$scripts" "$DPKG_ADMINDIR"
printf '#!/bin/sh\necho '\''{"gpus":[]}'\''\n' >"$scripts/gpudiscovery.sh"
chmod +x "$scripts/gpudiscovery.sh"
for script in gpudiscovery libvirt-vm-xml-transformer libvirt-vm-state-change; do
	sed "s|exec .*/vgpu-cloudstack \([a-z]*\)|exec $program \1|
		s|discover|& --seats $dir/seats.json --libvirt qemu:///system?socket=$dir/none|
		s|transform |& --seats $dir/seats.json |" \
		"$top_builddir/cloudstack-plugin/$script.sh" >"$dir/share/$script.sh"
done
start_mediator
make_site
cp "$dir/site.in.json" "$dir/site.json"
next 'mediatord.conf: seats' # a picture
next '[profile gold]'
echo "$block" >>"$dir/mediatord.conf"
does 'systemctl reload vgpu-mediatord'
seats() { [ "$(vgpuctl --json seat list | jq '[.seats[] | select(.profile == "gold")] | length')" = 8 ]; }
wait_for 60 seats || fail "no seats: $(vgpuctl seat list)"
does "cd $dir/share"
# What jq shows of all that the block says is the one document in it.
sed -n '/^{/,$p' "$dir/output" | jq -e '.gpus[0].vgpu_instances | map(select(.profile_name == "vgpu-gold"))
	| length == 8' >/dev/null || fail "discover: $(cat "$dir/output")"
[ "$("$dir/etc/agent/hooks/libvirt-vm-xml-transformer.sh" transform '<domain/>')" = '<domain/>' ] ||
	fail "the transformer does not work"
"$dir/etc/agent/hooks/libvirt-vm-state-change.sh" onStart i-2-1-VM || fail "the state does not work"
next '{"offerings"'
jq -e '.offerings["gpu.gold"] == "gold"' <<<"$block" >/dev/null || fail "no JSON: $block"
does 'cmk create serviceoffering'
# Of an agent before 4.21, which has it in place of the shell script.
cd "$dir/share"
cp "$top_builddir/cloudstack-plugin/libvirt-vm-xml-transformer.groovy" .
does 'install -m 0644 libvirt-vm-xml-transformer.groovy'
unset scripts
touch "$dir/cloudstack-profiles.json" "$dir/gpudiscovery.json"
does "scripts=$dir/common"
[ ! -e "$dir/cloudstack-profiles.json" ] || fail "the map of profiles is there"
[ ! -e "$dir/gpudiscovery.json" ] || fail "the last answer is there"
[ "$("$scripts/gpudiscovery.sh")" = '{"gpus":[]}' ] || fail "the original is not back"
[ -z "$(ls "$dir/etc/agent/hooks")" ] || fail "left: $(ls "$dir/etc/agent/hooks")"
over

# The offerings, from a key to the first VM.
read_blocks cloudstack-offerings.md
start_server
put_vm "$uuid" '{"name":"i-2-1-VM"}'
next 'name=vgpu-sync'
account=$(tail -n +3 <<<"$block")
run
mv "$dir/output" "$dir/keys"
does 'name=vgpu-offerings'
block=$account
run
does 'install -m 0600 /dev/null admin.key'
next 'install -m 0600'
# An operator's editor, between two commands.
block=${block/$'\n'vgpu-cloudstack/$'\nrm -f "$dir/cloudstack.conf"; configure; cat "$dir/keys" >"$dir/cloudstack.key"
	sed -i "s|^key-file = .*|key-file = $dir/cloudstack.key|" "$dir/cloudstack.conf"\nvgpu-cloudstack'}
run
grep -q "^$uuid i-2-1-VM {.*\"weight\":70" "$dir/output" || fail "no dry run: $(cat "$dir/output")"
offered() { [ "$(vm .weight)" = 70 ]; }
wait_for 60 offered || fail "the service does not sync: $(cat "$dir/sync.log")"
sed "s|^key-file = .*|key-file = $dir/admin.key|" "$dir/cloudstack.conf" >"$dir/admin.conf"
printf 'api-key = writer\nsecret-key = w\n' >"$dir/admin.key"
chmod 0600 "$dir/admin.key"
# As if there were no offering of this name.
change '.serviceofferings |= map(select(.name != "gpu.gold"))'
start_server
sed -i "s|^api-url = .*|api-url = http://127.0.0.1:$port/client/api|" "$dir/admin.conf"
does 'cat >offerings.json'
grep -q '^+ gpu.gold: create' "$dir/output" || fail "no plan: $(cat "$dir/output")"
jq -e '.serviceofferings[] | select(.name == "gpu.gold")
	| .serviceofferingdetails == {"vgpu.priority": "high", "vgpu.memory": "8GiB"} and
	(.vgpuprofileid | test("^[0-9a-f-]{36}$"))' "$dir/site.json" >/dev/null ||
	fail "made $(cat "$dir/site.json")"
does 'cmk create webhook'
next '"plugins"'
jq -e '.plugins[0] | .name and .path' <<<"{$block}" >/dev/null || fail "no JSON: $block"
does 'cmk update configuration'
does 'systemctl disable --now'
for file in cloudstack.conf cloudstack.key; do
	[ ! -e "$dir/$file" ] || fail "$file is there"
done
next 'curl --unix-socket'
[ "$(vm .sources.weight)" = cloudstack ] || fail "before: $(vm .sources) $(cat "$dir/sync.log")"
block=${block//UUID/$uuid}
run
[ "$(vm .sources.weight)" != cloudstack ] || fail "what the offering said stays: $(cat "$dir/output")"
blocks[0]=${blocks[0]//OFFERING/$bronze}
does 'cmk delete webhook'
over

# The stand-in finds what is misspelt.
for wrong in 'create rolepermision roleid=x' 'create role nam=x' 'create role type=Admin' \
	'delete role id=' 'register userkeys id=null'; do
	# shellcheck disable=SC2086  # words
	! cmk $wrong >/dev/null 2>&1 || fail "cmk $wrong is taken"
done
finish
