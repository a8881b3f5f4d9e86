#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# doctor on an installation: each thing that can be wrong with it, in a system in a folder.
# shellcheck source=tests/ctl/lib.bash
. "${top_srcdir:?}/tests/ctl/lib.bash"
need jq
unset VGPUCTL_SOCKET
root=$dir/root
mkdir -p "$root" "$dir/run/link" "$dir/state"
chmod 755 "$dir" "$dir/run" "$dir/run/link"
write_config() {
	printf '%s\n' '[mediatord]' "control-socket = $dir/run/control.sock" \
		"link-dir = $dir/run/link" "state = $dir/state/state.db" "$@" >"$dir/doctor.conf"
}

# message CHECK; finds CHECK RESULT TEXT [CURE].
message() {
	"$ctl" doctor --config "$dir/doctor.conf" --root "$root" --json |
		jq -r --arg name "$1" '.checks[] | select(.name == $name).message'
}
finds() {
	local found

	found=$("$ctl" doctor --config "$dir/doctor.conf" --root "$root" --json |
		jq -r --arg name "$1" '.checks[] | select(.name == $name) |
			.result + " " + .message + " DO " + (.cure // "")')
	[[ $found == "$2 "*"$3"*" DO "*"${4-}"* ]] || fail "$1: '$found', not $*"
}

# Makes a file of the system's, with this text.
system_file() {
	mkdir -p "$root${1%/*}"
	printf '%s\n' "${2-}" >"$root$1"
}
write_config

# What libvirt remembers of the emulator.
wrapper=$(message qemu | sed "s|^$root||; s/: .*//")
finds libvirt-caches skipped "there is no $wrapper"
system_file "$wrapper"
finds libvirt-caches ok "as they are"
system_file /usr/bin/qemu-system-x86_64
finds libvirt-caches warning "/usr/bin/qemu-system-x86_64 is newer than $wrapper" vgpu-rebuild-module
touch "$root$wrapper"
finds libvirt-caches ok "as they are"

# The hook is where libvirt looks: in this build's own folder, where that is not another one.
hook=$(message hook | sed "s|^$root||; s/: .*//")
system_file "$hook" "#!/bin/sh
echo 'control-socket = $dir/run/control.sock'"
finds hook failed "Permission denied" "install the hook"
chmod 755 "$root$hook"
finds hook ok "$hook"
if [ "${hook%/*}" != /etc/libvirt/hooks/qemu.d ]; then
	mkdir -p "$root/etc/libvirt"
	finds hook warning "is not where libvirt looks, in /etc/libvirt/hooks/qemu.d" sysconfdir
fi

# Folders.
finds folders ok "only their owner"
chmod 775 "$dir/run/link"
finds folders failed "$dir/run/link has mode 0775" "chmod go-w"
chmod 755 "$dir/run/link"
chmod 1777 "$dir/state"
finds folders failed "$dir/state has mode 1777" "chmod go-w"
rmdir "$dir/state"
finds folders failed "$dir/state: No such file" systemd-tmpfiles
touch "$dir/state"
finds folders failed "$dir/state is no folder"
rm "$dir/state"
mkdir "$dir/state"
if [ "$(id -u)" = 0 ]; then
	chown 4711 "$dir/state"
	finds folders failed "$dir/state belongs to user 4711" chown
	chown 0 "$dir/state"
fi
finds folders ok "only their owner"

# Units.
finds units skipped "systemd does not run"
mkdir -p "$root/run/systemd/system"
finds units failed "systemd has no vgpu-mediatord.service" daemon-reload
system_file /usr/lib/systemd/system/vgpu-mediatord.service
finds units failed "systemd has no vgpu-keeper.service"
system_file /lib/systemd/system/vgpu-keeper.service
finds units warning "is not enabled" "systemctl enable --now vgpu-mediatord"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s /usr/lib/systemd/system/vgpu-mediatord.service \
	"$root/etc/systemd/system/multi-user.target.wants/vgpu-mediatord.service"
finds units ok "is enabled"
ln -s /dev/null "$root/etc/systemd/system/vgpu-keeper.service"
finds units failed "vgpu-keeper.service is masked" "systemctl unmask"

# Groups: what mediatord.conf names is looked up on this host, who is in it below the root.
write_config "control-group ="
finds groups ok "neither link-group nor control-group"
write_config "link-group = root" "control-group = daemon"
daemon=$(getent group daemon | cut -d: -f3)
finds groups skipped "is not to be found"
system_file /etc/passwd "libvirt-qemu:x:64055:994::/:/bin/false"
system_file /etc/group "root:x:0:"
finds groups failed "libvirt-qemu is not in link-group (0)" "gpasswd -a"
system_file /etc/group "root:x:0:other,libvirt-qemu"
finds groups ok "QEMU's user is libvirt-qemu"
system_file /etc/group "root:x:0:libvirt-qemu
daemon:x:$daemon:libvirt-qemu"
finds groups failed "is in control-group ($daemon)" "gpasswd -d"
system_file /etc/passwd "libvirt-qemu:x:64055:994::/:/bin/false
other:x:5000:0::/:/bin/false"
system_file /etc/libvirt/qemu.conf '#user = "root"
 user = "+5000"'
finds groups ok "QEMU's user is other"
system_file /etc/libvirt/qemu.conf 'user = "nobody-knows"'
finds groups skipped "is not to be found"
system_file /etc/passwd "nobody-knows:x:0:0::/:/bin/sh"
finds groups ok "QEMU's user is nobody-knows"

# AppArmor.
local=/etc/apparmor.d/local/abstractions/libvirt-qemu
part=/etc/apparmor.d/abstractions/libvirt-qemu.d/vgpu
finds apparmor skipped "is off"
system_file /sys/module/apparmor/parameters/enabled N
finds apparmor skipped "is off"
system_file /sys/module/apparmor/parameters/enabled Y
finds apparmor skipped "no AppArmor profiles"
system_file /etc/apparmor.d/abstractions/libvirt-qemu "#include <abstractions/base>"
finds apparmor failed "$part: No such file" "install the toolkit"
system_file "$part" "/elsewhere/qemu-system-x86_64-vgpu rmix,"
finds apparmor failed "does not allow $wrapper"
system_file "$part" "$(message apparmor)"
finds apparmor failed "do not include $part" "include if exists <abstractions/libvirt-qemu.d>"
system_file "$local"
cure=$("$ctl" doctor --config "$dir/doctor.conf" --root "$root" --json |
	jq -r '.checks[] | select(.name == "apparmor").cure')
bash -c "${cure/>>/>>$root}"
finds apparmor ok "include $part"
rm "$root$local"
system_file /etc/apparmor.d/abstractions/libvirt-qemu \
	"include if exists <abstractions/libvirt-qemu.d>"
finds apparmor ok "include $part"

# SELinux.
finds selinux skipped "is off"
system_file /sys/fs/selinux/enforce 1
finds selinux failed "SELinux is enforcing" "semodule -i"
system_file /sys/fs/selinux/enforce 0
finds selinux warning "SELinux is permissive" "restorecon -R"
mkdir -p "$root/var/lib/selinux/targeted/active/modules/400/vgpu"
finds selinux ok "is loaded"
finish
