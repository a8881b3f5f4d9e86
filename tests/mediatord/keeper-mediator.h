/* SPDX-License-Identifier: Apache-2.0 */
/* The mediator's side of the keeper, in the test's own process, around a loop of its own. */
#ifndef VGPU_TESTS_KEEPER_MEDIATOR_H
#define VGPU_TESTS_KEEPER_MEDIATOR_H

#include "common/clock.h"
#include "mediatord/keeper_client.h"
#include "tests/mediatord/keeper-driver.h"
#include "tests/wait.h"

#define KEEPER_OWNERS 8

/* What a mediator has for a worker, and what it was told of it. */
struct keeper_owner {
	struct keeper_worker *worker;
	bool kept, spawned, failed, ended;
	int status;	/* of ended */
	int errnum;	/* of failed */
	char text[256]; /* of failed */
};

struct keeper_mediator {
	struct loop *loop;
	struct keeper_settings settings;
	struct keeper_client *client;
	struct keeper_owner owners[KEEPER_OWNERS];
	size_t owner_count;
	char program[4096];
};

/* Its keeper, where nobody listens, is the one that was built. */
void keeper_mediator_init(struct keeper_mediator *mediator, const struct keeper_driver *driver);
/* As keeper_connect(). */
int keeper_mediator_connect(struct keeper_mediator *mediator, struct vgpu_error **err);
/* Connects, which must succeed. */
void keeper_mediator_open(struct keeper_mediator *mediator);
/* Frees the client, and the loop. */
void keeper_mediator_close(struct keeper_mediator *mediator);

struct keeper_owner *keeper_mediator_spawn(struct keeper_mediator *mediator);
static inline int keeper_owner_control(const struct keeper_owner *owner)
{
	return owner->worker->fds[VGPU_KEEPER_FD_CONTROL];
}

/* Runs the loop until a condition holds. */
#define keeper_mediator_wait(mediator, condition)                                                  \
	do {                                                                                       \
		int64_t deadline_ = vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS;                      \
		while (!(condition)) {                                                             \
			if (vgpu_now_ns() > deadline_)                                             \
				fail_msg("never came true: %s", #condition);                       \
			loop_step((mediator)->loop, 10 * VGPU_NS_PER_MS);                          \
		}                                                                                  \
	} while (0)

#endif
