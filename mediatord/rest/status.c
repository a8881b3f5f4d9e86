/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What VMs do. The first readers of a moment are told what the loop says right then; where many
 * read, the others are told what it said of all VMs a moment before, so that it is not asked
 * thousands of times a second. Nobody reads: it is not asked.
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "mediatord/actions.h"
#include "mediatord/rest/internal.h"

#define AGE_MAX_NS (100 * VGPU_NS_PER_MS)

/* So many are told what is so right then, in each AGE_MAX_NS. */
#define DIRECT_READS 16

struct rest_status {
	struct control *control;
	int64_t moment_ns;     /* when the present moment began; atomic, as what follows */
	uint32_t direct_reads; /* in it */
	pthread_mutex_t look;  /* held by who asks the loop */
	pthread_rwlock_t lock; /* guards what follows */
	int64_t taken_ns;
	bool expired;
	struct vm_statuses statuses; /* ordered by uuid */
};

int rest_status_new(struct control *control, struct rest_status **status, struct vgpu_error **err)
{
	struct rest_status *made = calloc(1, sizeof(*made));

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->control = control;
	made->expired = true;
	pthread_mutex_init(&made->look, NULL);
	pthread_rwlock_init(&made->lock, NULL);
	*status = made;
	return 0;
}

void rest_status_free(struct rest_status **status)
{
	if (!*status)
		return;
	statuses_free(&(*status)->statuses);
	pthread_mutex_destroy(&(*status)->look);
	pthread_rwlock_destroy(&(*status)->lock);
	free(*status);
	*status = NULL;
}

static int by_uuid(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* The lock is held. */
static bool is_stale(const struct rest_status *status)
{
	return status->expired || vgpu_now_ns() - status->taken_ns > AGE_MAX_NS;
}

/* Asks the loop, unless another did while this one waited to. */
static void refresh(struct rest_status *status)
{
	struct vm_statuses fresh;
	struct vm_statuses old;
	int64_t now;
	bool stale;

	pthread_mutex_lock(&status->look);
	pthread_rwlock_wrlock(&status->lock);
	stale = is_stale(status);
	status->expired = false;
	pthread_rwlock_unlock(&status->lock);
	if (stale) {
		now = vgpu_now_ns();
		if (action_statuses(status->control, &fresh, NULL) < 0)
			fresh = (struct vm_statuses){ .count = 0 };
		if (fresh.count)
			qsort(fresh.vms, fresh.count, sizeof(*fresh.vms), by_uuid);
		pthread_rwlock_wrlock(&status->lock);
		old = status->statuses;
		status->statuses = fresh;
		status->taken_ns = now;
		pthread_rwlock_unlock(&status->lock);
		statuses_free(&old);
	}
	pthread_mutex_unlock(&status->look);
}

/* Whether this reader is one of the first of a moment. Two that begin one are both. */
static bool is_early(struct rest_status *status)
{
	int64_t now = vgpu_now_ns();

	if (now - __atomic_load_n(&status->moment_ns, __ATOMIC_RELAXED) > AGE_MAX_NS) {
		__atomic_store_n(&status->moment_ns, now, __ATOMIC_RELAXED);
		__atomic_store_n(&status->direct_reads, 0, __ATOMIC_RELAXED);
	}
	if (__atomic_load_n(&status->direct_reads, __ATOMIC_RELAXED) >= DIRECT_READS)
		return false;
	__atomic_fetch_add(&status->direct_reads, 1, __ATOMIC_RELAXED);
	return true;
}

void rest_status_get(struct rest_status *status, const uint8_t uuid[16], struct vm_status *vm)
{
	const struct vm_statuses *statuses = &status->statuses;
	const uint8_t *found = NULL;

	if (is_early(status)) {
		if (control_vm_status(status->control, uuid, vm, NULL) < 0)
			memset(vm, 0, offsetof(struct vm_status, channels));
		return;
	}
	pthread_rwlock_rdlock(&status->lock);
	if (is_stale(status)) {
		pthread_rwlock_unlock(&status->lock);
		refresh(status);
		pthread_rwlock_rdlock(&status->lock);
	}
	if (statuses->count)
		found = bsearch(uuid, statuses->vms, statuses->count, sizeof(*statuses->vms),
				by_uuid);
	/* Without the channels that there are not: they are most of it. */
	memset(vm, 0, offsetof(struct vm_status, channels));
	if (found) {
		size_t index =
			(size_t)(found - (const uint8_t *)statuses->vms) / sizeof(*statuses->vms);
		const struct vm_status *known = &statuses->vms[index].status;

		memcpy(vm, known,
		       offsetof(struct vm_status, channels) +
			       known->channel_count * sizeof(known->channels[0]));
	}
	pthread_rwlock_unlock(&status->lock);
}

void rest_status_expire(struct rest_status *status)
{
	pthread_rwlock_wrlock(&status->lock);
	status->expired = true;
	pthread_rwlock_unlock(&status->lock);
}
