/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened lately: a bounded ring of events with ids that only grow, also over restarts of the
 * mediator (unless the clock was set back). Any thread may call these; the lock is held for the
 * time of a copy.
 */
#ifndef VGPU_MEDIATORD_EVENTS_H
#define VGPU_MEDIATORD_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct events;

enum event_type {
	EVENT_VM_REGISTERED,
	EVENT_VM_CHANGED,
	EVENT_VM_DELETED,
	EVENT_VM_ATTACHED,
	EVENT_VM_DETACHED,
	EVENT_VM_HELD, /* or let go on: text says what */
	EVENT_VM_QUARANTINED,
	EVENT_VM_RELEASED,
	EVENT_LINK_UP,
	EVENT_LINK_DOWN,
	EVENT_WORKER_STARTED,
	EVENT_WORKER_LOST,
	EVENT_CHANNEL_OPENED,
	EVENT_CHANNEL_CLOSED,
	EVENT_GPU_FAILED,
	EVENT_GPU_RESTORED,
	EVENT_POOL_FULL,
	EVENT_PROFILE_CHANGED,
	EVENT_PROFILE_DELETED,
	EVENT_CONFIGURATION,
	EVENT_TYPES
};

struct event {
	uint64_t id;	 /* given by events_add() */
	int64_t time_ms; /* since 1970; given by who makes it */
	enum event_type type;
	bool has_vm, has_number;
	uint8_t vm[16];
	uint32_t number; /* a channel's, or a GPU's */
	int32_t pid;	 /* of a worker or a device; or 0 */
	char text[128];	 /* or "" */
};

/* A ring of so many, whose first event gets this id. NULL: no memory. */
struct events *events_new(size_t size, uint64_t first_id);
void events_free(struct events **events);

/* Adds a copy, and forgets the oldest where there is no room. */
void events_add(struct events *events, const struct event *event);

/*
 * Copies what follows an id, `count` at most, and returns how many those are. *lost: what followed
 * it at once is not in the ring any more, or the id was never given; then what there is comes from
 * the oldest on.
 */
size_t events_after(struct events *events, uint64_t id, struct event *list, size_t count,
		    bool *lost);

/* The id of the last event; or that before the first, where there was none. */
uint64_t events_last(struct events *events);

/* The name of a type, as "vm.registered". */
const char *event_type_name(enum event_type type);

/* The fields (common/log.h) of a log line about an event. */
#define LOG_EVENT(type)                                                                            \
	{                                                                                          \
		{ "VGPU_EVENT", event_type_name(type) },                                           \
		{                                                                                  \
			NULL, NULL                                                                 \
		}                                                                                  \
	}

/* Milliseconds since 1970. */
int64_t event_now_ms(void);

/*
 * Reads the value of Last-Event-ID, which comes from a client. Returns false where it is no id of
 * ours: digits alone.
 */
bool event_id_parse(const char *text, uint64_t *id);

#endif
