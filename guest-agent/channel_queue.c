/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Submitting operations and waiting for their answers.
 *
 * Of the threads that wait, one leads: it looks for completions without the mutex, takes them with
 * it, and hands each to its operation. The others sleep on a condition until theirs is there, or
 * until nobody leads. A single thread never sees the condition.
 *
 * The leader polls for a while that adapts to how fast answers have come. Then it sleeps: on the
 * completion's eventfd where there is one, as common/ring.h says, or, in a guest without a driver,
 * for times that grow from 10 us to 1 ms.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/condition.h"
#include "guest-agent/channel.h"
#include "guest-agent/last_error.h"

/*
 * The longest and the shortest time for which the ring is polled before sleeping. A job of the GPU
 * that copies a few MiB takes 250 us, and a sleep in a guest costs 50 us to wake up from.
 */
#define SPIN_MAX_NS (400 * VGPU_NS_PER_US)
#define SPIN_MIN_NS (2 * VGPU_NS_PER_US)

/*
 * Between two waits that poll for the longest time, to see whether that would pay. Who polled so
 * long and was answered as soon as it slept kept this very processor from a worker on the same
 * host, and does so more and more rarely.
 */
#define PROBE_FIRST   32u
#define PROBE_LONGEST 1024u
#define WOKEN_SOON_NS (50 * VGPU_NS_PER_US)

/* Looks at the ring before the first at the clock, which can be dear in a guest, and between two.
 */
#define SPINS_AT_ONCE	128
#define SPINS_PER_CLOCK 32

#define SLEEP_MIN_NS (10 * VGPU_NS_PER_US)
#define SLEEP_MAX_NS VGPU_NS_PER_MS

/* How often one who sleeps looks whether the channel broke. */
#define LOOK_MIN_NS (5 * VGPU_NS_PER_MS)
#define LOOK_MAX_NS (100 * VGPU_NS_PER_MS)

/* What a submission writes to the doorbell; its value means nothing. */
#define DOORBELL_VALUE 1u

int64_t channel_timeout(const struct vgpu_channel *channel)
{
	return __atomic_load_n(&channel->vgpu->timeout_ns, __ATOMIC_RELAXED);
}

enum vgpu_result channel_queue_init(struct vgpu_channel *channel, uint32_t entries, bool combining)
{
	channel->slots = calloc(entries, sizeof(*channel->slots));
	channel->parameter_ends = calloc(2 * (size_t)entries, sizeof(*channel->parameter_ends));
	if (!channel->slots || !channel->parameter_ends)
		return last_error_set(VGPU_E_NO_MEMORY, "out of memory");
	for (uint32_t i = 0; i < entries; i++)
		channel->slots[i].next_free = i + 1 < entries ? i + 1 : SLOT_NONE;
	channel->free_slot = 0;
	channel->free_slots = entries;
	ring_init(&channel->ring, channel->region, entries, combining);
	/* With one processor, polling keeps a worker on the same host from answering. */
	channel->single_processor = channel->completion >= 0 && sysconf(_SC_NPROCESSORS_ONLN) == 1;
	channel->spin_ns = SPIN_MAX_NS;
	channel->probe_in = channel->probe_interval = PROBE_FIRST;
	return VGPU_OK;
}

void channel_queue_free(struct vgpu_channel *channel)
{
	free(channel->slots);
	free(channel->parameter_ends);
}

static enum vgpu_result broken(const struct vgpu_channel *channel)
{
	enum vgpu_result result = (enum vgpu_result)channel->failed;

	switch (result) {
	case VGPU_E_GONE:
		return last_error_set(result, "the vGPU no longer answers: it was unplugged, or "
					      "its VM was reset");
	case VGPU_E_PROTOCOL:
		return last_error_set(result, "the channel's rings make no sense; close it");
	case VGPU_E_CONTEXT_LOST:
		last_error_set(result, "the channel's worker on the host ended, and with it its "
				       "device memory: close the channel and open another");
		break;
	default:
		last_error_set(result, "the channel broke: %s; close it and open another",
			       vgpu_strerror(result));
	}
	if (result >= 32)
		last_error_numbers((uint32_t)result - 32, 0);
	return result;
}

/* With the mutex held. The first reason stays. */
static void fail(struct vgpu_channel *channel, enum vgpu_result reason)
{
	if (!channel->failed)
		channel->failed = (uint32_t)reason;
	pthread_cond_broadcast(&channel->moved);
}

