/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/accountant.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"

#define WRITE_EVERY_NS (10 * VGPU_NS_PER_SECOND)

struct accountant {
	struct control *control;
	struct state *state;
	pthread_t thread;
	pthread_mutex_t lock; /* of stopping */
	pthread_cond_t changed;
	bool stopping;
	bool failing; /* the last write did */
};

/* After a write that failed nobody knows what is kept of which VM: all are written. */
static int write_changed(struct accountant *accountant, struct vgpu_error **err)
{
	VGPU_AUTO_FREE struct vm_usage *usages = NULL;
	size_t count = 0;

	if (control_usages(accountant->control, accountant->failing, &usages, &count, err) < 0)
		return -1;
	return count ? state_put_usages(accountant->state, usages, count, err) : 0;
}

static void write_now(struct accountant *accountant)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	bool failed = write_changed(accountant, &err) < 0;

	if (failed && err->status == ESHUTDOWN)
		return;
	if (failed && !accountant->failing)
		vgpu_log_error("what the VMs did cannot be kept: %s; trying again", err->message);
	if (!failed && accountant->failing)
		vgpu_log_info("what the VMs did is kept again");
	accountant->failing = failed;
}

static bool wait_for_stop(struct accountant *accountant)
{
	int64_t due = vgpu_now_ns() + WRITE_EVERY_NS;
	struct timespec time = { .tv_sec = due / VGPU_NS_PER_SECOND,
				 .tv_nsec = due % VGPU_NS_PER_SECOND };
	bool stopping;

	pthread_mutex_lock(&accountant->lock);
	while (!accountant->stopping &&
	       pthread_cond_timedwait(&accountant->changed, &accountant->lock, &time) != ETIMEDOUT)
		;
	stopping = accountant->stopping;
	pthread_mutex_unlock(&accountant->lock);
	return stopping;
}

static void *keep(void *opaque)
{
	struct accountant *accountant = opaque;

	while (!wait_for_stop(accountant))
		write_now(accountant);
	return NULL;
}

int accountant_start(struct control *control, struct state *state, struct accountant **accountant,
		     struct vgpu_error **err)
{
	struct accountant *made = calloc(1, sizeof(*made));
	pthread_condattr_t attributes;
	int failed;

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->control = control;
	made->state = state;
	pthread_mutex_init(&made->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&made->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	failed = pthread_create(&made->thread, NULL, keep, made);
	if (failed) {
		free(made);
		return vgpu_error_errno(err, failed, "cannot start the accountant's thread");
	}
	*accountant = made;
	return 0;
}

void accountant_stop(struct accountant **accountant)
{
	struct accountant *old = vgpu_steal_pointer(accountant);

	if (!old)
		return;
	pthread_mutex_lock(&old->lock);
	old->stopping = true;
	pthread_cond_signal(&old->changed);
	pthread_mutex_unlock(&old->lock);
	pthread_join(old->thread, NULL);
	write_now(old);
	pthread_cond_destroy(&old->changed);
	pthread_mutex_destroy(&old->lock);
	free(old);
}
