/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/events.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct events {
	pthread_mutex_t lock; /* of what follows */
	uint64_t next_id;
	size_t size, count;
	struct event ring[]; /* event n is at n % size */
};

struct events *events_new(size_t size, uint64_t first_id)
{
	struct events *events = calloc(1, sizeof(*events) + size * sizeof(events->ring[0]));

	if (!events)
		return NULL;
	pthread_mutex_init(&events->lock, NULL);
	events->size = size;
	events->next_id = first_id;
	return events;
}

void events_free(struct events **events)
{
	if (!*events)
		return;
	pthread_mutex_destroy(&(*events)->lock);
	free(*events);
	*events = NULL;
}

void events_add(struct events *events, const struct event *event)
{
	struct event *place;

	pthread_mutex_lock(&events->lock);
	place = &events->ring[events->next_id % events->size];
	*place = *event;
	place->id = events->next_id++;
	if (events->count < events->size)
		events->count++;
	pthread_mutex_unlock(&events->lock);
}

size_t events_after(struct events *events, uint64_t id, struct event *list, size_t count,
		    bool *lost)
{
	uint64_t first;
	size_t copied = 0;

	pthread_mutex_lock(&events->lock);
	first = events->next_id - events->count;
	*lost = id + 1 < first || id >= events->next_id;
	for (uint64_t at = *lost ? first : id + 1; at < events->next_id && copied < count; at++)
		list[copied++] = events->ring[at % events->size];
	pthread_mutex_unlock(&events->lock);
	return copied;
}

uint64_t events_last(struct events *events)
{
	uint64_t last;

	pthread_mutex_lock(&events->lock);
	last = events->next_id - 1;
	pthread_mutex_unlock(&events->lock);
	return last;
}

const char *event_type_name(enum event_type type)
{
	static const char *const names[EVENT_TYPES] = {
		[EVENT_VM_REGISTERED] = "vm.registered",
		[EVENT_VM_CHANGED] = "vm.changed",
		[EVENT_VM_DELETED] = "vm.deleted",
		[EVENT_VM_ATTACHED] = "vm.attached",
		[EVENT_VM_DETACHED] = "vm.detached",
		[EVENT_VM_HELD] = "vm.held",
		[EVENT_VM_QUARANTINED] = "vm.quarantined",
		[EVENT_VM_RELEASED] = "vm.released",
		[EVENT_LINK_UP] = "link.up",
		[EVENT_LINK_DOWN] = "link.down",
		[EVENT_WORKER_STARTED] = "worker.started",
		[EVENT_WORKER_LOST] = "worker.lost",
		[EVENT_CHANNEL_OPENED] = "channel.opened",
		[EVENT_CHANNEL_CLOSED] = "channel.closed",
		[EVENT_GPU_FAILED] = "gpu.failed",
		[EVENT_GPU_RESTORED] = "gpu.restored",
		[EVENT_POOL_FULL] = "pool.full",
		[EVENT_PROFILE_CHANGED] = "profile.changed",
		[EVENT_PROFILE_DELETED] = "profile.deleted",
		[EVENT_CONFIGURATION] = "configuration",
	};

	return (size_t)type < EVENT_TYPES ? names[type] : "";
}

int64_t event_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool event_id_parse(const char *text, uint64_t *id)
{
	*id = 0;
	if (!*text || strlen(text) > 18 || strspn(text, "0123456789") != strlen(text))
		return false;
	for (; *text; text++)
		*id = *id * 10 + (uint64_t)(*text - '0');
	return true;
}
