#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What vgpu-agent refuses before it needs a device: exit status, message, and no output file.
set -eu

agent=${top_builddir:?see tests/README.md}/guest-agent/vgpu-agent
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
nobody=(--transport "local:$dir/none.sock" --timeout 0.1)
failed=0

# refused STATUS TEXT ARGUMENT...: vgpu-agent ends so, and says TEXT.
refused() {
	local wanted=$1 text=$2 status=0 said

	shift 2
	said=$("$agent" "${nobody[@]}" "$@" 2>&1 </dev/null) || status=$?
	if [ "$status" != "$wanted" ] || [[ $said != *"$text"* ]]; then
		echo "FAIL: vgpu-agent $*: status $status, wanted $wanted; said: $said; wanted: $text"
		failed=1
	fi
	if [ -e out ] || compgen -G 'out.*' >/dev/null; then
		echo "FAIL: vgpu-agent $* left an output file"
		rm -f out out.*
		failed=1
	fi
}

printf '1\n2\n3\n' >a
printf '4\n5\n6\n' >b
printf '1\n2\n' >short
printf '1\ntwo\n3\n' >word
: >empty
mkdir folder

refused 64 "no command"
refused 64 "'fly' is not a command" fly
refused 64 "invalid option" info -x
refused 64 "one argument too many" info a
refused 64 "--timeout: '-1'" --timeout -1 info
refused 64 "--timeout: 'nan'" --timeout nan info
refused 64 "'carrier-pigeon' is not a transport" -T carrier-pigeon info
refused 64 "nop: --count: '0'" nop -n 0
refused 64 "bench: --count: '1x'" bench -n 1x
refused 64 "bench: --window: '1'" bench --window 1
refused 64 "a module and a kernel are needed" run builtin --grid 1 --block 1
refused 64 "--grid and --block are needed" run builtin vadd_i32 --grid 1
refused 64 "--grid: '0'" run builtin vadd_i32 --grid 0 --block 1
refused 64 "--block: '1,2,3,4'" run builtin vadd_i32 --grid 1 --block 1,2,3,4
refused 64 "--shared: 'x'" run builtin vadd_i32 --grid 1 --block 1 --shared x
refused 64 "--arg: 'i32:4294967296'" run builtin vadd_i32 --grid 1 --block 1 --arg i32:4294967296
refused 64 "--arg: 'out:file'" run builtin vadd_i32 --grid 1 --block 1 --arg out:file
refused 66 "missing: No such file" run builtin vadd_i32 --grid 1 --block 1 --arg in:missing
refused 66 "empty: not a file with bytes" run builtin vadd_i32 --grid 1 --block 1 --arg inout:empty
refused 73 "folder: not a regular file" run builtin vadd_i32 --grid 1 --block 1 --arg out:folder:4
refused 69 "opening a channel: the host's mediator does not answer" run builtin vadd_i32 --grid 1 --block 1 --arg out:file:4
refused 64 "daemon: 'now' is one argument too many" daemon now
refused 64 "a local vGPU goes with its process" daemon
refused 64 "'carrier-pigeon' is not a transport" -T carrier-pigeon daemon
refused 64 "'5' is not a PCI address" -T pci:5 daemon
refused 69 "ffff:ff:1f.7" -T pci:ffff:ff:1f.7 daemon
refused 64 "two vectors are needed, and 1 given" add a -o out
refused 64 "--output" add a b
refused 64 "'f64' is not f32 or i32" add a b -o out --type f64
refused 64 "only one vector can be read from standard input" add - - -o out
refused 64 "cannot share standard output" add a b -o - --json

refused 65 "word:2: not a decimal number: 'two'" add word b -o out
refused 65 "word:2: not a decimal number: 'two'" add a word -o out
refused 65 "b:3: the vectors differ in length: short has 2 numbers, and b 3" add short b -o out
refused 65 "a:3: the vectors differ in length: a has 3 numbers, and short 2" add a short -o out
refused 65 "empty:1: there is no number in this file" add empty b -o out
refused 65 "standard input:1: there is no number" add - b -o out
refused 66 "missing: No such file or directory" add missing b -o out
refused 73 "folder: not a regular file" add a b -o folder
refused 73 "nowhere/out" add a b -o nowhere/out
refused 69 "the host's mediator does not answer" add a b -o out
refused 69 "the host's mediator does not answer" nop
refused 69 "the host's mediator does not answer" bench

# An older output file stays as it was.
echo precious >out.old
mv out.old kept
status=0
"$agent" "${nobody[@]}" add a b -o kept >/dev/null 2>&1 || status=$?
if [ "$status" != 69 ] || [ "$(cat kept)" != precious ]; then
	echo "FAIL: output replaced"
	failed=1
fi

# With --json, an error is an object.
status=0
said=$("$agent" "${nobody[@]}" --json add word b -o out) || status=$?
wanted='{"error":{"code":"data","message":"word:2: not a decimal number: '"'two'"'","exit_status":65}}'
if [ "$status" != 65 ] || [ "$said" != "$wanted" ]; then
	echo "FAIL: --json: $status $said"
	failed=1
fi

# info works without a mediator, and says that there is none.
said=$("$agent" "${nobody[@]}" info)
[[ $said == *"link"*"down"* ]] || { echo "FAIL: info: $said"; failed=1; }

# Standard output that is full is an error.
if [ -c /dev/full ]; then
	status=0
	"$agent" "${nobody[@]}" info >/dev/full 2>err || status=$?
	if [ "$status" != 74 ] || ! grep -q 'standard output: No space' err; then
		echo "FAIL: /dev/full: $status $(cat err)"
		failed=1
	fi
fi
exit $failed
