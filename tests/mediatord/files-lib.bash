# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For the tests of the file protocol: a mediator that serves $tree, in which $folder is vm7's, and an
# old client, written from what is known of the prototype's guests alone.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"

tree=$dir/tree
folder=$tree/vm7
mkdir -p "$folder"

# start_files [LINES]: the mediator, with these lines besides files-dir, and vm7.
start_files() {
	mediatord_lines="files-dir = $tree
${1-}"
	start_mediator
	put_vm "$uuid" '{"vm_id":7,"priority":"high"}'
}

# old_client LINE [FOLDER]: writes the request, polls every 100 ms for at least 60 s, and prints the
# answer.
old_client() {
	local in=${2:-$folder} tries=0

	rm -f "$in/response.txt"
	printf '%s\n' "$1" >"$in/request.txt"
	until [ -s "$in/response.txt" ]; do
		tries=$((tries + 1))
		[ "$tries" -le 600 ] || { echo "no answer within 60 s"; return 1; }
		sleep 0.1
	done
	cat "$in/response.txt"
}

# answers TEXT LINE [FOLDER]: the answer to the line is TEXT, or, ending in *, begins with it.
answers() {
	local wanted=$1 got

	shift
	got=$(old_client "$@") || true
	# shellcheck disable=SC2053 # a pattern
	[[ $got == $wanted ]] || fail "the answer to '$1' is '$got', not '$wanted'"
}

# Whether the request was emptied, as a guest may wait for.
taken() {
	[ -f "$folder/request.txt" ] && [ ! -s "$folder/request.txt" ]
}
