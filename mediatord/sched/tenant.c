/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "mediatord/sched/internal.h"

#define WEIGHT_MAX   10000u
#define PERCENT_MAX  100u
#define BUCKET_TOKEN VGPU_NS_PER_SECOND /* one request; see tenant_refill() */

static bool config_ok(const struct sched_tenant_config *config)
{
	return config->priority < PRIORITIES && config->weight >= 1 &&
	       config->weight <= WEIGHT_MAX && config->time_guaranteed_percent <= PERCENT_MAX &&
	       config->time_max_percent <= PERCENT_MAX &&
	       (config->time_max_percent == 0 ||
		config->time_guaranteed_percent <= config->time_max_percent) &&
	       config->longest_job_ns >= 0;
}

/* Fits: both factors are below 2^32, and 2^32 * 10^9 is below 2^63. */
int64_t bucket_size(const struct sched_tenant_config *config)
{
	return BUCKET_TOKEN * (config->burst ? config->burst : config->requests_per_second);
}

/*
 * One nanosecond adds requests_per_second units of 1/10^9 request: an integer for every rate, so
 * nothing is ever rounded and nothing drifts.
 */
void tenant_refill(struct tenant *tenant, int64_t now_ns)
{
	uint64_t size = (uint64_t)bucket_size(&tenant->config);
	uint32_t rate = tenant->config.requests_per_second;
	uint64_t missing, elapsed;

	if (rate == 0 || now_ns <= tenant->bucket_filled_ns)
		return;
	elapsed = (uint64_t)now_ns - (uint64_t)tenant->bucket_filled_ns;
	tenant->bucket_filled_ns = now_ns;
	missing = size - (uint64_t)tenant->bucket; /* also where that is below 0 */
	/* Compared before multiplying: the product is then at most `missing`. */
	if (elapsed > missing / rate)
		tenant->bucket = (int64_t)size;
	else
		tenant->bucket += (int64_t)(elapsed * rate);
}

bool tenant_has_token(struct tenant *tenant, int64_t now_ns)
{
	tenant_refill(tenant, now_ns);
	return !tenant->config.closed &&
	       (!tenant->config.requests_per_second || tenant->bucket >= BUCKET_TOKEN);
}

void tenant_take_token(struct tenant *tenant)
{
	if (tenant->config.requests_per_second)
		tenant->bucket -= BUCKET_TOKEN;
}

/* Whether a pool has room for the guarantee of a tenant, NULL for a new one. */
static bool pool_has_room(const struct tenant *tenant, const struct pool *pool, uint32_t percent)
{
	uint64_t others = pool->guaranteed_percent;

	if (tenant && tenant->pool == pool) {
		/* Also where it was kept without there being room. */
		if (percent <= tenant->config.time_guaranteed_percent)
			return true;
		others -= tenant->config.time_guaranteed_percent;
	}
	return !percent || others + percent <= (uint64_t)PERCENT_MAX * pool->gpus;
}

/* The same, and whether the GPUs where it has channels do. */
static bool guarantee_ok(const struct tenant *tenant, const struct pool *pool, uint32_t percent)
{
	uint32_t had = tenant ? tenant->config.time_guaranteed_percent : 0;

	if (!pool_has_room(tenant, pool, percent))
		return false;
	if (percent <= had)
		return true;
	for (const struct seat *seat = tenant ? tenant->seats : NULL; seat; seat = seat->next) {
		if (seat->channel_count &&
		    seat->gpu->guaranteed_percent - had + percent > PERCENT_MAX)
			return false;
	}
	return true;
}

bool sched_guarantee_fits(const struct sched *sched, uint32_t tenant, uint32_t pool,
			  uint32_t percent)
{
	const struct pool *found = pool_find(sched, pool);

	return found && pool_has_room(idmap_get(&sched->tenants, tenant), found, percent);
}

/* Adds a tenant without values. Returns NULL with ENOMEM. */
static struct tenant *tenant_add(struct sched *sched, uint32_t id)
{
	struct tenant *tenant = calloc(1, sizeof(*tenant));

