/* SPDX-License-Identifier: Apache-2.0 */
/* What a struct vgpu_channel is, and how operations are made on it. */
#ifndef VGPU_GUEST_CHANNEL_H
#define VGPU_GUEST_CHANNEL_H

#include <pthread.h>
#include <stdbool.h>

#include "guest-agent/handle.h"
#include "guest-agent/ring.h"
#include "guest-agent/window.h"

/*
 * The library's own part of a window follows the program's: first the parameters of kernels that
 * wait in the ring, then the chunks through which other memory is copied.
 */
#define CHANNEL_CHUNKS 8

/* Of the chunks, those that one copy may hold: others find some, too. */
#define CHANNEL_CHUNKS_A_COPY 4

struct channel_chunk {
	enum {
		CHUNK_FREE,
		CHUNK_OWNED,  /* by a thread */
		CHUNK_FLYING, /* its fence is under way, and nobody waits for it */
	} state;
	vgpu_event event; /* 0 until it is first needed */
	uint64_t offset;
	struct vgpu_operation operations[3]; /* by enum channel_chunk_operation */
};

/* What is submitted for a chunk, in this order; the fence ends when the GPU is done with it. */
enum channel_chunk_operation {
	CHUNK_COPY,
	CHUNK_RECORD,
	CHUNK_FENCE,
};

/* An answer that is owed. */
struct channel_slot {
	struct vgpu_operation *operation; /* NULL where nobody waits for it any more */
	uint32_t generation;		  /* tells late answers to earlier users apart */
	uint32_t next_free;
	bool used;
};

struct vgpu_channel {
	struct vgpu *vgpu;
	struct vgpu_channel *next; /* of the handle's channels */
	unsigned int number;
	bool check;
	void *region;
	uint64_t region_bytes;
	int doorbell;	/* an eventfd, or -1: the register */
	int completion; /* an eventfd to sleep on, or -1: there is none, and sleeps are short */

	/* Held shortly, never while waiting. */
	pthread_mutex_t mutex;
	struct ring ring;
	struct channel_slot *slots; /* as many as the ring has entries */
	uint32_t free_slot;	    /* SLOT_NONE for none */
	uint32_t free_slots;
	uint32_t failed;      /* why it broke: an enum vgpu_result, or 0 */
	bool leading;	      /* a thread looks for completions, for all that wait */
	pthread_cond_t moved; /* a completion was taken, or nobody leads any more */
	unsigned int followers;
	bool single_processor; /* shared with the worker: polling is in its way */
	uint32_t kept;	       /* the first error of what the library itself waited for */

	int64_t spin_ns; /* how long to poll before sleeping; adapts */
	/* Waits until one polls for the longest time, and between two that do. */
	uint32_t probe_in, probe_interval;
	uint64_t put; /* submissions, ever */

	/*
	 * Kernels' parameters: a ring of bytes. parameter_ends[i % (2 * entries)] is how far it was
	 * filled when submission i was put.
	 */
	uint64_t parameters; /* window offset */
	uint32_t parameter_bytes;
	uint64_t parameter_head; /* bytes ever taken */
	uint64_t *parameter_ends;

	/* The window: the program's part, the library's after it. */
	uint8_t *window;
	uint64_t window_bytes; /* the program's */
	pthread_mutex_t window_mutex;
	struct window allocated;
	pthread_cond_t chunk_freed; /* with window_mutex */
	struct channel_chunk chunks[CHANNEL_CHUNKS];
	bool loose_chunks;	 /* some fly, or have a status that nobody has looked at */
	unsigned int next_chunk; /* to take: the one that was taken longest ago */
	uint32_t objects;	 /* of the program: allocations, modules, streams and events */
	uint64_t chunk_bytes;
};

#define SLOT_NONE UINT32_MAX

/* An owning hold of a mutex until the end of the block. */
static inline void channel_unlock(pthread_mutex_t **mutex)
{
	pthread_mutex_unlock(*mutex);
}

static inline pthread_mutex_t *channel_lock(pthread_mutex_t *mutex)
{
	pthread_mutex_lock(mutex);
	return mutex;
}

#define CHANNEL_LOCK(mutex)                                                                        \
	pthread_mutex_t *held_ __attribute__((cleanup(channel_unlock), unused)) =                  \
		channel_lock(mutex)

/* The handle's, in nanoseconds. Each wait may take that long. */
int64_t channel_timeout(const struct vgpu_channel *channel);

