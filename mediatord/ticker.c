/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/ticker.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/condition.h"

struct ticker {
	int64_t period_ns;
	void (*tick)(void *opaque);
	void *opaque;
	pthread_t thread;
	pthread_mutex_t lock; /* of stopping */
	pthread_cond_t changed;
	bool stopping;
};

/* Returns whether it is to stop. */
static bool wait_for_stop(struct ticker *ticker)
{
	int64_t due = vgpu_now_ns() + ticker->period_ns;
	bool stopping;

	pthread_mutex_lock(&ticker->lock);
	while (!ticker->stopping && vgpu_condition_wait(&ticker->changed, &ticker->lock, due))
		;
	stopping = ticker->stopping;
	pthread_mutex_unlock(&ticker->lock);
	return stopping;
}

static void *run(void *opaque)
{
	struct ticker *ticker = opaque;

	while (!wait_for_stop(ticker))
		ticker->tick(ticker->opaque);
	return NULL;
}

static void free_ticker(struct ticker *ticker)
{
	pthread_cond_destroy(&ticker->changed);
	pthread_mutex_destroy(&ticker->lock);
	free(ticker);
}

int ticker_start(const char *whose, int64_t period_ns, void (*tick)(void *opaque), void *opaque,
		 struct ticker **ticker, struct vgpu_error **err)
{
	struct ticker *made = calloc(1, sizeof(*made));
	int failed;

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->period_ns = period_ns;
	made->tick = tick;
	made->opaque = opaque;
	pthread_mutex_init(&made->lock, NULL);
	vgpu_condition_init(&made->changed);
	failed = pthread_create(&made->thread, NULL, run, made);
	if (failed) {
		free_ticker(made);
		return vgpu_error_errno(err, failed, "cannot start %s thread", whose);
	}
	*ticker = made;
	return 0;
}

void ticker_stop(struct ticker **ticker)
{
	struct ticker *old = vgpu_steal_pointer(ticker);

	if (!old)
		return;
	pthread_mutex_lock(&old->lock);
	old->stopping = true;
	pthread_cond_signal(&old->changed);
	pthread_mutex_unlock(&old->lock);
	pthread_join(old->thread, NULL);
	free_ticker(old);
}