/* Why it broke by the channel's registers, or VGPU_OK. The handle's mutex is held. */
static enum vgpu_result registers_say(struct vgpu_channel *channel)
{
	struct transport *transport = channel->vgpu->transport;
	uint32_t block = VGPU_REG_CHANNEL_BLOCK(channel->number), state, error;

	if (transport->ops->refresh)
		transport->ops->refresh(transport);
	state = transport->ops->read(transport, block + VGPU_CHANNEL_STATE);
	if (state == VGPU_CHANNEL_STATE_OPEN)
		return VGPU_OK;
	if (mailbox_device_gone(transport, state))
		return VGPU_E_GONE;
	error = transport->ops->read(transport, block + VGPU_CHANNEL_ERROR);
	/* Closed by a reset of the device: what was there is lost, too. */
	if (state != VGPU_CHANNEL_STATE_FAILED || error == VGPU_ERR_NONE || error > 0xff)
		error = VGPU_ERR_CONTEXT_LOST;
	return (enum vgpu_result)(32 + error);
}

void channel_look(struct vgpu_channel *channel)
{
	uint32_t error = ring_failed(&channel->ring);
	enum vgpu_result reason = VGPU_OK;

	if (error)
		reason = (enum vgpu_result)(32 + (error & 0xff));
	/* Who has the handle's mutex may hold it for long, and looks after the link itself. */
	else if (pthread_mutex_trylock(&channel->vgpu->mutex) == 0) {
		reason = registers_say(channel);
		pthread_mutex_unlock(&channel->vgpu->mutex);
	}
	if (reason != VGPU_OK) {
		CHANNEL_LOCK(&channel->mutex);
		fail(channel, reason);
	}
}

static void ring_doorbell(struct vgpu_channel *channel)
{
	const uint64_t one = DOORBELL_VALUE;

	if (channel->doorbell < 0) {
		struct transport *transport = channel->vgpu->transport;

		/* One store to a register that only this channel has: no turn is needed. */
		transport->ops->write(transport, VGPU_REG_CHANNEL_DOORBELL(channel->number),
				      DOORBELL_VALUE);
	} else if (write(channel->doorbell, &one, sizeof(one)) < 0) {
		/* A counter that is full rings as well. */
	}
}

/* The arguments of LAUNCH as they stand in the ring: fields of less than 64 bits share words. */
static void launch_store(uint64_t argument[6], const struct vgpu_launch *launch)
{
	const struct vgpu_launch stored = {
		.function = htole32(launch->function),
		.stream = htole32(launch->stream),
		.grid = { htole32(launch->grid[0]), htole32(launch->grid[1]),
			  htole32(launch->grid[2]) },
		.block = { htole16(launch->block[0]), htole16(launch->block[1]),
			   htole16(launch->block[2]) },
		.parameter_bytes = htole16(launch->parameter_bytes),
		.shared_bytes = htole32(launch->shared_bytes),
		.parameters = htole64(launch->parameters),
	};

	/* ring_put() stores each word little-endian, which these bytes are already. */
	for (size_t i = 0; i < 6; i++)
		argument[i] = vgpu_load64((const uint8_t *)&stored + 8 * i);
}

static void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* Takes what is there and hands it out. The mutex is held. */
static void take_all(struct vgpu_channel *channel)
{
	while (ring_ready(&channel->ring) && !channel->failed) {
		struct vgpu_completion completion;
		struct channel_slot *slot;
		uint32_t index;

		ring_take(&channel->ring, &completion);
		index = (uint32_t)completion.tag;
		slot = index < channel->ring.entries ? &channel->slots[index] : NULL;
		if (!slot || !slot->used || slot->generation != completion.tag >> 32) {
			fail(channel, VGPU_E_PROTOCOL);
			return;
		}
		if (slot->operation) {
			struct vgpu_operation *operation = slot->operation;

			operation->status = completion.status;
			operation->result[0] = completion.result[0];
			operation->result[1] = completion.result[1];
			__atomic_store_n(&operation->state, 0, __ATOMIC_RELEASE);
		}
		slot->operation = NULL;
		slot->used = false;
		slot->generation++;
		slot->next_free = channel->free_slot;
		channel->free_slot = index;
		channel->free_slots++;
	}
}

/* What a thread waits for: this operation's answer, or, where it is NULL, to submit something. */
struct awaited {
	const struct vgpu_operation *operation;
	uint32_t submissions;
	uint32_t answers;    /* of them, that are to be answered */
	uint64_t parameters; /* bytes of them in the window */
};

