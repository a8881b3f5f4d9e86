# shellcheck shell=bash
# shellcheck disable=SC2034 # the tests use the variables
# SPDX-License-Identifier: Apache-2.0
# What the system tests share. A test runs in namespaces of its own, as PID 1 of its PID namespace:
# whatever it starts dies with it, its libvirt, mediator and network are nobody else's, and any
# number of tests can run at once. Beforehand, `make check-system` installs the project with
# DESTDIR and makes the guest; a test sees that installation at the prefix that it was built for.
#
#	. "$top_srcdir/tests/system/lib.sh"
#	isolate "$@"

: "${top_srcdir:?run this test with make check-system SYSTEM_TESTS=tests/system/NAME.sh}"
: "${top_builddir:?}" "${VGPU_PREFIX:?}" "${VGPU_BINDIR:?}" "${VGPU_SBINDIR:?}"
: "${VGPU_PKGLIBEXECDIR:?}" "${VGPU_HOOKSDIR:?}"

scripts=$top_srcdir/scripts
dest=$top_builddir/tests/system/root # made by make check-system
work=/run/vgpu-test                  # on the private /run: gone with the test
control=/run/vgpu/control.sock
link_dir=/run/vgpu/link
emulator=$VGPU_BINDIR/qemu-system-x86_64-vgpu
worker=$VGPU_PKGLIBEXECDIR/vgpu-worker
keeper=$VGPU_PKGLIBEXECDIR/vgpu-keeper
keeper_socket=/run/vgpu/keeper.sock
guest_uuid=6f0f6c1e-5d0b-4f8f-9a57-3f0f9d7c0001
mediator_pid=

skip() {
	echo "SKIP: $*"
	exit 77
}

# fail MESSAGE: ends the test; the trap shows the logs.
fail() {
	echo "FAIL: $*"
	exit 1
}

say() {
	echo "$(date +%T.%3N) $*"
}

