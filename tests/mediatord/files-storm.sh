#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A guest that changes its folder as fast as it can: request.txt becomes a link, a FIFO, a folder, a
# device and a file in turn while it is looked at, grows while it is read, and thousands of other names
# come and go. Nothing outside is read or written, and another VM is served all the time.
# shellcheck source=tests/mediatord/files-lib.bash
. "${top_srcdir:?see tests/README.md}/tests/mediatord/files-lib.bash"
need curl jq python3
other=6f1f2c3d-0a1b-4c5d-8e9f-001122334499
mkdir "$tree/vm9"
start_files
put_vm "$other" '{"vm_id":9}'

# What no answer may be: what is outside says 100 + 200, and nothing inside does.
echo A:2:7:100:200 >"$dir/secret"
chmod 0666 "$dir/secret"
ln "$dir/secret" "$dir/second"

# storm ROUNDS: ends with "leaked" where an answer came from outside.
cat >"$dir/storm" <<'END'
import os, shutil, stat, sys

folder, secret, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.chdir(folder)


def regular(line):
    with open("new", "w") as file:
        file.write(line)


def folder_instead():
    os.mkdir("new")
    with open("new/request.txt", "w") as file:
        file.write("A:2:7:100:200\n")


def device():
    try:
        os.mknod("new", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        os.mkfifo("new")


makers = [
    lambda: os.symlink(secret, "new"),
    lambda: regular("A:2:7:1:2\n"),
    lambda: os.link(secret, "new"),
    lambda: os.mkfifo("new"),
    lambda: regular("A:2:7:1:"),
    folder_instead,
    device,
    lambda: regular("A:2:7:3:4\n" * 1000),
]


def put():
    """Renamed into place where the kernel lets it, or after what was there is moved away."""
    try:
        os.rename("new", "request.txt")
    except OSError:
        if os.path.isdir("request.txt"):
            shutil.rmtree("request.txt")
        else:
            os.unlink("request.txt")
        os.rename("new", "request.txt")


for i in range(rounds):
    makers[i % len(makers)]()
    put()
    try:
        with open("response.txt") as file:
            if file.read().strip() == "300":
                sys.exit("leaked")
    except FileNotFoundError:
        pass
shutil.rmtree("request.txt") if os.path.isdir("request.txt") else os.unlink("request.txt")
END

# other_is_served_during COMMAND...
other_is_served_during() {
	local pid i=0

	"$@" >"$dir/storm.log" 2>&1 &
	pid=$!
	started+=("$pid")
	while kill -0 "$pid" 2>/dev/null; do
		i=$((i + 1))
		answers $((i + 1)) "A:1:9:$i:1" "$tree/vm9"
	done
	wait "$pid" || fail "$*: $(cat "$dir/storm.log")"
	[ "$i" -gt 0 ] || fail "nobody was asked"
}

unharmed() {
	[ "$(cat "$dir/secret")" = A:2:7:100:200 ] || fail "$1: what is outside was written to"
	rm -rf "${folder:?}"/*
	answers 3 A:2:7:1:2
	kill -0 "$mediator_pid" || fail "$1: the mediator ended"
}

other_is_served_during python3 "$dir/storm" "$folder" "$dir/secret" 3000
unharmed "kinds of files"

# It grows, and shrinks, while it is read: only whole lines count, and those that were there.
cat >"$dir/grow" <<'END'
import os, sys

with open(sys.argv[1] + "/request.txt", "w") as file:
    for i in range(int(sys.argv[2])):
        file.write("A:2:7:1:2" * 700)
        file.flush()
        if i % 3 == 0:
            os.ftruncate(file.fileno(), i % 5000)
END
other_is_served_during python3 "$dir/grow" "$folder" 2000
unharmed "a file that grows"

# Thousands of names, of which none is request.txt, and renames between them: more than the kernel's
# queue of changes holds.
cat >"$dir/names" <<'END'
import os, sys

os.chdir(sys.argv[1])
for i in range(int(sys.argv[2])):
    with open(f"name{i % 3000}", "w") as file:
        file.write("x")
    os.rename(f"name{i % 3000}", f"other{i % 3000}")
END
other_is_served_during python3 "$dir/names" "$folder" 20000
unharmed "thousands of names"
[ "$(vm .usage.gpu_memory_bytes)" = 0 ] || fail "memory is left: $(vm .usage)"
finish