/*
 * How far the parameters' ring may be used again. The worker has read what a submission refers to
 * when it has taken the next one, so the newest that it took does not count.
 */
static uint64_t parameters_read(const struct vgpu_channel *channel)
{
	const struct ring *ring = &channel->ring;
	uint64_t taken = channel->put - (ring->submitted - ring->taken);

	return taken < 2 ? 0 : channel->parameter_ends[(taken - 2) % (2 * ring->entries)];
}

/* Bytes to skip so that parameters lie in one piece. */
static uint64_t parameters_skip(const struct vgpu_channel *channel, uint64_t bytes)
{
	uint64_t at = channel->parameter_head % channel->parameter_bytes;

	return at + bytes > channel->parameter_bytes ? channel->parameter_bytes - at : 0;
}

static bool parameters_fit(const struct vgpu_channel *channel, uint64_t bytes)
{
	uint64_t end = channel->parameter_head + parameters_skip(channel, bytes) + bytes;

	return bytes == 0 || end - parameters_read(channel) <= channel->parameter_bytes;
}

static bool satisfied(struct vgpu_channel *channel, const struct awaited *awaited)
{
	uint32_t room;

	if (awaited->operation)
		return __atomic_load_n(&awaited->operation->state, __ATOMIC_ACQUIRE) == 0;
	room = ring_room(&channel->ring);
	if (room < awaited->submissions || !parameters_fit(channel, awaited->parameters))
		room = ring_refresh(&channel->ring);
	if (room == UINT32_MAX) {
		fail(channel, VGPU_E_PROTOCOL);
		return false;
	}
	return room >= awaited->submissions && channel->free_slots >= awaited->answers &&
	       parameters_fit(channel, awaited->parameters);
}

/* Until something may have changed. The leader calls it without the mutex. */
static void sleep_once(struct vgpu_channel *channel, bool on_completion, int64_t since, int64_t now,
		       int64_t until)
{
	int64_t pause = (now - since) / 4;
	struct timespec time;

	if (on_completion)
		pause = until - now;
	else
		pause = pause < SLEEP_MIN_NS   ? SLEEP_MIN_NS
			: pause > SLEEP_MAX_NS ? SLEEP_MAX_NS
					       : pause;
	if (pause > until - now)
		pause = until - now;
	if (pause <= 0)
		return;
	time = (struct timespec){ pause / VGPU_NS_PER_SECOND, pause % VGPU_NS_PER_SECOND };
	if (on_completion) {
		struct pollfd entry = { .fd = channel->completion, .events = POLLIN };
		uint64_t count;

		if (!ring_sleep(&channel->ring) && ppoll(&entry, 1, &time, NULL) > 0 &&
		    read(channel->completion, &count, sizeof(count)) < 0) {
			/* Empty already: what matters is in the ring. */
		}
		ring_awake(&channel->ring);
	} else {
		nanosleep(&time, NULL);
	}
}

struct search {
	bool for_room; /* also for submissions taken, which rings nobody */
	uint32_t taken;
	int64_t spin_ns;
	bool probe; /* spin_ns is the longest, to see whether that pays */
	int64_t timeout_ns;
	int64_t *deadline; /* 0 until a clock was looked at */
	int64_t polled_ns; /* until it was found, or sleep began */
	int64_t slept_ns;  /* then; 0 where it was found by polling */
};

static bool found(struct vgpu_channel *channel, const struct search *search)
{
	return ring_ready(&channel->ring) ||
	       (search->for_room && ring_moved(&channel->ring, search->taken));
}

static bool poll_for(struct vgpu_channel *channel, const struct search *search, int looks)
{
	for (int i = 0; i < looks; i++) {
		if (found(channel, search))
			return true;
		cpu_relax();
	}
	return false;
}

/* Sleeps until something is found, the channel broke, or the time is over. */
static void sleep_for(struct vgpu_channel *channel, const struct search *search, int64_t now)
{
	bool on_completion = channel->completion >= 0 && !search->for_room;
	int64_t since = now, look = LOOK_MIN_NS, next_look = since + look;

	while (!found(channel, search) && now < *search->deadline) {
		sleep_once(channel, on_completion, since, now,
			   *search->deadline < next_look ? *search->deadline : next_look);
		now = vgpu_now_ns();
		if (now < next_look)
			continue;
		channel_look(channel);
		if (__atomic_load_n(&channel->failed, __ATOMIC_RELAXED))
			return;
		look = look < LOOK_MAX_NS ? 2 * look : LOOK_MAX_NS;
		next_look = now + look;
	}
}

