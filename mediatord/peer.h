/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a link socket. Nothing that the peer says counts, only what the kernel
 * says of it and what libvirt wrote down: the registration's uid where it names one; otherwise an
 * AppArmor label libvirt-UUID; otherwise libvirt's pid file of the domain.
 *
 * SELinux labels (svirt_t with a pair of categories) tell domains apart but carry no uuid, so they
 * fall to the pid file. libvirt's child writes the pid file before it becomes QEMU, so it is there
 * when QEMU connects.
 */
#ifndef VGPU_MEDIATORD_PEER_H
#define VGPU_MEDIATORD_PEER_H

#include <sys/types.h>

#include "mediatord/vm_config.h"

#define PEER_LABEL_BYTES 256

struct peer {
	pid_t pid;
	uint64_t start; /* when it was started, as the kernel counts; 0: it is gone */
	uid_t uid;
	char label[PEER_LABEL_BYTES]; /* SO_PEERSEC; "" where there is none */
};

/* What libvirt's NAME.pid says. */
struct peer_pid_file {
	enum peer_pid_file_state {
		PEER_PID_FILE_NO_NAME, /* the VM has no name, or one that is no file name */
		PEER_PID_FILE_ABSENT,
		PEER_PID_FILE_UNREADABLE,
		PEER_PID_FILE_MALFORMED,
		PEER_PID_FILE_READ,
	} state;
	pid_t pid; /* of PEER_PID_FILE_READ */
};

enum peer_verdict {
	PEER_BY_UID,	  /* accepted: has the uid that the registration names */
	PEER_BY_LABEL,	  /* accepted: is confined as this VM */
	PEER_BY_PID_FILE, /* accepted: is the process that libvirt started for this VM */
	PEER_OTHER_UID,
	PEER_OTHER_LABEL, /* confined as another VM */
	PEER_OTHER_PID,
	PEER_NO_NAME,
	PEER_NO_PID_FILE,
	PEER_BAD_PID_FILE,
};

/*
 * When a process was started: with its pid, it tells it from every other since the host was booted.
 * Returns 0 where there is no such process.
 */
uint64_t peer_start(pid_t pid);

/* Reads what the kernel knows of the peer of a connected socket. Returns 0, or -1 with errno. */
int peer_read(int socket, struct peer *peer);

/*
 * Reads NAME.pid in libvirt's run directory, a small file of a tmpfs: it does not block in
 * practice, and is read only when a device connects.
 */
void peer_pid_file_read(const char *run_dir, const char *name, struct peer_pid_file *file);

/* The decision; pure. file is looked at only where neither uid nor label decides. */
enum peer_verdict peer_decide(const struct vm_config *vm, const struct peer *peer,
			      const struct peer_pid_file *file);

static inline bool peer_accepted(enum peer_verdict verdict)
{
	return verdict <= PEER_BY_PID_FILE;
}

/* A sentence for the log; static storage. */
const char *peer_verdict_text(enum peer_verdict verdict);

#endif