# need PROGRAM PACKAGE...
need() {
	while [ $# -ge 2 ]; do
		command -v "$1" >/dev/null || skip "$1 is missing (Debian: $2)"
		shift 2
	done
}

show_logs() {
	local log
	for log in "$work"/*.log "$work"/console/* /var/log/libvirt/qemu/*.log; do
		[ -s "$log" ] || continue
		echo "--- the end of $log"
		tail -n 40 "$log"
	done
}

finish() {
	local status=$?
	trap - EXIT
	if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
		show_logs
	fi
	exit "$status"
}

# Goes on in new mount, PID and network namespaces, with a private /run and libvirt folders, and the
# project installed at its prefix.
isolate() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	if [ -z "${VGPU_TEST_ISOLATED:-}" ]; then
		need unshare util-linux ip iproute2 virsh libvirt-clients libvirtd libvirt-daemon \
			virtlogd libvirt-daemon qemu-system-x86_64 qemu-system-x86 curl curl jq jq \
			python3 python3
		unshare --mount --pid --net true 2>/dev/null || skip "unshare is not permitted"
		[ -d "$dest" ] || fail "$dest is missing: run this test with make check-system"
		VGPU_TEST_ISOLATED=1 exec unshare --mount --pid --net --fork --kill-child \
			--mount-proc "$0" "$@"
	fi
	trap finish EXIT
	ip link set lo up
	mount --make-rprivate /
	mount --bind "$dest$VGPU_PREFIX" "$VGPU_PREFIX"
	mount -t tmpfs -o mode=0755,size=2g tmpfs /run
	mkdir -p /run/lock /run/libvirt "$work/console" "$work/image"
	chmod 0777 "$work/console" # QEMU's uid writes there
	local dir
	for dir in etc lib log cache; do
		mkdir -p "$work/libvirt/$dir"
		case $dir in
		etc) dir=/etc/libvirt ;;
		*) dir=/var/$dir/libvirt ;;
		esac
		mkdir -p "$dir"
		mount --bind "$work/libvirt/$(sed 's,/var/,,; s,/libvirt,,; s,^/,,' <<<"$dir")" "$dir"
	done
	cat >/etc/libvirt/qemu.conf <<-EOF
	# cgroups are not private to a namespace of ours
	cgroup_controllers = []
	# libvirt would move the mount over /dev/kvm, and cannot
	namespaces = []
	EOF
	# Tests run under TCG. Where /dev/kvm is there but not libvirt's to use, libvirt 9 probes the
	# emulator again for every architecture that it knows: 11 s.
	if [ -e /dev/kvm ]; then
		: >"$work/no-kvm"
		chmod 0 "$work/no-kvm"
		mount --bind "$work/no-kvm" /dev/kvm
	fi
	cp "$top_builddir"/tests/system/guest/* "$work/image/"
}

# wait_until SECONDS WHAT COMMAND...: polls COMMAND until it succeeds.
wait_until() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || fail "not within the time allowed: $what"
		sleep 0.02
	done
}

# Milliseconds since the Unix epoch.
now_ms() {
	echo "$((${EPOCHREALTIME/./} / 1000))"
}

virsh_() {
	virsh -q -c qemu:///system "$@"
}

# The project's hook; libvirt sees it when it starts.
install_hook() {
	mkdir -p /etc/libvirt/hooks/qemu.d
	cp "$dest$VGPU_HOOKSDIR/vgpu" /etc/libvirt/hooks/qemu.d/vgpu
}

start_libvirt() {
	virtlogd -d
	libvirtd -d
	wait_until 60 "libvirtd answers" virsh_ list
}

write_config() {
	cat >"$work/mediatord.conf" <<-EOF
	[mediatord]
	control-socket = $control
	link-dir = $link_dir
	libvirt-run-dir = /run/libvirt/qemu
	state = $work/state/state.db
	backend = cpu
	default-pool = A
	log-level = debug
	[pool A]
	gpus = 0
	[profile gold]
	pool = A
	priority = high
	EOF
	mkdir -p "$work/state"
}

# The next mediator leaves definitions as they are.
attach_nothing() {
	[ -f "$work/mediatord.conf" ] || write_config
	sed -i 's/^\[pool A\]/libvirt-attach = no\n&/' "$work/mediatord.conf"
}

# Starts the mediator and waits until it answers; $mediator_pid is its pid.
start_mediator() {
	[ -f "$work/mediatord.conf" ] || write_config
	"$VGPU_SBINDIR/vgpu-mediatord" --config "$work/mediatord.conf" >>"$work/mediatord.log" 2>&1 &
	mediator_pid=$!
	wait_until 60 "the mediator answers" rest GET /healthz
}

# stop_mediator [SIGNAL]
stop_mediator() {
	kill -s "${1:-TERM}" "$mediator_pid"
	wait "$mediator_pid" || true
	mediator_pid=
}

# rest METHOD PATH [BODY]: prints the answer's body; fails on a status from 400 up.
rest() {
	local body=()
	[ $# -lt 3 ] || body=(--data-binary "$3" --header 'Content-Type: application/json')
	curl --silent --show-error --fail-with-body --max-time 60 --unix-socket "$control" \
		--request "$1" "${body[@]}" "http://localhost$2"
}

# vm FILTER [UUID]: what the mediator says of the VM, through jq.
vm() {
	rest GET "/v1/vms/${2:-$guest_uuid}" | jq -r "$1"
}

# vm_is FILTER [UUID]: whether the jq filter gives true.
vm_is() {
	[ "$(vm "$1" "${2:-$guest_uuid}")" = true ]
}

# register [NAME [UUID]]: what the hook does by itself where it is installed.
register() {
	rest PUT "/v1/vms/${2:-$guest_uuid}" "{\"name\": \"${1:-guest}\"}" >/dev/null
}

# define_guest [NAME [UUID [MACHINE [PROFILE]]]]
define_guest() {
	local name=${1:-guest} uuid=${2:-$guest_uuid}
	"$scripts/guest-domain" "$name" "$uuid" "$work/image" "$emulator" \
		"$work/console/$name" "${3:-q35}" "${4:-default}" >"$work/$name-plain.xml"
	"$VGPU_BINDIR/vgpu-xml" attach <"$work/$name-plain.xml" >"$work/$name.xml"
	virsh_ define "$work/$name.xml"
}

# boot_guest [NAME]: starts it and waits until it serves commands.
boot_guest() {
	virsh_ start "${1:-guest}"
	wait_guest "${1:-guest}"
}

# wait_guest [NAME]
wait_guest() {
	wait_until 180 "guest ${1:-guest} serves commands" in_guest_of "${1:-guest}" 10 true
}

# in_guest_of NAME SECONDS COMMAND: the exit status is COMMAND's.
in_guest_of() {
	"$scripts/guest-ctl" --timeout "$2" "$(guest_port "$1")" run "$3"
}

# in_guest COMMAND
in_guest() {
	in_guest_of guest 120 "$1"
}

# The host's end of the guest's port: libvirt's folder carries the domain's run-time number.
guest_port() {
	local port
	for port in /var/lib/libvirt/qemu/channel/target/domain-*-"$1"/org.vgpu.guest; do
		[ -S "$port" ] && echo "$port"
	done | tail -n 1
}

guest_put() {
	"$scripts/guest-ctl" --timeout 60 "$(guest_port guest)" put "$1" "$2"
}

guest_get() {
	"$scripts/guest-ctl" --timeout 60 "$(guest_port guest)" get "$1" "$2"
}

# expect STATUS COMMAND...: runs it, output and errors to $work/output, and checks its exit status.
expect() {
	local wanted=$1 status=0
	shift
	"$@" >"$work/output" 2>&1 || status=$?
	[ "$status" -eq "$wanted" ] || {
		cat "$work/output"
		fail "exit status $status, not $wanted, from: $*"
	}
}

# Pids of the processes that run this program, by its path; the namespace has no others.
pids_of() {
	local dir
	for dir in /proc/[0-9]*; do
		[ "$(readlink "$dir/exe" 2>/dev/null)" = "$1" ] && echo "${dir#/proc/}"
	done
	return 0
}

# no_process PATH: whether nothing runs this program.
no_process() {
	[ -z "$(pids_of "$1")" ]
}

# make_vectors COUNT: $work/a, $work/b and, with every sum rounded once, $work/sum.
make_vectors() {
	python3 - "$1" "$work" <<-'EOF'
	import random, struct, sys
	count, work = int(sys.argv[1]), sys.argv[2]
	def single(x):
	    return struct.unpack("f", struct.pack("f", x))[0]
	generator = random.Random(count)
	a = [single(generator.uniform(-1e6, 1e6)) for _ in range(count)]
	b = [single(generator.uniform(-1, 1)) for _ in range(count)]
	for name, values in (("a", a), ("b", b), ("sum", [single(x + y) for x, y in zip(a, b)])):
	    with open(f"{work}/{name}", "w") as file:
	        file.writelines(f"{value:.9g}\n" for value in values)
	EOF
}

# same_numbers FILE FILE: equal as float32 values, however they are written.
same_numbers() {
	python3 - "$1" "$2" <<-'EOF'
	import struct, sys
	def values(path):
	    with open(path) as file:
	        return [struct.pack("f", float(line)) for line in file]
	one, other = values(sys.argv[1]), values(sys.argv[2])
	sys.exit(0 if one == other and one else f"{sys.argv[1]} and {sys.argv[2]} differ")
	EOF
}

# put_vectors COUNT: two vectors, /tmp/a and /tmp/b in the guest.
put_vectors() {
	make_vectors "$1"
	guest_put "$work/a" /tmp/a
	guest_put "$work/b" /tmp/b
}

# check_sum: what the guest has in /tmp/sum is the sum of the last put_vectors().
check_sum() {
	guest_get /tmp/sum "$work/got"
	same_numbers "$work/got" "$work/sum" || fail "/tmp/sum is wrong"
}

add_vectors() {
	in_guest "rm -f /tmp/sum; vgpu-agent add /tmp/a /tmp/b -o /tmp/sum"
}

# begin_adding: has the guest add its vectors by the mailbox, over and over, until that fails or
# end_adding() is called: under way however late this host looks. $completed is how many requests of
# the VM were completed before the first of them.
begin_adding() {
	completed=$(vm .counters.completed)
	# shellcheck disable=SC2016 # the guest's shell expands these
	in_guest 'rm -f /tmp/enough /tmp/added
		{
			status=0
			while [ "$status" = 0 ] && [ ! -e /tmp/enough ]; do
				rm -f /tmp/sum
				vgpu-agent add --mailbox /tmp/a /tmp/b -o /tmp/sum
				status=$?
			done
			echo "$status" >/tmp/added.new
			mv /tmp/added.new /tmp/added
		} >/tmp/adding.log 2>&1 </dev/null &'
	# The first requests alone would be its opening.
	wait_until 60 "an addition is under way" vm_is ".counters.completed > $completed + 200"
}

# until_added: waits for the end of the additions, shows what they said, and sets $added to the last
# one's exit status.
until_added() {
	wait_until 60 "the additions end" in_guest "test -e /tmp/added"
	in_guest "cat /tmp/adding.log"
	added=$(in_guest "cat /tmp/added")
}

# end_adding: lets the addition that is under way be the last.
end_adding() {
	in_guest ": >/tmp/enough"
	until_added
}

# until_served: waits until the next request is served, and says how long that took.
until_served() {
	local since
	since=$(now_ms)
	wait_until 60 "the next request is served" in_guest_of guest 30 "vgpu-agent --timeout 10 nop"
	say "$1: the next request was served after $(($(now_ms) - since)) ms"
}

# Ends the test unless these sockets, and no others, are in the mediator's folders.
only_sockets() {
	local found
	found=$(find /run/vgpu -type s | sort)
	[ "$found" = "$(printf '%s\n' "$@" | sort)" ] || fail "sockets: $found, and not: $*"
}
