/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seats: made for what profiles offer on the GPUs that are there, and kept for ever. Which of
 * them a VM has follows from the VMs' records. Each change of either is in the seats' file before
 * the change's function returns: CloudStack's agent reads it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/log.h"
#include "common/text.h"
#include "common/uuid.h"
#include "mediatord/registry_internal.h"
#include "mediatord/seats_file.h"

static int compare(const void *a, const void *b)
{
	const struct registry_seat *left = a, *right = b;

	return memcmp(left->stored.uuid, right->stored.uuid, sizeof(left->stored.uuid));
}

static int load_one(const struct state_seat *stored, void *opaque, struct vgpu_error **err)
{
	struct registry *registry = opaque;
	struct registry_seat *seats =
		reallocarray(registry->seats, registry->seat_count + 1, sizeof(*registry->seats));

	if (!seats)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	registry->seats = seats;
	seats[registry->seat_count++] = (struct registry_seat){ .stored = *stored };
	return 0;
}

int registry_load_seats(struct registry *registry, struct vgpu_error **err)
{
	return state_each_seat(registry->state, load_one, registry, err);
}

void registry_free_seats(struct registry *registry)
{
	free(registry->seats);
	free(registry->gpus);
	free(registry->seats_written);
}

/* Seats that are being made anew: those that there are, in their order, and new ones behind. */
struct draft {
	struct registry_seat *seats;
	size_t old, count;
	size_t changed; /* of the old ones: their GPU is described otherwise */
};

static void free_draft(struct draft *draft)
{
	free(draft->seats);
}

static struct registry_seat *find(const struct draft *draft, const char *gpu, const char *profile,
				  uint32_t number)
{
	for (size_t i = 0; i < draft->count; i++) {
		const struct state_seat *stored = &draft->seats[i].stored;

		if (stored->number == number && strcmp(stored->gpu, gpu) == 0 &&
		    strcmp(stored->profile, profile) == 0)
			return &draft->seats[i];
	}
	return NULL;
}

/* Random, version 4: no two hosts of a zone may have the same. Returns 0, or -1. */
static int make_uuid(uint8_t uuid[16])
{
	if (getrandom(uuid, 16, 0) != 16)
		return -1;
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return 0;
}

/* What a GPU is known by, however the host numbers it today; "" where that is not known. */
static void identify(const struct draft *draft, const struct gpu *gpu, char id[GPU_TEXT_BYTES])
{
	id[0] = '\0';
	if (gpu->uuid[0] || gpu->pci_address[0]) {
		snprintf(id, GPU_TEXT_BYTES, "%s", gpu->uuid[0] ? gpu->uuid : gpu->pci_address);
		return;
	}
	/* Software's have neither. */
	if (gpu->state == GPU_OK) {
		snprintf(id, GPU_TEXT_BYTES, "software-%u", gpu->index);
		return;
	}
	/* The driver hangs and did not say: it is taken for the one that was there. */
	for (size_t i = 0; i < draft->old && !id[0]; i++)
		if (draft->seats[i].stored.gpu_index == gpu->index)
			memcpy(id, draft->seats[i].stored.gpu, GPU_TEXT_BYTES);
}

/* Brings what is stored of a seat's GPU up to date, as far as the driver says it. */
static bool describe(struct state_seat *stored, const struct gpu *gpu)
{
	const struct state_seat before = *stored;

	stored->gpu_index = gpu->index;
	if (gpu->pci_address[0])
		memcpy(stored->pci_address, gpu->pci_address, sizeof(stored->pci_address));
	if (gpu->name[0])
		memcpy(stored->gpu_name, gpu->name, sizeof(stored->gpu_name));
	if (gpu->memory_bytes)
		stored->gpu_memory_bytes = gpu->memory_bytes;
	return memcmp(&before, stored, sizeof(before)) != 0;
}

