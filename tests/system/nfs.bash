# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For tests whose guest shares a folder with the host over NFS: a server of the test's own, without
# the host's kernel, and a network card through which the guest reaches the host's loopback.
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"

ganesha=$top_builddir/tests/system/ganesha.unpacked # made by make check-system
tree=$work/tree                             # files-dir
nfs_pid=

# export_folder NUMBER FOLDER NAME: one entry of the server's configuration.
export_folder() {
	cat <<-EOF
	EXPORT {
		Export_Id = $1; Path = "$2"; Pseudo = "/$3"; Access_Type = RW;
		Squash = No_Root_Squash; Protocols = 4; SecType = sys;
		Attr_Expiration_Time = 0; # others change the folder, too, as a kernel's server sees
		FSAL { Name = VFS; }
	}
	EOF
}

# start_nfs NAME...: exports these folders of $tree; "tree" is all of it.
start_nfs() {
	local name number=0
	[ -x "$ganesha/ganesha.nfsd" ] || skip "nfs-ganesha could not be downloaded"
	mkdir -p "$tree" "$work/recovery" /run/ganesha
	{
		cat <<-EOF
		NFS_CORE_PARAM {
			Plugins_Dir = "$ganesha"; Protocols = 4;
			Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false;
		}
		NFSv4 {
			Graceless = true; RecoveryBackend = fs; RecoveryRoot = "$work/recovery";
			Only_Numeric_Owners = true; UseGetpwnam = true;
		}
		EOF
		for name in "$@"; do
			number=$((number + 1))
			case $name in
			tree) export_folder "$number" "$tree" tree ;;
			*) export_folder "$number" "$tree/$name" "$name" ;;
			esac
		done
	} >"$work/ganesha.conf"
	# Without links to the host's bus and Kerberos, which it looks for and does not need.
	LD_LIBRARY_PATH=$ganesha "$ganesha/ganesha.nfsd" -F -f "$work/ganesha.conf" \
		-L "$work/ganesha.log" -p "$work/ganesha.pid" &
	nfs_pid=$!
	wait_until 30 "the NFS server listens" nfs_listens
}

nfs_listens() {
	kill -0 "$nfs_pid" 2>/dev/null || fail "the NFS server ended"
	(: <>/dev/tcp/127.0.0.1/2049) 2>/dev/null
}

# give_network NAME: the domain's definition gets a card; the host is 10.0.2.2 there.
give_network() {
	virsh_ dumpxml --inactive "$1" |
		sed "s,</devices>,<interface type='user'><model type='virtio'/></interface></devices>," \
			>"$work/$1-network.xml"
	virsh_ define "$work/$1-network.xml"
}

# The guest's end of it.
guest_network() {
	in_guest "load nfs && ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up" ||
		fail "the guest has no network"
}

# guest_mounts NAME PLACE [OPTIONS]: mounts the export /NAME there, in the guest.
guest_mounts() {
	in_guest "mkdir -p $2 && mount -t nfs4 \
		-o vers=4.2,addr=10.0.2.2,clientaddr=10.0.2.15${3:+,$3} 10.0.2.2:/$1 $2" ||
		fail "the guest cannot mount /$1"
}