/* Polls, then sleeps. What is found at once costs no look at the clock. */
static void look_for(struct vgpu_channel *channel, struct search *search)
{
	int64_t since, now;

	if (poll_for(channel, search, SPINS_AT_ONCE))
		return;
	since = now = vgpu_now_ns();
	if (!*search->deadline)
		*search->deadline = now + search->timeout_ns;
	while (now - since < search->spin_ns) {
		bool there = poll_for(channel, search, SPINS_PER_CLOCK);

		now = vgpu_now_ns();
		search->polled_ns = now - since;
		if (there)
			return;
	}
	sleep_for(channel, search, now);
	search->slept_ns = vgpu_now_ns() - now;
}

/*
 * How long to poll next time. Polling that found nothing was for nothing, or kept this very
 * processor from a worker on the same host: half as long, then. Now and then the longest time shows
 * whether it would pay again.
 */
static void adapt(struct vgpu_channel *channel, const struct search *search)
{
	bool in_the_way = search->slept_ns > 0 && search->slept_ns < WOKEN_SOON_NS;

	if (search->probe) {
		if (!in_the_way)
			channel->probe_interval = PROBE_FIRST;
		else if (channel->probe_interval < PROBE_LONGEST)
			channel->probe_interval *= 2;
		channel->probe_in = channel->probe_interval;
	}
	if (search->slept_ns)
		channel->spin_ns =
			channel->spin_ns / 2 < SPIN_MIN_NS ? SPIN_MIN_NS : channel->spin_ns / 2;
	else if (search->polled_ns > channel->spin_ns / 4)
		channel->spin_ns =
			search->polled_ns * 4 > SPIN_MAX_NS ? SPIN_MAX_NS : search->polled_ns * 4;
}

/* With the mutex held, but not while it waits. */
static void lead(struct vgpu_channel *channel, const struct awaited *awaited, int64_t timeout_ns,
		 int64_t *deadline)
{
	struct search search = {
		.for_room = !awaited->operation,
		.taken = channel->ring.taken,
		.probe = --channel->probe_in == 0,
		.timeout_ns = timeout_ns,
		.deadline = deadline,
	};

	search.spin_ns = search.probe ? SPIN_MAX_NS : channel->spin_ns;
	if (channel->single_processor)
		search.spin_ns = 0;
	channel->leading = true;
	pthread_mutex_unlock(&channel->mutex);
	look_for(channel, &search);
	pthread_mutex_lock(&channel->mutex);
	channel->leading = false;
	adapt(channel, &search);
	take_all(channel);
	if (channel->followers)
		pthread_cond_broadcast(&channel->moved);
}

static void follow(struct vgpu_channel *channel, const struct awaited *awaited, int64_t timeout_ns,
		   int64_t *deadline)
{
	int64_t now = vgpu_now_ns(), until = now + SLEEP_MAX_NS;

	if (!*deadline)
		*deadline = now + timeout_ns;
	/* The leader looks for completions alone. */
	if (awaited->operation || until > *deadline)
		until = *deadline;
	channel->followers++;
	vgpu_condition_wait(&channel->moved, &channel->mutex, until);
	channel->followers--;
}

/* The mutex is held. */
static enum vgpu_result wait_until(struct vgpu_channel *channel, const struct awaited *awaited,
				   int64_t timeout_ns)
{
	int64_t deadline = 0;

	for (;;) {
		if (!channel->leading)
			take_all(channel);
		if (satisfied(channel, awaited))
			return VGPU_OK;
		if (channel->failed)
			return broken(channel);
		if (deadline && vgpu_now_ns() >= deadline)
			return last_error_set(VGPU_E_TIMEOUT,
					      "the vGPU has not answered within the timeout");
		if (channel->leading)
			follow(channel, awaited, timeout_ns, &deadline);
		else
			lead(channel, awaited, timeout_ns, &deadline);
	}
}

/* The mutex is held. What was put before must not wait for its doorbell meanwhile. */
static enum vgpu_result admit(struct vgpu_channel *channel, const struct awaited *awaited,
			      int64_t timeout_ns)
{
	if (channel->failed)
		return broken(channel);
	if (satisfied(channel, awaited))
		return VGPU_OK;
	if (ring_wants_doorbell(&channel->ring))
		ring_doorbell(channel);
	return wait_until(channel, awaited, timeout_ns);
}