/* A profile's seats on a GPU that has them. Returns 0, or -1 without memory or randomness. */
static int offer(struct draft *draft, const char *id, const struct config_profile *profile)
{
	for (uint32_t number = 0; number < profile->seats; number++) {
		struct registry_seat *seat = find(draft, id, profile->name, number);

		if (!seat) {
			struct registry_seat *seats =
				reallocarray(draft->seats, draft->count + 1, sizeof(*draft->seats));

			if (!seats)
				return -1;
			draft->seats = seats;
			seat = &seats[draft->count];
			memset(seat, 0, sizeof(*seat));
			if (make_uuid(seat->stored.uuid) < 0)
				return -1;
			memcpy(seat->stored.gpu, id, strlen(id) + 1);
			memcpy(seat->stored.profile, profile->name, strlen(profile->name) + 1);
			seat->stored.number = number;
			draft->count++;
		}
		seat->offered = true;
		seat->memory_bytes = profile->quotas.gpu_memory_bytes;
	}
	return 0;
}

static bool pool_has(const struct config *config, const char *name, uint32_t gpu)
{
	const struct config_pool *pool = config_pool_find(config, name);

	for (size_t i = 0; pool && i < pool->gpu_count; i++)
		if (pool->gpus[i] == gpu)
			return true;
	return false;
}

static int take_gpu(const struct registry *registry, struct draft *draft, const struct gpu *gpu)
{
	const struct config *config = &registry->config;
	char id[GPU_TEXT_BYTES];

	identify(draft, gpu, id);
	if (!id[0])
		return 0;
	for (size_t i = 0; i < config->profile_count; i++)
		if (pool_has(config, config->profiles[i].pool, gpu->index) &&
		    offer(draft, id, &config->profiles[i]) < 0)
			return -1;
	for (size_t i = 0; i < draft->count; i++)
		if (strcmp(draft->seats[i].stored.gpu, id) == 0) {
			draft->seats[i].present = gpu->state != GPU_LOST;
			draft->changed += describe(&draft->seats[i].stored, gpu);
		}
	return 0;
}

/* Which of the seats VMs have. */
static void take_vms(const struct registry *registry, struct draft *draft)
{
	qsort(draft->seats, draft->count, sizeof(*draft->seats), compare);
	for (size_t i = 0; i < registry->count; i++) {
		const struct state_vm *vm = &registry->vms[i]->stored;
		const struct vm_layer *layer = &vm->layers[VM_HAND_DOMAIN];
		struct registry_seat wanted = { .used = false }, *seat;

		if (!vm->attached || !vm_layer_has(layer, VM_FIELD_SEAT) ||
		    vgpu_uuid_parse(layer->values.seat, wanted.stored.uuid) < 0)
			continue;
		seat = bsearch(&wanted, draft->seats, draft->count, sizeof(wanted), compare);
		if (!seat)
			continue;
		seat->used = true;
		memcpy(seat->vm, vm->uuid, sizeof(seat->vm));
		snprintf(seat->vm_name, sizeof(seat->vm_name), "%s",
			 vm_layer_has(layer, VM_FIELD_NAME) ? layer->values.name : "");
	}
}

static int make_draft(const struct registry *registry, struct draft *draft)
{
	draft->old = draft->count = registry->seat_count;
	draft->seats = calloc(draft->count + 1, sizeof(*draft->seats));
	if (!draft->seats)
		return -1;
	for (size_t i = 0; i < draft->count; i++)
		draft->seats[i].stored = registry->seats[i].stored;
	for (size_t i = 0; registry->gpus && i < registry->gpus->count; i++)
		if (take_gpu(registry, draft, &registry->gpus->gpus[i]) < 0)
			return -1;
	return 0;
}

/* Stores what is new or changed: before anybody is shown a new seat's uuid. */
static int store(const struct registry *registry, const struct draft *draft,
		 struct vgpu_error **err)
{
	VGPU_AUTO_FREE struct state_seat *all = NULL;

