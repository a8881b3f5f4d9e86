/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/event_feed.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "common/log.h"

#define RING_SIZE  4096u
#define QUEUE_SIZE 1024u /* a power of two */
#define WAKE_MS	   2000

struct event_feed {
	struct events *events;
	int event_fd;
	pthread_t thread;
	bool started;
	atomic_bool stopping;
	/* The loop writes `head` and the entries before it, the thread writes `tail`. */
	atomic_uint head, tail;
	atomic_uint left_out;
	struct event queue[QUEUE_SIZE];
	pthread_mutex_t lock; /* held while the listener is called */
	void (*listener)(void *opaque);
	void *opaque;
};

static void wake(struct event_feed *feed)
{
	const uint64_t one = 1;
	/* Fails only where the counter is full, and then the thread is awake anyway. */
	ssize_t written = write(feed->event_fd, &one, sizeof(one));

	(void)written;
}

/* Moves what the loop left into the ring. */
static void empty_queue(struct event_feed *feed)
{
	unsigned int head = atomic_load_explicit(&feed->head, memory_order_acquire);
	unsigned int tail = atomic_load_explicit(&feed->tail, memory_order_relaxed);
	unsigned int left_out = atomic_exchange(&feed->left_out, 0);

	for (; tail != head; tail++)
		events_add(feed->events, &feed->queue[tail % QUEUE_SIZE]);
	atomic_store_explicit(&feed->tail, tail, memory_order_release);
	if (left_out)
		vgpu_log_warning("%u events were left out: too many at once", left_out);
}

static void *run(void *opaque)
{
	struct event_feed *feed = opaque;

	while (!atomic_load(&feed->stopping)) {
		struct pollfd poll_fd = { .fd = feed->event_fd, .events = POLLIN };
		uint64_t count;

		if (poll(&poll_fd, 1, WAKE_MS) > 0) {
			ssize_t got = read(feed->event_fd, &count, sizeof(count));

			(void)got;
		}
		empty_queue(feed);
		pthread_mutex_lock(&feed->lock);
		if (feed->listener)
			feed->listener(feed->opaque);
		pthread_mutex_unlock(&feed->lock);
	}
	return NULL;
}

int event_feed_start(struct event_feed **feed, struct vgpu_error **err)
{
	VGPU_CLEANUP(event_feed_stop) struct event_feed *made = calloc(1, sizeof(*made));
	int failed;

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	pthread_mutex_init(&made->lock, NULL);
	made->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* Microseconds: no earlier mediator can have given as many, and they fit 53 bits. */
	made->events = events_new(RING_SIZE, (uint64_t)event_now_ms() * 1000);
	if (made->event_fd < 0 || !made->events)
		return vgpu_error_errno(err, errno, "cannot keep events");
	failed = pthread_create(&made->thread, NULL, run, made);
	if (failed)
		return vgpu_error_errno(err, failed, "cannot start a thread");
	made->started = true;
	*feed = vgpu_steal_pointer(&made);
	return 0;
}

void event_feed_stop(struct event_feed **feed)
{
	struct event_feed *old = *feed;

	*feed = NULL;
	if (!old)
		return;
	atomic_store(&old->stopping, true);
	if (old->started) {
		wake(old);
		pthread_join(old->thread, NULL);
	}
	if (old->event_fd >= 0)
		close(old->event_fd);
	events_free(&old->events);
	pthread_mutex_destroy(&old->lock);
	free(old);
}

struct events *event_feed_events(struct event_feed *feed)
{
	return feed->events;
}

void event_feed_post(struct event_feed *feed, const struct event *event)
{
	unsigned int head, tail;

	if (!feed)
		return;
	head = atomic_load_explicit(&feed->head, memory_order_relaxed);
	tail = atomic_load_explicit(&feed->tail, memory_order_acquire);
	if (head - tail == QUEUE_SIZE) {
		atomic_fetch_add(&feed->left_out, 1);
		return;
	}
	feed->queue[head % QUEUE_SIZE] = *event;
	atomic_store_explicit(&feed->head, head + 1, memory_order_release);
	wake(feed);
}

void event_feed_add(struct event_feed *feed, const struct event *event)
{
	if (!feed)
		return;
	events_add(feed->events, event);
	wake(feed);
}

void event_feed_listen(struct event_feed *feed, void (*listener)(void *opaque), void *opaque)
{
	pthread_mutex_lock(&feed->lock);
	feed->listener = listener;
	feed->opaque = opaque;
	pthread_mutex_unlock(&feed->lock);
}
