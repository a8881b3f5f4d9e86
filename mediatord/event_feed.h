/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How events get into the ring, and who waits for them learns of it. The loop leaves them in a
 * queue without a lock, which a thread here empties; so nothing that readers do holds up the loop.
 */
#ifndef VGPU_MEDIATORD_EVENT_FEED_H
#define VGPU_MEDIATORD_EVENT_FEED_H

#include "common/error.h"
#include "mediatord/events.h"

struct event_feed;

/* Starts the thread. Returns 0 and *feed, or -1 and err. */
int event_feed_start(struct event_feed **feed, struct vgpu_error **err);
/* Nobody else may use it any more. NULL is fine. */
void event_feed_stop(struct event_feed **feed);

struct events *event_feed_events(struct event_feed *feed);

/*
 * From one thread only, the loop's. Never waits: where the queue is full the event is left out, and
 * the log says so. feed may be NULL: nobody is told.
 */
void event_feed_post(struct event_feed *feed, const struct event *event);

/* From any other thread. feed may be NULL. */
void event_feed_add(struct event_feed *feed, const struct event *event);

/*
 * Calls from the thread here whenever there is news, and every 2 s. One listener at a time; NULL:
 * none from now on, also none that is still running.
 */
void event_feed_listen(struct event_feed *feed, void (*listener)(void *opaque), void *opaque);

#endif