/* Readies and frees what submitting and waiting need. */
enum vgpu_result channel_queue_init(struct vgpu_channel *channel, uint32_t entries, bool combining);
void channel_queue_free(struct vgpu_channel *channel);

/*
 * Submits, waiting for room for at most timeout_ns. Up to CHANNEL_TOGETHER of them are submitted
 * all or none; more, as far as there was room.
 */
#define CHANNEL_TOGETHER 4
enum vgpu_result channel_submit(struct vgpu_channel *channel, struct vgpu_operation *operations,
				size_t count, int64_t timeout_ns);

/* The same for a LAUNCH, whose parameters it puts into the window. */
enum vgpu_result channel_submit_launch(struct vgpu_channel *channel,
				       struct vgpu_operation *operation, struct vgpu_launch *launch,
				       const void *parameters, int64_t timeout_ns);

/* Waits until it is answered. After VGPU_E_TIMEOUT it is still under way: see channel_detach(). */
enum vgpu_result channel_wait(struct vgpu_channel *channel, struct vgpu_operation *operation,
			      int64_t timeout_ns);

/* Its answer will be thrown away. Fine for one that was answered. */
void channel_detach(struct vgpu_channel *channel, struct vgpu_operation *operation);

/* Submits one operation and waits for it. VGPU_E_CUDA where its status is not 0. */
enum vgpu_result channel_call(struct vgpu_channel *channel, struct vgpu_operation *operation,
			      const char *what);

/* channel_call() for an operation that waits for the GPU: also tells what was kept meanwhile. */
enum vgpu_result channel_call_wait(struct vgpu_channel *channel, struct vgpu_operation *operation,
				   const char *what);

/* channel_call() for one that ends an object: channel_object_gone() where it did. */
enum vgpu_result channel_destroy(struct vgpu_channel *channel, struct vgpu_operation *operation,
				 const char *what);

/* Submits one without an answer, or, for a channel that checks, as channel_call(). */
enum vgpu_result channel_start(struct vgpu_channel *channel, struct vgpu_operation *operation,
			       const char *what);

/* VGPU_E_CUDA with the number and a text; what an operation failed with, and why. */
enum vgpu_result channel_cuda_error(uint32_t status, const char *what);
enum vgpu_result channel_operation_error(const struct vgpu_operation *operation, const char *what);

/* The first error of what the library waited for itself, for the next function that waits. */
void channel_keep(struct vgpu_channel *channel, uint32_t status);
uint32_t channel_kept(struct vgpu_channel *channel);

/* Looks whether the channel broke; then its functions fail. Not with a mutex held. */
void channel_look(struct vgpu_channel *channel);

/* Whether all of this memory is the program's part of the window, and at which offset. */
bool channel_in_window(const struct vgpu_channel *channel, const void *memory, uint64_t bytes,
		       uint64_t *offset);

/*
 * A chunk for this thread, which owns it until channel_chunk_done(). channel_chunk_take() waits for
 * one for at most timeout_ns: a thread that has one already must use channel_chunk_try(), which
 * gives NULL where it would have to wait, since others may wait for the one that it has.
 */
enum vgpu_result channel_chunk_take(struct vgpu_channel *channel, struct channel_chunk **chunk,
				    int64_t timeout_ns);
struct channel_chunk *channel_chunk_try(struct vgpu_channel *channel);

/* Frees a chunk, or lets it fly where its fence is under way. */
void channel_chunk_done(struct vgpu_channel *channel, struct channel_chunk *chunk);

/*
 * channel_call() of the chunk's fence, for an operation that uses the window's memory in it. After
 * a time-out it is under way, and the chunk then stays taken until the answer comes.
 */
enum vgpu_result channel_chunk_call(struct vgpu_channel *channel, struct channel_chunk *chunk,
				    const char *what);

/* Keeps the errors of chunks that nobody waited for. */
void channel_chunk_collect(struct vgpu_channel *channel);

/*
 * Count what the program has on the GPU, once it was made, and once it is gone. With the last of it
 * go the library's own events: the worker then gives its context back.
 */
void channel_object_made(struct vgpu_channel *channel);
void channel_object_gone(struct vgpu_channel *channel);

/* Copies into the window and out of it, whatever kind of memory it is. */
void channel_write(const struct vgpu_channel *channel, uint64_t offset, const void *from,
		   uint64_t bytes);
void channel_read(const struct vgpu_channel *channel, void *to, uint64_t offset, uint64_t bytes);

/* Closes all channels of a handle. */
void channel_close_all(struct vgpu *vgpu);

#endif
