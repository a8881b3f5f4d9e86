/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mediator's side of vgpu-keeper (keeper_protocol.h). It belongs to the loop's thread and never
 * blocks but in keeper_connect(). A keeper that goes away is started anew where it was not a
 * service manager's, connected to again, and handed all the workers that we have: nobody else
 * notices.
 */
#ifndef VGPU_MEDIATORD_KEEPER_CLIENT_H
#define VGPU_MEDIATORD_KEEPER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "mediatord/keeper_protocol.h"
#include "mediatord/loop.h"

struct keeper_client;

enum keeper_worker_state {
	KEEPER_WORKER_WAITING,	/* for a keeper that takes the SPAWN */
	KEEPER_WORKER_STARTING, /* SPAWN was sent */
	KEEPER_WORKER_RUNNING,
	KEEPER_WORKER_ENDED,
};

/* A worker's process. Only the client changes it. */
struct keeper_worker {
	struct keeper_worker *next; /* among the client's */
	struct keeper_client *client;
	enum keeper_worker_state state;
	uint64_t number; /* the keeper's name for it */
	pid_t pid;	 /* 0 until it is running; for the log */
	int status;	 /* once it has ended: waitpid()'s, or -1: nobody knows */
	/*
	 * The client's, and open until keeper_forget(). VGPU_KEEPER_FD_OTHER: a pidfd while it is
	 * running. To end the worker's stream, shut the socket down: the keeper has it open too.
	 */
	int fds[VGPU_KEEPER_FDS];
	bool killed;	/* before it was running */
	bool held;	/* the keeper that we are connected to has it, or was sent it */
	bool forgotten; /* by its owner; the keeper is still to be told, or to see it ended */
	void *owner;	/* the caller's, for the functions below */
};

/*
 * What a caller is told. It may call anything of this header from there, also keeper_forget() of
 * the worker that it is told of.
 */
struct keeper_ops {
	/*
	 * From keeper_connect() only: a worker of an earlier mediator, running or ended. The
	 * callee sets its owner.
	 */
	void (*kept)(void *opaque, struct keeper_worker *worker);
	/* It is running; its pid is known. */
	void (*spawned)(void *owner);
	/* It could not be started, or was killed before; keeper_forget() is still to be called. */
	void (*failed)(void *owner, const struct vgpu_error *err);
	void (*ended)(void *owner, int status);
};

struct keeper_settings {
	const char *socket;
	const char *program; /* of the keeper, where nobody listens there */
	const char *worker;  /* program, for such a keeper */
	uint32_t wait_seconds;
};

/*
 * Connects to the keeper at settings->socket, starting one where nobody listens, and tells of all
 * workers that it has. Blocks, 5 s at most. The settings and their strings stay the caller's and
 * must last. Returns 0 and *client, to be freed with keeper_client_free(), or -1 and err (EBUSY:
 * another mediator is connected), and all workers that were told of are gone.
 */
int keeper_connect(struct loop *loop, const struct keeper_settings *settings,
		   const struct keeper_ops *ops, void *opaque, struct keeper_client **client,
		   struct vgpu_error **err);

/*
 * Closes the connection and all descriptors, and forgets the workers here, not in the keeper: they
 * go on, for the next mediator. NULL is fine.
 */
void keeper_client_free(struct keeper_client **client);

/* Whether a keeper takes SPAWNs now; otherwise they wait for the next one. */
bool keeper_is_there(const struct keeper_client *client);

/*
 * Whether the keeper outlives a mediator that is stopped: a service manager runs it. Another ends
 * with the mediator: keeper_end().
 */
bool keeper_stays(const struct keeper_client *client);

/* Tells the keeper to kill its workers, and to exit once they are gone. Call keeper_client_free()
 * next.
 */
void keeper_end(struct keeper_client *client);

/*
 * Starts a worker with fds in the order of enum vgpu_keeper_fd, all of which become the client's
 * (the worker's end is closed here once it was sent). Ends in spawned() or failed(), never from
 * within this call. Returns it, or NULL with errno, and the descriptors stay the caller's (ENOMEM;
 * ENOSPC: VGPU_KEEPER_WORKERS_MAX are there).
 */
struct keeper_worker *keeper_spawn(struct keeper_client *client, const int fds[VGPU_KEEPER_FDS],
				   void *owner);

/*
 * Kills a worker, in whatever state, also while no keeper is there. ended() follows (or failed(),
 * where it was not running yet), never from within this call.
 */
void keeper_kill(struct keeper_worker *worker);

/* After failed(), or once it has ended: frees it and closes its descriptors. *worker becomes NULL.
 */
void keeper_forget(struct keeper_worker **worker);

/* SOURCE_KEEPER is readable; TIMER_KEEPER is due. */
void keeper_readable(struct keeper_client *client);
void keeper_due(struct keeper_client *client);

#endif