	if (draft->count == draft->old && !draft->changed)
		return 0;
	all = calloc(draft->count, sizeof(*all));
	if (!all)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < draft->count; i++)
		all[i] = draft->seats[i].stored;
	return state_put_seats(registry->state, all, draft->count, err);
}

/* Once for each problem: it may stay, and be met every few seconds. */
static void complain(struct registry *registry, const char *message)
{
	char problem[sizeof(registry->seats_problem)];

	vgpu_text_cut(problem, sizeof(problem), message);
	if (strcmp(problem, registry->seats_problem) != 0)
		vgpu_log_warning("seats: %s", message);
	memcpy(registry->seats_problem, problem, sizeof(problem));
}

static bool visible(const struct registry_seat *seat)
{
	return seat->offered || seat->used;
}

int registry_seats(struct registry *registry, const uint8_t after[16], size_t limit,
		   struct registry_seat **seats, size_t *count, bool *more, struct vgpu_error **err)
{
	struct registry_seat *list;
	size_t n = 0;

	pthread_rwlock_rdlock(&registry->lock);
	list = calloc(registry->seat_count + 1, sizeof(*list));
	*more = false;
	for (size_t i = 0; list && i < registry->seat_count && !*more; i++) {
		const struct registry_seat *seat = &registry->seats[i];

		if (!visible(seat) || (after && memcmp(seat->stored.uuid, after, 16) <= 0))
			continue;
		if (n == limit)
			*more = true;
		else
			list[n++] = *seat;
	}
	pthread_rwlock_unlock(&registry->lock);
	*seats = list;
	*count = n;
	return list ? 0 : vgpu_error_set(err, INTERNAL, "out of memory");
}

/* A host that never had seats has no file. */
static void write_file(struct registry *registry)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE struct registry_seat *seats = NULL;
	VGPU_AUTO_FREE char *text = NULL;
	size_t count;
	bool more;

	if (!registry->seat_count)
		return;
	if (registry_seats(registry, NULL, SIZE_MAX, &seats, &count, &more, &err) == 0)
		text = seats_file_text(registry->config.link_dir, seats, count);
	if (!text) {
		complain(registry, "out of memory");
		return;
	}
	if (registry->seats_written && strcmp(text, registry->seats_written) == 0)
		return;
	free(registry->seats_written);
	registry->seats_written = NULL;
	if (seats_file_write(registry->config.state, text, &err) < 0) {
		complain(registry, err->message);
		return;
	}
	registry->seats_problem[0] = '\0';
	registry->seats_written = vgpu_steal_pointer(&text);
}

/* What could not be stored or written is tried again with the next look at the GPUs. */
static void refresh(struct registry *registry)
{
	VGPU_CLEANUP(free_draft) struct draft draft = { .count = 0 };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct registry_seat *old = registry->seats;

	if (make_draft(registry, &draft) < 0) {
		complain(registry, "out of memory");
		return;
	}
	if (!draft.count)
		return;
	if (store(registry, &draft, &err) < 0) {
		complain(registry, err->message);
		return;
	}
	take_vms(registry, &draft);
	pthread_rwlock_wrlock(&registry->lock);
	registry->seats = draft.seats;
	registry->seat_count = draft.count;
	pthread_rwlock_unlock(&registry->lock);
	draft.seats = old;
	write_file(registry);
}

void registry_end_change(struct registry *registry)
{
	/* Before the first look nothing is known. */
	if (registry->gpus)
		refresh(registry);
	pthread_mutex_unlock(&registry->change);
}

void registry_gpus(struct registry *registry, const struct gpu_report *report)
{
	pthread_mutex_lock(&registry->change);
	if (!registry->gpus)
		registry->gpus = malloc(sizeof(*registry->gpus));
	if (registry->gpus)
		*registry->gpus = *report;
	registry_end_change(registry);
}
