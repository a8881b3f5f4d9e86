# shellcheck shell=bash
# shellcheck disable=SC2034 # those who source it use the variables
# SPDX-License-Identifier: Apache-2.0
# For benchmarks: which side of a request runs on which of the host's processors. The requests come
# from $first, and what serves them has the $others, unless $pin is "no".

# pin_to LIST: this process, and what it starts from now on; nothing where nothing is to be pinned.
pin_to() {
	[ "$pin" = no ] || taskset -p -c "$1" $$ >/dev/null
}

pin=${pin:-yes}
if [ "$(nproc)" -lt 2 ] || ! command -v taskset >/dev/null; then
	pin=no
fi

# Of those that this process may use: "0-3,8" is a list as taskset takes it.
processors() {
	taskset -p -c $$ | sed 's/.*: //' | tr ',' '\n' | while IFS=- read -r low high; do
		seq "$low" "${high:-$low}"
	done
}

first_processor() {
	processors | head -n 1
}

other_processors() {
	processors | tail -n +2 | paste -sd, -
}

first=$(first_processor)
others=$(other_processors)
