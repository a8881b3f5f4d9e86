/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How it is built: a GPU has one heap of channels for each priority, ordered by the arrival of the
 * channel's oldest waiting job. A channel is in a heap exactly while it has a waiting job and none
 * running, so a decision is the top of the highest heap that is not empty. Everything that a heap
 * can need is allocated when a channel is added: only sched_submit() can run out of memory later,
 * for the job itself.
 */
#include "mediatord/sched.h"

#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "mediatord/idmap.h"

#define PRIORITIES   (VGPU_PRIORITY_HIGH + 1)
#define WEIGHT_MAX   10000u
#define PERCENT_MAX  100u
#define NOT_IN_HEAP  SIZE_MAX
#define FIFO_FIRST   8u
#define BUCKET_TOKEN ((uint64_t)VGPU_NS_PER_SECOND) /* one request; see tenant_refill() */

struct job {
	uint64_t id;
	uint64_t arrival; /* a number that grows with every job admitted */
};

/* Waiting jobs in the order of submission: a ring. */
struct fifo {
	struct job *jobs;
	size_t size; /* of jobs: 0 or a power of two */
	size_t first;
	size_t count;
};

struct tenant {
	uint32_t id;
	struct sched_tenant_config config;
	struct channel *channels; /* a list through channel->next */
	/* Token bucket. A request costs BUCKET_TOKEN. */
	uint64_t bucket;
	int64_t bucket_filled_ns; /* when the bucket had that level */
	struct sched_tenant_stats stats;
};

struct channel {
	uint32_t id;
	struct tenant *tenant;
	struct channel *next, **link; /* link: what points here */
	struct gpu *gpu;
	struct fifo waiting;
	size_t heap_index; /* in its GPU's heap of its tenant's priority, or NOT_IN_HEAP */
};

struct heap {
	struct channel **channels;
	size_t count;
};

struct gpu {
	uint32_t id;
	uint32_t pool;
	size_t channels; /* placed here */
	size_t heap_size;
	struct heap heaps[PRIORITIES]; /* each with room for heap_size channels */
	/* What runs: nothing where running is NULL. */
	struct channel *running;
	uint64_t job;
	int64_t started_ns;
	bool expired; /* SCHED_EXPIRE was said */
};

struct sched {
	struct idmap tenants;
	struct idmap channels;
	struct gpu **gpus; /* in the order in which they were added */
	size_t gpu_count;
	uint64_t arrivals;
};

static uint64_t head_arrival(const struct channel *channel)
{
	return channel->waiting.jobs[channel->waiting.first].arrival;
}

/* Adds a job at the end. Returns 0, or -1 with ENOMEM. */
static int fifo_push(struct fifo *fifo, struct job job)
{
	if (fifo->count == fifo->size) {
		size_t size = fifo->size ? fifo->size * 2 : FIFO_FIRST;
		struct job *jobs = calloc(size, sizeof(*jobs));

		if (!jobs) {
			errno = ENOMEM;
			return -1;
		}
		for (size_t i = 0; i < fifo->count; i++)
			jobs[i] = fifo->jobs[(fifo->first + i) & (fifo->size - 1)];
		free(fifo->jobs);
		fifo->jobs = jobs;
		fifo->size = size;
		fifo->first = 0;
	}
	fifo->jobs[(fifo->first + fifo->count) & (fifo->size - 1)] = job;
	fifo->count++;
	return 0;
}

/* Takes the first job, which must be there. A ring that a burst made large goes when it is empty.
 */
static struct job fifo_pop(struct fifo *fifo)
{
	struct job job = fifo->jobs[fifo->first];

	fifo->first = (fifo->first + 1) & (fifo->size - 1);
	fifo->count--;
	if (fifo->count == 0 && fifo->size > FIFO_FIRST) {
		free(fifo->jobs);
		*fifo = (struct fifo){ 0 };
	}
	return job;
}

static void heap_place(struct heap *heap, size_t index, struct channel *channel)
{
	heap->channels[index] = channel;
	channel->heap_index = index;
}

/* Moves the channel at index to where its arrival belongs. */
static void heap_settle(struct heap *heap, size_t index)
{
	struct channel *channel = heap->channels[index];
	uint64_t arrival = head_arrival(channel);

	while (index > 0) {
		size_t parent = (index - 1) / 2;

		if (head_arrival(heap->channels[parent]) <= arrival)
			break;
		heap_place(heap, index, heap->channels[parent]);
		index = parent;
	}
	for (;;) {
		size_t child = 2 * index + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count &&
		    head_arrival(heap->channels[child + 1]) < head_arrival(heap->channels[child]))
			child++;
		if (arrival <= head_arrival(heap->channels[child]))
			break;
		heap_place(heap, index, heap->channels[child]);
		index = child;
	}
	heap_place(heap, index, channel);
}

