#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# zsh's completion, in a zsh that reads it as the function that is installed, and gets keys.
# shellcheck source=tests/ctl/lib.bash
. "${top_srcdir:?}/tests/ctl/lib.bash"
need jq script zsh
PATH=$top_builddir/mediatord:$PATH
start_mediator
put_vm "$uuid" '{"name":"web1"}'
put_vm "$other" '{"name":"two words"}'
mkdir "$dir/functions" "$dir/folder"
touch "$dir/a-file"
cp "$top_srcdir/mediatord/ctl/completion.sh" "$dir/functions/_vgpuctl"

# Each completion adds what zsh was offered that fits; ^X then says what the line has become.
cat >"$dir/setup" <<'END'
fpath=($PWD/functions $fpath)
autoload -Uz compinit
compinit -D -u
compadd() {
	local -a fitting
	builtin compadd -O fitting "$@"
	print -rl -- $fitting >>$PWD/offered
	builtin compadd "$@"
}
line() {
	print -r -- "line $BUFFER" >>$PWD/offered
	BUFFER=
}
zle -N line
bindkey '^X' line
bindkey '^I' complete-word
unsetopt beep
: >ready
END
mkfifo "$dir/keys"
(cd "$dir" && exec env -u ZDOTDIR TERM=dumb script -qfec "stty cols 200; exec zsh -f -i" "$dir/screen" \
	<"$dir/keys" >/dev/null) &
started+=($!)
exec 8>"$dir/keys"
echo ". ./setup" >&8
wait_for 60 [ -e "$dir/ready" ] || fail "zsh does not start: $(cat -v "$dir/screen")"

# completes WANTED LINE TEXT: at the end of the text, which becomes this line.
completes() {
	local got

	rm -f "$dir/offered"
	printf '%s\t\030' "$3" >&8
	wait_for 60 grep -qs '^line ' "$dir/offered" || fail "$3: $(cat -v "$dir/screen")"
	got=$(grep -vE '^(line .*)?$' "$dir/offered" | sort -u | tr '\n' ' ')
	[ "${got% }" = "$1" ] || fail "$3: '$got', not '$1'"
	got=$(sed -n 's/^line //p' "$dir/offered")
	[ "$got" = "$2" ] || fail "$3: became '$got', not '$2'"
}

completes "token top" "vgpuctl to" "vgpuctl to"
completes "release reset resume" "vgpuctl vm re" "vgpuctl vm re"
completes "web1" "vgpuctl vm show web1 " "vgpuctl vm show "
completes "web1" "vgpuctl --socket $VGPUCTL_SOCKET vm show web1 " "vgpuctl --socket $VGPUCTL_SOCKET vm show w"
completes "window=" "vgpuctl vm set web1 window=" "vgpuctl vm set web1 win"
completes "" "vgpuctl profile set gold nam" "vgpuctl profile set gold nam"
completes "--interval" "vgpuctl top --interval " "vgpuctl top --inte"
completes "operate" "vgpuctl token add x y --role operate " "vgpuctl token add x y --role o"
completes "a-file" "vgpuctl backup a-file " "vgpuctl backup a-"
completes "folder" "vgpuctl doctor --root folder/" "vgpuctl doctor --root fo"
finish