/* The mutex is held, and there is room. */
static void put(struct vgpu_channel *channel, struct vgpu_operation *operation)
{
	struct vgpu_submission submission = { .opcode = operation->opcode,
					      .flags = operation->flags };

	memcpy(submission.argument, operation->argument, sizeof(submission.argument));
	if (!(operation->flags & VGPU_SUBMIT_NO_REPLY)) {
		struct channel_slot *slot = &channel->slots[channel->free_slot];

		submission.tag = (uint64_t)slot->generation << 32 | channel->free_slot;
		operation->slot = channel->free_slot;
		operation->state = 1;
		channel->free_slot = slot->next_free;
		channel->free_slots--;
		slot->operation = operation;
		slot->used = true;
	}
	channel->parameter_ends[channel->put++ % (2 * channel->ring.entries)] =
		channel->parameter_head;
	ring_put(&channel->ring, &submission);
}

enum vgpu_result channel_submit(struct vgpu_channel *channel, struct vgpu_operation *operations,
				size_t count, int64_t timeout_ns)
{
	enum vgpu_result result = VGPU_OK;
	uint32_t together = count <= CHANNEL_TOGETHER ? (uint32_t)count : 1;
	bool doorbell;

	for (size_t i = 0; i < count; i++)
		operations[i].state = 0;
	pthread_mutex_lock(&channel->mutex);
	for (size_t i = 0; i < count; i += together) {
		struct awaited awaited = { .submissions = together };

		for (size_t j = i; j < i + together; j++)
			awaited.answers += !(operations[j].flags & VGPU_SUBMIT_NO_REPLY);
		result = admit(channel, &awaited, timeout_ns);
		if (result != VGPU_OK)
			break;
		for (size_t j = i; j < i + together; j++)
			put(channel, &operations[j]);
	}
	doorbell = ring_wants_doorbell(&channel->ring);
	pthread_mutex_unlock(&channel->mutex);
	if (doorbell)
		ring_doorbell(channel);
	return result;
}

enum vgpu_result channel_submit_launch(struct vgpu_channel *channel,
				       struct vgpu_operation *operation, struct vgpu_launch *launch,
				       const void *parameters, int64_t timeout_ns)
{
	const struct awaited awaited = {
		.submissions = 1,
		.answers = !(operation->flags & VGPU_SUBMIT_NO_REPLY),
		.parameters = vgpu_align_up(launch->parameter_bytes, VGPU_RING_LINE),
	};
	enum vgpu_result result;
	bool doorbell = false;

	operation->state = 0;
	pthread_mutex_lock(&channel->mutex);
	result = admit(channel, &awaited, timeout_ns);
	if (result == VGPU_OK) {
		if (awaited.parameters) {
			channel->parameter_head += parameters_skip(channel, awaited.parameters);
			launch->parameters = channel->parameters +
					     channel->parameter_head % channel->parameter_bytes;
			memcpy(channel->window + launch->parameters, parameters,
			       launch->parameter_bytes);
			channel->parameter_head += awaited.parameters;
		}
		launch_store(operation->argument, launch);
		put(channel, operation);
		doorbell = ring_wants_doorbell(&channel->ring);
	}
	pthread_mutex_unlock(&channel->mutex);
	if (doorbell)
		ring_doorbell(channel);
	return result;
}

enum vgpu_result channel_wait(struct vgpu_channel *channel, struct vgpu_operation *operation,
			      int64_t timeout_ns)
{
	const struct awaited awaited = { .operation = operation };

	if (__atomic_load_n(&operation->state, __ATOMIC_ACQUIRE) == 0)
		return VGPU_OK;

	CHANNEL_LOCK(&channel->mutex);

	return wait_until(channel, &awaited, timeout_ns);
}

void channel_detach(struct vgpu_channel *channel, struct vgpu_operation *operation)
{
	CHANNEL_LOCK(&channel->mutex);

	if (operation->state && channel->slots[operation->slot].operation == operation)
		channel->slots[operation->slot].operation = NULL;
	operation->state = 0;
}

enum vgpu_result vgpu_channel_poll(struct vgpu_channel *channel)
{
	CHANNEL_LOCK(&channel->mutex);

	if (!channel->leading)
		take_all(channel);
	return channel->failed ? broken(channel) : VGPU_OK;
}