static struct heap *channel_heap(const struct channel *channel)
{
	return &channel->gpu->heaps[channel->tenant->config.priority];
}

/* Puts the channel into its heap where it has a job that may run now. */
static void channel_enqueue(struct channel *channel)
{
	struct heap *heap = channel_heap(channel);

	if (channel->heap_index != NOT_IN_HEAP || channel->waiting.count == 0 ||
	    channel->gpu->running == channel)
		return;
	heap_place(heap, heap->count, channel);
	heap->count++;
	heap_settle(heap, heap->count - 1);
}

/* Takes the channel out of its heap, if it is in. Its waiting jobs must still be there. */
static void channel_dequeue(struct channel *channel)
{
	struct heap *heap = channel_heap(channel);
	size_t index = channel->heap_index;

	if (index == NOT_IN_HEAP)
		return;
	channel->heap_index = NOT_IN_HEAP;
	heap->count--;
	if (index == heap->count)
		return;
	heap_place(heap, index, heap->channels[heap->count]);
	heap_settle(heap, index);
}

struct sched *sched_new(void)
{
	return calloc(1, sizeof(struct sched));
}

static void free_value(void *value, void *opaque)
{
	(void)opaque;
	free(value);
}

static void free_channel_value(void *value, void *opaque)
{
	struct channel *channel = value;

	(void)opaque;
	free(channel->waiting.jobs);
	free(channel);
}

void sched_free(struct sched **sched)
{
	struct sched *s = *sched;

	*sched = NULL;
	if (!s)
		return;
	idmap_each(&s->channels, free_channel_value, NULL);
	idmap_each(&s->tenants, free_value, NULL);
	idmap_clear(&s->channels);
	idmap_clear(&s->tenants);
	for (size_t i = 0; i < s->gpu_count; i++) {
		for (unsigned int p = 0; p < PRIORITIES; p++)
			free(s->gpus[i]->heaps[p].channels);
		free(s->gpus[i]);
	}
	free(s->gpus);
	free(s);
}

int sched_gpu_add(struct sched *sched, uint32_t gpu, uint32_t pool)
{
	struct gpu **gpus, *new;

	for (size_t i = 0; i < sched->gpu_count; i++) {
		if (sched->gpus[i]->id == gpu) {
			errno = EEXIST;
			return -1;
		}
	}
	gpus = reallocarray(sched->gpus, sched->gpu_count + 1, sizeof(*gpus));
	if (!gpus)
		return -1;
	sched->gpus = gpus;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -1;
	new->id = gpu;
	new->pool = pool;
	gpus[sched->gpu_count++] = new;
	return 0;
}

static bool pool_has_gpu(const struct sched *sched, uint32_t pool)
{
	for (size_t i = 0; i < sched->gpu_count; i++) {
		if (sched->gpus[i]->pool == pool)
			return true;
	}
	return false;
}

static bool config_ok(const struct sched_tenant_config *config)
{
	return config->priority < PRIORITIES && config->weight >= 1 &&
	       config->weight <= WEIGHT_MAX && config->time_guaranteed_percent <= PERCENT_MAX &&
	       config->time_max_percent <= PERCENT_MAX &&
	       (config->time_max_percent == 0 ||
		config->time_guaranteed_percent <= config->time_max_percent) &&
	       config->longest_job_ns >= 0;
}

/* The most that the bucket holds. Fits: both factors are below 2^32. */
static uint64_t bucket_size(const struct sched_tenant_config *config)
{
	return BUCKET_TOKEN * (config->burst ? config->burst : config->requests_per_second);
}

/*
 * Brings the bucket up to now. One nanosecond adds requests_per_second units of 1/10^9 request: an
 * integer for every rate, so nothing is ever rounded and nothing drifts.
 */
static void tenant_refill(struct tenant *tenant, int64_t now_ns)
{
	uint64_t size = bucket_size(&tenant->config);
	uint32_t rate = tenant->config.requests_per_second;
	uint64_t missing, elapsed;

	if (rate == 0 || now_ns <= tenant->bucket_filled_ns)
		return;
	elapsed = (uint64_t)now_ns - (uint64_t)tenant->bucket_filled_ns;
	tenant->bucket_filled_ns = now_ns;
	missing = size - tenant->bucket;
	/* Compared before multiplying: the product is then at most `missing`. */
	if (elapsed > missing / rate)
		tenant->bucket = size;
	else
		tenant->bucket += elapsed * rate;
}

