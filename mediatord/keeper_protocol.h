/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between mediator and vgpu-keeper, which starts the workers and holds what a mediator that is
 * started anew needs to go on with them: a SOCK_SEQPACKET Unix socket, one packet one message, in
 * the host's byte order. The keeper lives in a kill group of its own, and never reads what a
 * worker says.
 *
 *   mediator                      keeper
 *     HELLO                 --->            (refused unless its peer has the keeper's uid)
 *                           <---  WELCOME   (or REFUSED and close)
 *                           <---  KEPT      (one for each worker that it holds)
 *                           <---  COMPLETE  (no more KEPT)
 *     SPAWN                 --->
 *                           <---  SPAWNED   (or an error: there is no such worker)
 *     KEEP                  --->            (a worker that an earlier keeper started; answered,
 *                                            with SPAWNED's error, only where it cannot be held)
 *                           <---  ENDED     (the process was reaped)
 *     FORGET                --->            (after ENDED)
 *     END                   --->            (kill all workers, and exit when they have ended)
 *
 * A worker is named by the mediator's number for it, which no other has until FORGET. The mediator
 * kills a worker by its pidfd, which it can do while there is no keeper, too.
 */
#ifndef VGPU_MEDIATORD_KEEPER_PROTOCOL_H
#define VGPU_MEDIATORD_KEEPER_PROTOCOL_H

#include "common/protocol.h"

#define VGPU_KEEPER_VERSION 1u
#define VGPU_KEEPER_OLDEST  1u

#define VGPU_KEEPER_HELLO    1u
#define VGPU_KEEPER_WELCOME  2u
#define VGPU_KEEPER_REFUSED  3u
#define VGPU_KEEPER_KEPT     4u
#define VGPU_KEEPER_COMPLETE 5u
#define VGPU_KEEPER_SPAWN    6u
#define VGPU_KEEPER_SPAWNED  7u
#define VGPU_KEEPER_KEEP     8u
#define VGPU_KEEPER_END	     9u
#define VGPU_KEEPER_ENDED    10u
#define VGPU_KEEPER_FORGET   11u

/* The most workers that a keeper holds. */
#define VGPU_KEEPER_WORKERS_MAX 4096u

struct vgpu_keeper_header {
	uint32_t type;
	uint32_t length; /* bytes of the whole message, this header included */
};

struct vgpu_keeper_hello {
	struct vgpu_keeper_header header;
	uint32_t version;
	uint32_t reserved;
};

struct vgpu_keeper_welcome {
	struct vgpu_keeper_header header;
	uint32_t version; /* what both speak: at most HELLO's */
	/* How long it goes on without a mediator, one having started it; 0: a service manager's. */
	uint32_t wait_seconds;
};

#define VGPU_KEEPER_REFUSED_VERSION 1u
#define VGPU_KEEPER_REFUSED_BUSY    2u /* another mediator is connected */
#define VGPU_KEEPER_REFUSED_PEER    3u

struct vgpu_keeper_refused {
	struct vgpu_keeper_header header;
	uint32_t reason;
	uint32_t reserved;
};

/* Their order in SPAWN, KEEP and KEPT. */
enum vgpu_keeper_fd {
	VGPU_KEEPER_FD_CONTROL, /* the mediator's end of the worker's socket */
	VGPU_KEEPER_FD_RECORD,	/* the memfd of struct record */
	VGPU_KEEPER_FD_GRANT,	/* the memfd of the grant page, which a mailbox's does not use */
	VGPU_KEEPER_FD_OTHER,	/* SPAWN: the worker's end; KEEP, KEPT: its pidfd */
	VGPU_KEEPER_FDS
};

/* Carries four descriptors. The program is the keeper's own to choose. */
struct vgpu_keeper_spawn {
	struct vgpu_keeper_header header;
	uint64_t worker;
};

/* Carries a pidfd where there is a pid. */
struct vgpu_keeper_spawned {
	struct vgpu_keeper_header header;
	uint64_t worker;
	int32_t pid;	/* or 0: it could not be started */
	int32_t errnum; /* why */
	char step[32];	/* of what; ended by a zero byte */
};

/* KEEP and KEPT carry four descriptors. KEEP never says that it ended. */
struct vgpu_keeper_kept {
	struct vgpu_keeper_header header;
	uint64_t worker;
	int32_t pid;
	uint32_t ended; /* 1: it was reaped, with this status of waitpid() */
	int32_t status;
	uint32_t reserved;
};

/* COMPLETE and END, whose worker is 0; FORGET. */
struct vgpu_keeper_plain {
	struct vgpu_keeper_header header;
	uint64_t worker;
};

struct vgpu_keeper_ended {
	struct vgpu_keeper_header header;
	uint64_t worker;
	int32_t status; /* waitpid()'s; -1 where the keeper is not its parent */
	uint32_t reserved;
};

union vgpu_keeper_message {
	struct vgpu_keeper_header header;
	struct vgpu_keeper_hello hello;
	struct vgpu_keeper_welcome welcome;
	struct vgpu_keeper_refused refused;
	struct vgpu_keeper_spawn spawn;
	struct vgpu_keeper_spawned spawned;
	struct vgpu_keeper_kept kept;
	struct vgpu_keeper_plain plain;
	struct vgpu_keeper_ended ended;
};

VGPU_STATIC_ASSERT(sizeof(struct vgpu_keeper_spawned) == 56, "spawned");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_keeper_kept) == 32, "kept");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_keeper_ended) == 24, "ended");

#endif
