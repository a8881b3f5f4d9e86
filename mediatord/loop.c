/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/loop.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <time.h>

#include "common/clock.h"

#define EVENTS_AT_ONCE 64

struct loop {
	struct loop_ops ops;
	void *opaque;
	int epoll_fd;
	bool stopped;
	struct timers timers;
	struct source *removed; /* to be freed when no taken event can name them any more */
	bool coarse;		/* waits in milliseconds */
};

int loop_new(const struct loop_ops *ops, void *opaque, struct loop **loop, struct vgpu_error **err)
{
	struct loop *made = calloc(1, sizeof(*made));

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->ops = *ops;
	made->opaque = opaque;
	made->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (made->epoll_fd < 0) {
		vgpu_error_errno(err, errno, "epoll_create1");
		free(made);
		return -1;
	}
	*loop = made;
	return 0;
}

static void free_removed(struct loop *loop)
{
	while (loop->removed) {
		struct source *source = loop->removed;

		loop->removed = source->next_removed;
		free(source);
	}
}

void loop_free(struct loop **loop)
{
	if (!*loop)
		return;
	free_removed(*loop);
	timers_free(&(*loop)->timers);
	close((*loop)->epoll_fd);
	free(*loop);
	*loop = NULL;
}

struct timers *loop_timers(struct loop *loop)
{
	return &loop->timers;
}

struct source *loop_add(struct loop *loop, enum source_kind kind, int fd, void *owner)
{
	struct source *source = calloc(1, sizeof(*source));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };

	if (!source)
		return NULL;
	*source = (struct source){ .kind = kind, .fd = fd, .owner = owner };
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		int saved = errno;

		free(source);
		errno = saved;
		return NULL;
	}
	return source;
}

void loop_remove(struct loop *loop, struct source **source)
{
	struct source *removed = *source;

	if (!removed)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, removed->fd, NULL);
	removed->fd = -1;
	removed->next_removed = loop->removed;
	loop->removed = removed;
	*source = NULL;
}

/* How long to wait at most, NULL: without end. Not in milliseconds: a slice is two of them. */
static const struct timespec *wait_limit(const struct loop *loop, int64_t timeout_ns,
					 struct timespec *limit)
{
	int64_t deadline = timers_next(&loop->timers);
	int64_t ns = timeout_ns;

	if (deadline >= 0) {
		int64_t left = deadline - vgpu_now_ns();

		if (left < 0)
			left = 0;
		if (ns < 0 || left < ns)
			ns = left;
	}
	*limit = (struct timespec){ .tv_sec = ns / VGPU_NS_PER_SECOND,
				    .tv_nsec = ns % VGPU_NS_PER_SECOND };
	return ns < 0 ? NULL : limit;
}

/* A kernel before 5.11 knows no times but milliseconds. Returns as epoll_wait(2). */
static int wait_for_events(struct loop *loop, struct epoll_event *events,
			   const struct timespec *limit)
{
	int64_t ms = -1;
	int count;

	if (!loop->coarse) {
		count = epoll_pwait2(loop->epoll_fd, events, EVENTS_AT_ONCE, limit, NULL);
		if (count >= 0 || errno != ENOSYS)
			return count;
		loop->coarse = true;
	}
	if (limit)
		ms = limit->tv_sec * 1000 + (limit->tv_nsec + VGPU_NS_PER_MS - 1) / VGPU_NS_PER_MS;
	return epoll_wait(loop->epoll_fd, events, EVENTS_AT_ONCE, ms < INT_MAX ? (int)ms : INT_MAX);
}

int loop_step(struct loop *loop, int64_t timeout_ns)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	struct timespec limit;
	struct timer *timer;
	int64_t now;
	int count;

	count = wait_for_events(loop, events, wait_limit(loop, timeout_ns, &limit));
	if (count < 0 && errno != EINTR)
		return -1;
	for (int i = 0; i < count; i++) {
		struct source *source = events[i].data.ptr;

		if (source->fd >= 0)
			loop->ops.ready(loop->opaque, source);
	}
	/* One reading of the clock: a timer that sets itself again cannot hold the loop here. */
	now = vgpu_now_ns();
	while ((timer = timers_due(&loop->timers, now)) != NULL)
		loop->ops.due(loop->opaque, timer);
	if (loop->ops.idle)
		loop->ops.idle(loop->opaque);
	free_removed(loop);
	return 0;
}

int loop_run(struct loop *loop, struct vgpu_error **err)
{
	while (!loop->stopped)
		if (loop_step(loop, -1) < 0)
			return vgpu_error_errno(err, errno, "epoll_wait");
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