int sched_tenant_set(struct sched *sched, uint32_t tenant, const struct sched_tenant_config *config,
		     int64_t now_ns)
{
	struct tenant *t = idmap_get(&sched->tenants, tenant);
	bool was_limited;

	if (!config_ok(config) || !pool_has_gpu(sched, config->pool)) {
		errno = EINVAL;
		return -1;
	}
	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			return -1;
		if (idmap_add(&sched->tenants, tenant, t) < 0) {
			free(t);
			errno = ENOMEM;
			return -1;
		}
		t->id = tenant;
		t->config = *config;
		t->bucket = bucket_size(config);
		t->bucket_filled_ns = now_ns;
		return 0;
	}
	if (config->pool != t->config.pool && t->channels) {
		errno = EBUSY;
		return -1;
	}
	/* What was earned so far was earned at the old rate. */
	tenant_refill(t, now_ns);
	for (struct channel *channel = t->channels; channel; channel = channel->next)
		channel_dequeue(channel);
	was_limited = t->config.requests_per_second != 0;
	t->config = *config;
	for (struct channel *channel = t->channels; channel; channel = channel->next)
		channel_enqueue(channel);
	if (!was_limited || t->bucket > bucket_size(config))
		t->bucket = bucket_size(config);
	t->bucket_filled_ns = now_ns;
	return 0;
}

/* Ends what runs on the GPU, which is charged with at most the time since it started. */
static void gpu_stop(struct gpu *gpu, int64_t gpu_time_ns, int64_t now_ns)
{
	struct tenant *tenant = gpu->running->tenant;
	int64_t elapsed = now_ns > gpu->started_ns ? now_ns - gpu->started_ns : 0;

	if (gpu_time_ns > elapsed)
		gpu_time_ns = elapsed;
	if (gpu_time_ns > 0)
		tenant->stats.gpu_time_ns += (uint64_t)gpu_time_ns;
	tenant->stats.running--;
	gpu->running = NULL;
}

static void channel_destroy(struct sched *sched, struct channel *channel, int64_t now_ns)
{
	channel_dequeue(channel);
	/* What it ran is charged in full, or a tenant could avoid its share by reconnecting. */
	if (channel->gpu->running == channel)
		gpu_stop(channel->gpu, INT64_MAX, now_ns);
	channel->tenant->stats.waiting -= (uint32_t)channel->waiting.count;
	channel->gpu->channels--;
	*channel->link = channel->next;
	if (channel->next)
		channel->next->link = channel->link;
	idmap_remove(&sched->channels, channel->id);
	free_channel_value(channel, NULL);
}

void sched_tenant_remove(struct sched *sched, uint32_t tenant, int64_t now_ns)
{
	struct tenant *t = idmap_remove(&sched->tenants, tenant);

	if (!t)
		return;
	while (t->channels)
		channel_destroy(sched, t->channels, now_ns);
	free(t);
}

/* Makes room in each of the GPU's heaps for one channel more. Returns 0, or -1 with ENOMEM. */
static int gpu_reserve(struct gpu *gpu)
{
	size_t size = gpu->heap_size ? gpu->heap_size * 2 : 8;

	if (gpu->channels < gpu->heap_size)
		return 0;
	for (unsigned int p = 0; p < PRIORITIES; p++) {
		struct channel **channels =
			reallocarray(gpu->heaps[p].channels, size, sizeof(struct channel *));

		if (!channels)
			return -1;
		gpu->heaps[p].channels = channels;
	}
	gpu->heap_size = size;
	return 0;
}

int sched_channel_add(struct sched *sched, uint32_t channel, uint32_t tenant, uint32_t *gpu)
{
	struct tenant *t = idmap_get(&sched->tenants, tenant);
	struct gpu *fewest = NULL;
	struct channel *c;

	for (size_t i = 0; t && i < sched->gpu_count; i++) {
		if (sched->gpus[i]->pool == t->config.pool &&
		    (!fewest || sched->gpus[i]->channels < fewest->channels))
			fewest = sched->gpus[i];
	}
	if (!fewest) {
		errno = ENOENT;
		return -1;
	}
	if (idmap_get(&sched->channels, channel)) {
		errno = EEXIST;
		return -1;
	}
	if (gpu_reserve(fewest) < 0)
		return -1;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -1;
	if (idmap_add(&sched->channels, channel, c) < 0) {
		free(c);
		errno = ENOMEM;
		return -1;
	}
	c->id = channel;
	c->tenant = t;
	c->gpu = fewest;
	c->heap_index = NOT_IN_HEAP;
	c->next = t->channels;
	c->link = &t->channels;
	if (c->next)
		c->next->link = &c->next;
	t->channels = c;
	fewest->channels++;
	*gpu = fewest->id;
	return 0;
}

void sched_channel_remove(struct sched *sched, uint32_t channel, int64_t now_ns)
{
	struct channel *c = idmap_get(&sched->channels, channel);

	if (c)
		channel_destroy(sched, c, now_ns);
}

