#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A file's offerings are planned first, made with --yes, and then nothing is to be done; what CloudStack
# refuses half way is finished the next time; files that make no sense are refused.
# shellcheck source=tests/cloudstack/lib.bash
. "${top_srcdir:?}/tests/cloudstack/lib.bash"
make_site
start_server
configure
printf 'api-key = writer\nsecret-key = w\n' >"$dir/key"

apply() {
	timeout 120 "$program" offerings apply --config "$dir/cloudstack.conf" "$@" "$dir/file.json"
}
# site FILTER: what CloudStack has now.
site() {
	jq -c ".serviceofferings | map({name, serviceofferingdetails, memory}) | $1" "$dir/site.json"
}

cat >"$dir/file.json" <<'END'
{"offerings": [
 {"name": "gpu.silver", "parameters": {"cpunumber": "2", "memory": "4096"},
  "details": {"vgpu.priority": "medium", "vgpu.memory": "4GiB"}},
 {"name": "gpu.bronze", "parameters": {"memory": "512"},
  "details": {"vgpu.weight": "7", "vgpu.burst": "9"}},
 {"name": "gpu.gold", "details": {"vgpu.priority": "low", "vgpu.weight": "70", "vgpu.memory": "2GiB",
  "vgpu.longest-job": "3s"}},
 {"name": "plain"}]}
END
# gpu.gold is disabled, and there: no second one is made.
plan='+ gpu.silver: create
~ gpu.bronze: vgpu.weight: 5 -> 7
~ gpu.bronze: vgpu.burst: nothing -> 9'
expect 0 "$plan
Nothing was done: --yes does it." apply
[ ! -e "$dir/site.json" ] || fail "something was done"
expect 0 "$plan" apply --yes
[ "$(site '.[] | select(.name == "gpu.silver")')" = '{"name":"gpu.silver","serviceofferingdetails":{"vgpu.priority":"medium","vgpu.memory":"4GiB"},"memory":4096}' ] ||
	fail "made $(site .)"
[ "$(site '.[] | select(.name == "gpu.bronze") | .serviceofferingdetails')" = '{"vgpu.weight":"7","vgpu.burst":"9"}' ] ||
	fail "made $(site .)"
expect 0 'Nothing is to be done.' apply --yes

# What the file does not have any more goes, what is not ours stays, what cannot change is told.
sed -i 's/, "vgpu.burst": "9"//; s/"memory": "4096"/"memory": "8192"/' "$dir/file.json"
expect 0 '! gpu.silver: memory is 4096 and not 8192: CloudStack cannot change it
- gpu.bronze: vgpu.burst: was 9' apply --yes
[ "$(site '.[] | select(.name == "gpu.bronze") | .serviceofferingdetails')" = '{"vgpu.weight":"7"}' ] ||
	fail "made $(site .)"

# A job that fails is told, and done the next time.
sed -i 's/"vgpu.weight": "7"/"vgpu.weight": "8"/' "$dir/file.json"
mode job-fails
expect 69 'addResourceDetail: CloudStack'"'"'s job failed: it failed' apply --yes
mode limited
expect 75 'HTTP status 429' apply --yes
mode
expect 0 'vgpu.weight: 7 -> 8' apply --yes
expect 0 'Nothing is to be done.' apply

# A key that may only read shows the plan, and may do no more.
printf 'api-key = reader\nsecret-key = s/ecret+r~*\n' >"$dir/key"
sed -i 's/"vgpu.weight": "8"/"vgpu.weight": "9"/' "$dir/file.json"
expect 0 '~ gpu.bronze: vgpu.weight: 8 -> 9' apply
expect 69 'not available for the account' apply --yes

while IFS='|' read -r text said; do
	echo "$text" >"$dir/file.json"
	expect 65 "$said" apply
done <<'END'
<html>|not valid JSON
[]|it must be
{"offerings": []}|it must be
{"offerings": [], "x": 1}|it must be
{"offerings": [5]}|offering 1: it is no object
{"offerings": [{"name": "a"}, {"name": "a"}]}|offering 2: the name is another's
{"offerings": [{"name": ""}]}|must be texts
{"offerings": [{"name": "a", "x": 1}]}|unknown key "x"
{"offerings": [{"name": "a", "parameters": {"apikey": "x"}}]}|none that can be given
{"offerings": [{"name": "a", "parameters": {"a&b": "x"}}]}|none that can be given
{"offerings": [{"name": "a", "parameters": {"memory": 5}}]}|must be a text
{"offerings": [{"name": "a", "details": {"colour": "x"}}]}|does not begin with vgpu.
{"offerings": [{"name": "a", "details": {"vgpu.colour": "x"}}]}|unknown key "vgpu.colour"
{"offerings": [{"name": "a", "details": {"vgpu.memory": "2GB"}}]}|vgpu.memory cannot be "2GB"
{"offerings": [{"name": "a", "details": {"vgpu.memory": "99999999TiB"}}]}|cannot be
{"offerings": [{"name": "a", "details": {"vgpu.longest-job": "5"}}]}|cannot be
END
expect 65 'cannot open' "$program" offerings apply "$dir/none"
expect 64 'see vgpu-cloudstack help offerings' "$program" offerings apply
expect 64 'see vgpu-cloudstack help offerings' "$program" offerings destroy x
finish
