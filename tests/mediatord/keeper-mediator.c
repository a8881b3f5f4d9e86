/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/mediatord/keeper-mediator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void ready(void *opaque, struct source *source)
{
	(void)opaque;
	assert_int_equal(source->kind, SOURCE_KEEPER);
	keeper_readable(source->owner);
}

static void due(void *opaque, struct timer *timer)
{
	(void)opaque;
	assert_int_equal(timer->kind, TIMER_KEEPER);
	keeper_due(timer->owner);
}

static void idle(void *opaque)
{
	(void)opaque;
}

static void kept(void *opaque, struct keeper_worker *worker)
{
	struct keeper_mediator *mediator = opaque;
	struct keeper_owner *owner = &mediator->owners[mediator->owner_count++];

	assert_true(mediator->owner_count <= KEEPER_OWNERS);
	*owner = (struct keeper_owner){ .worker = worker, .kept = true };
	owner->ended = worker->state == KEEPER_WORKER_ENDED;
	owner->status = worker->status;
	worker->owner = owner;
}

static void spawned(void *opaque)
{
	((struct keeper_owner *)opaque)->spawned = true;
}

static void failed(void *opaque, const struct vgpu_error *err)
{
	struct keeper_owner *owner = opaque;

	owner->failed = true;
	owner->errnum = err->status;
	snprintf(owner->text, sizeof(owner->text), "%s", err->message);
	keeper_forget(&owner->worker);
}

static void ended(void *opaque, int status)
{
	struct keeper_owner *owner = opaque;

	owner->ended = true;
	owner->status = status;
	keeper_forget(&owner->worker);
}

void keeper_mediator_init(struct keeper_mediator *mediator, const struct keeper_driver *driver)
{
	static const struct loop_ops ops = { .ready = ready, .due = due, .idle = idle };

	memset(mediator, 0, sizeof(*mediator));
	keeper_program(mediator->program, sizeof(mediator->program), "vgpu-keeper");
	mediator->settings = (struct keeper_settings){ .socket = driver->socket,
						       .program = mediator->program,
						       .worker = driver->worker,
						       .wait_seconds = 60 };
	assert_int_equal(loop_new(&ops, mediator, &mediator->loop, NULL), 0);
}

int keeper_mediator_connect(struct keeper_mediator *mediator, struct vgpu_error **err)
{
	static const struct keeper_ops ops = {
		.kept = kept, .spawned = spawned, .failed = failed, .ended = ended
	};

	return keeper_connect(mediator->loop, &mediator->settings, &ops, mediator,
			      &mediator->client, err);
}

void keeper_mediator_open(struct keeper_mediator *mediator)
{
	struct vgpu_error *err = NULL;

	if (keeper_mediator_connect(mediator, &err) < 0)
		fail_msg("%s", err->message);
}

void keeper_mediator_close(struct keeper_mediator *mediator)
{
	keeper_client_free(&mediator->client);
	loop_free(&mediator->loop);
}

struct keeper_owner *keeper_mediator_spawn(struct keeper_mediator *mediator)
{
	struct keeper_bundle bundle = keeper_bundle_new();
	struct keeper_owner *owner = &mediator->owners[mediator->owner_count++];

	assert_true(mediator->owner_count <= KEEPER_OWNERS);
	memset(owner, 0, sizeof(*owner));
	owner->worker = keeper_spawn(mediator->client, bundle.fds, owner);
	assert_non_null(owner->worker);
	return owner;
}