enum sched_answer sched_submit(struct sched *sched, uint32_t channel, uint64_t job, int64_t now_ns)
{
	struct channel *c = idmap_get(&sched->channels, channel);
	struct sched_tenant_stats *stats;
	struct tenant *t;

	if (!c)
		return SCHED_NO_CHANNEL;
	t = c->tenant;
	stats = &t->stats;
	/* The queue first: a job that does not fit it must not cost a token. */
	if (t->config.queue_depth &&
	    (uint64_t)stats->waiting + stats->running >= t->config.queue_depth) {
		stats->refused_queue_full++;
		return SCHED_QUEUE_FULL;
	}
	tenant_refill(t, now_ns);
	if (t->config.requests_per_second && t->bucket < BUCKET_TOKEN) {
		stats->refused_rate_limited++;
		return SCHED_RATE_LIMITED;
	}
	if (stats->waiting == UINT32_MAX ||
	    fifo_push(&c->waiting, (struct job){ .id = job, .arrival = sched->arrivals }) < 0)
		return SCHED_NO_MEMORY;
	sched->arrivals++;
	if (t->config.requests_per_second)
		t->bucket -= BUCKET_TOKEN;
	stats->submitted++;
	stats->waiting++;
	channel_enqueue(c);
	return SCHED_ADMITTED;
}

void sched_complete(struct sched *sched, uint64_t job, int64_t gpu_time_ns, int64_t now_ns)
{
	for (size_t i = 0; i < sched->gpu_count; i++) {
		struct gpu *gpu = sched->gpus[i];
		struct channel *channel = gpu->running;

		if (!channel || gpu->job != job)
			continue;
		if (!gpu->expired)
			channel->tenant->stats.completed++;
		gpu_stop(gpu, gpu_time_ns, now_ns);
		channel_enqueue(channel);
		return;
	}
}

/* When the GPU's running job exceeds its tenant's limit, or -1 for never. */
static int64_t gpu_deadline(const struct gpu *gpu)
{
	int64_t deadline;

	if (!gpu->running || gpu->expired || gpu->running->tenant->config.longest_job_ns == 0)
		return -1;
	if (__builtin_add_overflow(gpu->started_ns, gpu->running->tenant->config.longest_job_ns,
				   &deadline))
		return -1;
	return deadline;
}

static void decide(struct sched_decision *decision, enum sched_decision_kind kind,
		   const struct gpu *gpu)
{
	*decision = (struct sched_decision){
		.kind = kind,
		.tenant = gpu->running->tenant->id,
		.channel = gpu->running->id,
		.gpu = gpu->id,
		.job = gpu->job,
	};
}

/* Starts the GPU's next job, if there is one. */
static bool gpu_start(struct gpu *gpu, int64_t now_ns)
{
	for (unsigned int p = PRIORITIES; p-- > 0;) {
		struct channel *channel;

		if (gpu->heaps[p].count == 0)
			continue;
		channel = gpu->heaps[p].channels[0];
		channel_dequeue(channel);
		gpu->running = channel;
		gpu->job = fifo_pop(&channel->waiting).id;
		gpu->started_ns = now_ns;
		gpu->expired = false;
		channel->tenant->stats.waiting--;
		channel->tenant->stats.running++;
		return true;
	}
	return false;
}

bool sched_next(struct sched *sched, int64_t now_ns, struct sched_decision *decision)
{
	for (size_t i = 0; i < sched->gpu_count; i++) {
		struct gpu *gpu = sched->gpus[i];
		int64_t deadline;

		if (!gpu->running) {
			if (!gpu_start(gpu, now_ns))
				continue;
			decide(decision, SCHED_RUN, gpu);
			return true;
		}
		deadline = gpu_deadline(gpu);
		if (deadline < 0 || now_ns < deadline)
			continue;
		gpu->expired = true;
		gpu->running->tenant->stats.expired++;
		decide(decision, SCHED_EXPIRE, gpu);
		return true;
	}
	return false;
}

int64_t sched_deadline(const struct sched *sched)
{
	int64_t first = -1;

	for (size_t i = 0; i < sched->gpu_count; i++) {
		int64_t deadline = gpu_deadline(sched->gpus[i]);

		if (deadline >= 0 && (first < 0 || deadline < first))
			first = deadline;
	}
	return first;
}

int sched_tenant_stats(const struct sched *sched, uint32_t tenant, struct sched_tenant_stats *stats)
{
	const struct tenant *t = idmap_get(&sched->tenants, tenant);

	if (!t) {
		errno = ENOENT;
		return -1;
	}
	*stats = t->stats;
	return 0;
}
