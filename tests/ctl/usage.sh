#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What vgpuctl refuses before it asks anybody, and what it takes from where.
# shellcheck source=tests/ctl/lib.bash
. "${top_srcdir:?}/tests/ctl/lib.bash"

expect 64 "no command" "$ctl"
expect 64 "'fly' is not a command" "$ctl" fly
expect 64 "vm: what of it?" "$ctl" vm
expect 64 "'vm fly' is not a command" "$ctl" vm fly
expect 64 "an argument is missing" "$ctl" vm show
expect 64 "'two' is one argument too many" "$ctl" vm show one two
expect 64 "unrecognized option" "$ctl" vm list --fly
expect 64 "--force is no option of vm list" "$ctl" vm list --force
expect 64 "--once is no option ahead of a command" "$ctl" --once top
expect 64 "--timeout: '0'" "$ctl" --timeout 0 vm list
expect 64 "--timeout: 'nan'" "$ctl" -t nan vm list
expect 64 "--interval: '-1'" "$ctl" top --interval -1
expect 64 "help: 'fly' is not a command" "$ctl" help fly
expect 64 "exclude each other" "$ctl" --socket a --url https://b vm list
for url in ftp://host host:80 https:// https://user@host https://host/path 'https://host?x' \
	"https://ho st"; do
	expect 64 "is not https://HOST" "$ctl" --url "$url" vm list
done
for url in http://host http://127.evil.example http://localhost.example:80 'http://[::2]'; do
	expect 64 "without TLS" "$ctl" --url "$url" vm list
done
for url in http://localhost:9 http://127.0.0.1:9 'http://[::1]:9'; do
	expect 69 "cannot reach the mediator at $url" "$ctl" --url "$url" vm list
done

# A token is read from its owner's file alone, and shown to nobody.
echo "s3cret-token" >"$dir/token"
chmod 640 "$dir/token"
expect 78 "chmod 600" "$ctl" --url http://localhost:9 --token-file "$dir/token" vm list
[[ $said != *s3cret* ]] || fail "the token is shown: $said"
chmod 600 "$dir/token"
expect 69 "cannot reach" "$ctl" --url http://localhost:9 --token-file "$dir/token" --json vm list
[[ $said != *s3cret* ]] || fail "the token is shown: $said"
for token in '' 'two words' $'a\tb' $'a\nb'; do
	echo "$token" >"$dir/token"
	expect 78 "no token is in this file" "$ctl" --url http://localhost:9 \
		--token-file "$dir/token" vm list
done
expect 66 "none: No such file" "$ctl" --url http://localhost:9 --token-file "$dir/none" vm list

# The environment stands for options, and options go before it.
expect 69 "$dir/env.sock" env VGPUCTL_SOCKET="$dir/env.sock" "$ctl" vm list
expect 69 "$dir/option.sock" env VGPUCTL_SOCKET="$dir/env.sock" "$ctl" --socket "$dir/option.sock" vm list
expect 69 "http://localhost:9" env VGPUCTL_URL=http://localhost:9 "$ctl" vm list
expect 69 "$dir/option.sock" env VGPUCTL_URL=http://localhost:9 "$ctl" --socket "$dir/option.sock" vm list
expect 78 "no token" env VGPUCTL_URL=http://localhost:9 VGPUCTL_TOKEN_FILE="$dir/token" "$ctl" vm list
expect 69 '"code": "unavailable"' "$ctl" --json vm list
expect 74 "standard output" bash -c '"$1" help >/dev/full' bash "$ctl"
finish