	if (!tenant || heap_reserve(&sched->token_waits, sched->tenants.used + 1) < 0 ||
	    idmap_add(&sched->tenants, id, tenant) < 0) {
		free(tenant);
		errno = ENOMEM;
		return NULL;
	}
	tenant->id = id;
	return tenant;
}

static void change(struct sched *sched, struct tenant *tenant, struct pool *pool,
		   const struct sched_tenant_config *config, int64_t now_ns)
{
	struct sched_tenant_config old = tenant->config;
	int64_t size = bucket_size(config);

	/* What was earned and used so far was by the old values. */
	tenant_refill(tenant, now_ns);
	for (struct seat *seat = tenant->seats; seat; seat = seat->next)
		seat_settle(sched, seat, now_ns);
	if (tenant->pool)
		tenant->pool->guaranteed_percent -= old.time_guaranteed_percent;
	tenant->pool = pool;
	tenant->pool->guaranteed_percent += config->time_guaranteed_percent;
	tenant->config = *config;
	for (struct seat *seat = tenant->seats; seat; seat = seat->next) {
		if (seat->channel_count)
			seat->gpu->guaranteed_percent +=
				config->time_guaranteed_percent - old.time_guaranteed_percent;
		seat_reconfigure(sched, seat, &old, now_ns);
	}
	if (!old.requests_per_second || tenant->bucket > size)
		tenant->bucket = size;
	tenant->bucket_filled_ns = now_ns;
	tokens_rearm(sched, tenant);
}

int sched_tenant_set(struct sched *sched, uint32_t tenant, const struct sched_tenant_config *config,
		     int64_t now_ns)
{
	struct tenant *t = idmap_get(&sched->tenants, tenant);
	struct pool *pool = pool_find(sched, config->pool);

	if (!config_ok(config) || !pool) {
		errno = EINVAL;
		return -1;
	}
	for (const struct seat *seat = t && t->pool != pool ? t->seats : NULL; seat;
	     seat = seat->next) {
		if (seat->channel_count) {
			errno = EBUSY;
			return -1;
		}
	}
	if (!guarantee_ok(t, pool, config->time_guaranteed_percent)) {
		errno = ERANGE;
		return -1;
	}
	if (!t)
		t = tenant_add(sched, tenant);
	if (!t)
		return -1;
	change(sched, t, pool, config, now_ns);
	return 0;
}

int sched_tenant_rename(struct sched *sched, uint32_t tenant, uint32_t to)
{
	struct tenant *t = idmap_get(&sched->tenants, tenant);

	if (!t || idmap_get(&sched->tenants, to)) {
		errno = t ? EEXIST : ENOENT;
		return -1;
	}
	idmap_remove(&sched->tenants, tenant);
	t->id = to;
	/* Into the room that it has just left. */
	return idmap_add(&sched->tenants, to, t);
}

void sched_tenant_remove(struct sched *sched, uint32_t tenant, int64_t now_ns)
{
	struct tenant *t = idmap_remove(&sched->tenants, tenant);

	if (!t)
		return;
	while (t->seats) {
		struct seat *seat = t->seats;

		while (seat->channels)
			channel_destroy(sched, seat->channels, now_ns);
		if (seat->gpu->turn.owner == seat)
			turn_abandon(sched, seat->gpu, now_ns);
		t->seats = seat->next;
		seat_free(seat);
	}
	t->pool->guaranteed_percent -= t->config.time_guaranteed_percent;
	free(t);
}

bool sched_tenant_busy(const struct sched *sched, uint32_t tenant)
{
	const struct tenant *t = idmap_get(&sched->tenants, tenant);

	for (const struct seat *seat = t ? t->seats : NULL; seat; seat = seat->next) {
		const struct turn *turn = &seat->gpu->turn;

		if (seat_has_work(seat) ||
		    (turn->owner == seat && (turn->running || turn->revoked)))
			return true;
	}
	return false;
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
