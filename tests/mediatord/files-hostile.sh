#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whatever a guest puts into its folder: nothing outside is read or written, the mediator goes on
# serving, this VM too once that is gone, and the others all the time.
# shellcheck source=tests/mediatord/files-lib.bash
. "${top_srcdir:?see tests/README.md}/tests/mediatord/files-lib.bash"
need curl jq mkfifo
other=6f1f2c3d-0a1b-4c5d-8e9f-001122334499
mkdir "$tree/vm9"
start_files
put_vm "$other" '{"vm_id":9}'

# remove FOLDER: though the mediator may put an answer there meanwhile.
remove() {
	until rm -rf "$1" 2>/dev/null; do :; done
}

still_serves() {
	answers 3 A:1:9:1:2 "$tree/vm9"
	rm -rf "${folder:?}"/*
	answers 3 A:2:7:1:2
	rm -rf "${folder:?}"/*
}

# Whether all requests so far were answered, though not in the folder.
taken_by_vm() {
	[ "$(vm '.counters | .requests == .completed + .failed')" = true ] &&
		[ "$(vm .counters.requests)" -gt "$requests_before" ]
}

# At once: what is removed piece by piece is replaced by the mediator in the middle.
move_away() {
	rm -rf "$dir/aside"
	mkdir "$dir/aside"
	mv -t "$dir/aside" "$folder/.response.new"
	[ ! -d "$folder/response.txt" ] || mv -t "$dir/aside" "$folder/response.txt"
}

# is_refused WORD: what is in request.txt is refused, and the reason holds this word.
is_refused() {
	wait_for 60 test -s "$folder/response.txt" || { fail "no answer that says '$1'"; return; }
	grep -q "^error: .*$1" "$folder/response.txt" ||
		fail "does not say '$1': $(cat "$folder/response.txt")"
}

echo A:2:7:100:200 >"$dir/secret"
chmod 0666 "$dir/secret"
for link in "$dir/secret" ../../secret ../vm9/request.txt missing /dev/zero .; do
	ln -s "$link" "$folder/request.txt"
	is_refused link
	[ "$(cat "$dir/secret")" = A:2:7:100:200 ] || fail "$link was written to"
	still_serves
done
ln "$dir/secret" "$folder/request.txt"
is_refused "other names"
[ "$(cat "$dir/secret")" = A:2:7:100:200 ] || fail "a hard link was written to"
still_serves
mkfifo "$folder/request.txt"
is_refused "regular"
still_serves
mkdir -p "$folder/request.txt/request.txt"
is_refused "regular"
still_serves

# Too long, with and without lines in it, and sparse.
head -c 4096 /dev/zero | tr '\0' x >"$folder/long"
echo >>"$folder/long"
mv "$folder/long" "$folder/request.txt"
is_refused "longer"
still_serves
truncate -s 1T "$folder/large" 2>/dev/null || truncate -s 1G "$folder/large"
mv "$folder/large" "$folder/request.txt"
is_refused "longer"
wait_for 60 taken || fail "a large request was not emptied"
still_serves
printf 'A:2:7:1\0:2\n' >"$folder/request.txt"
is_refused "numbers"
still_serves
printf '\0\0\0\n' >"$folder/request.txt"
is_refused "neither"
still_serves
printf 'A:2:7:1:2\n\n\n' >"$folder/request.txt"
is_refused "numbers"
still_serves
# No newline ever comes.
printf 'A:2:7:1:2' >"$folder/request.txt"
is_refused "newline"
still_serves

# The answer replaces what stands in its place, and writes through nothing.
ln -s "$dir/secret" "$folder/response.txt"
ln -s "$dir/secret" "$folder/.response.new"
echo A:2:7:1:2 >"$folder/request.txt"
regular() {
	[ -f "$folder/response.txt" ] && [ ! -L "$folder/response.txt" ]
}
wait_for 60 regular || fail "the link stands where the answer should"
[ "$(cat "$folder/response.txt")" = 3 ] || fail "1 + 2 is $(cat "$folder/response.txt")"
[ "$(cat "$dir/secret")" = A:2:7:100:200 ] || fail "the answer was written through a link"
still_serves
mkdir -p "$folder/response.txt/in the way" "$folder/.response.new/too"
echo A:2:7:1:2 >"$folder/request.txt"
wait_for 60 grep -q "cannot answer in vm7" "$dir/mediator.log" || fail "the failure is not logged"
answers 3 A:1:9:1:2 "$tree/vm9"
move_away
wait_for 60 test -s "$folder/response.txt" || fail "the answer did not come after all"
[ "$(cat "$folder/response.txt")" = 3 ] || fail "1 + 2 is $(cat "$folder/response.txt")"
still_serves

# A guest cannot fill the log by that.
for _ in 1 2 3 4 5; do
	requests_before=$(vm .counters.requests)
	mkdir -p "$folder/.response.new/in the way"
	echo A:2:7:1:2 >"$folder/request.txt"
	wait_for 60 taken_by_vm || fail "the request was not taken"
	move_away
	wait_for 60 test -s "$folder/response.txt" || fail "the answer did not come after all"
	rm "$folder/response.txt"
done
[ "$(grep -c "cannot answer in vm7" "$dir/mediator.log")" -lt 5 ] || fail "each failure is logged"

# No room for the answer: it waits until there is some.
if command -v prlimit >/dev/null; then
	prlimit --pid "$mediator_pid" --fsize=0:
	completed=$(vm .counters.completed)
	echo A:2:7:20:30 >"$folder/request.txt"
	was_done() {
		[ "$(vm .counters.completed)" -gt "$completed" ]
	}
	wait_for 60 was_done || fail "the request was not taken"
	[ ! -s "$folder/response.txt" ] || fail "an answer that cannot have been written"
	prlimit --pid "$mediator_pid" --fsize=unlimited:
	wait_for 60 test -s "$folder/response.txt" || fail "no answer when there was room again"
	[ "$(cat "$folder/response.txt")" = 50 ] || fail "20 + 30 is $(cat "$folder/response.txt")"
	still_serves
fi

# Folder and tree come and go, as a mount does, also with a request under way.
for _ in $(seq 20); do
	echo A:2:7:1:2 >"$folder/request.txt"
	remove "$folder"
	mkdir "$folder"
done
answers 3 A:2:7:1:2
mv "$tree" "$dir/away"
wait_for 60 grep -q "files-dir: $tree: No such file" "$dir/mediator.log" || fail "not missed"
mkdir -p "$folder"
answers 3 A:2:7:1:2
remove "$tree"
mv "$dir/away" "$tree"
answers 3 A:2:7:1:2

# A guest that writes without end keeps nobody from being served.
while :; do echo nonsense >"$folder/request.txt"; done &
writer=$!
started+=("$writer")
for i in 1 2 3; do
	answers $((i + 1)) "A:1:9:$i:1" "$tree/vm9"
done
kill "$writer"
wait "$writer" 2>/dev/null || true
still_serves

# kill -9 with a request under way: the next mediator answers it.
worker=$(vm .worker.pid)
kill -STOP "$worker"
requests=$(vm .counters.requests)
echo A:2:7:40:2 >"$folder/request.txt"
under_way() {
	[ "$(vm .counters.requests)" -gt "$requests" ]
}
wait_for 60 under_way || fail "the request was not taken"
stop_mediator KILL
start_mediator
wait_for 60 test -s "$folder/response.txt" || fail "the request was lost with the mediator"
[ "$(cat "$folder/response.txt")" = 42 ] || fail "40 + 2 is $(cat "$folder/response.txt")"
kill -CONT "$worker" 2>/dev/null || true
still_serves
stop_mediator
finish
