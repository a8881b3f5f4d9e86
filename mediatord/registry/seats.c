/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seats: made for what profiles offer on the GPUs that are there, and kept for some time when
 * one of both goes. Which of them a VM has follows from the VMs' records. Each change of either is
 * in the seats' file before the change's function returns: CloudStack's agent reads it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/log.h"
#include "common/text.h"
#include "common/uuid.h"
#include "mediatord/registry/internal.h"
#include "mediatord/registry/seats_file.h"

static int by_uuid(const void *a, const void *b)
{
	const struct registry_seat *left = a, *right = b;

	return memcmp(left->stored.uuid, right->stored.uuid, sizeof(left->stored.uuid));
}

/* By what a seat is for: of no two seats it is the same. */
static int by_purpose(const void *a, const void *b)
{
	const struct state_seat *left = &((const struct registry_seat *)a)->stored;
	const struct state_seat *right = &((const struct registry_seat *)b)->stored;
	int order = strcmp(left->gpu, right->gpu);

	if (order == 0)
		order = strcmp(left->profile, right->profile);
	return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
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

/* Seats that are being made anew: those that there are, by their purpose, and new ones behind. */
struct draft {
	struct registry_seat *seats;
	size_t old, count;
	size_t changed;			     /* of the old ones: other values are to be stored */
	char gpus[GPUS_MAX][GPU_TEXT_BYTES]; /* that the report names, by what they are known by */
	size_t gpu_count;
};

static void free_draft(struct draft *draft)
{
	free(draft->seats);
}

/* A new one is not among them: each GPU and profile is met once. */
static struct registry_seat *find(const struct draft *draft, const char *gpu, const char *profile,
				  uint32_t number)
{
	struct registry_seat wanted = { .stored = { .number = number } };

	vgpu_text_cut(wanted.stored.gpu, sizeof(wanted.stored.gpu), gpu);
	vgpu_text_cut(wanted.stored.profile, sizeof(wanted.stored.profile), profile);
	return bsearch(&wanted, draft->seats, draft->old, sizeof(wanted), by_purpose);
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
		if (draft->seats[i].stored.gpu_index == gpu->index &&
		    !draft->seats[i].stored.away_since_s)
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

static bool is_known(const struct draft *draft, const char *id)
{
	for (size_t i = 0; i < draft->gpu_count; i++)
		if (strcmp(draft->gpus[i], id) == 0)
			return true;
	return false;
}

static int take_gpu(const struct registry *registry, struct draft *draft, const struct gpu *gpu)
{
	const struct config *config = &registry->config;
	char id[GPU_TEXT_BYTES];

	identify(draft, gpu, id);
	if (!id[0] || is_known(draft, id))
		return 0;
	memcpy(draft->gpus[draft->gpu_count++], id, sizeof(id));
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
	qsort(draft->seats, draft->count, sizeof(*draft->seats), by_uuid);
	for (size_t i = 0; i < registry->count; i++) {
		const struct state_vm *vm = &registry->vms[i]->stored;
		const struct vm_layer *layer = &vm->layers[VM_HAND_DOMAIN];
		struct registry_seat wanted = { .used = false }, *seat;

		if (!vm->attached || !vm_layer_has(layer, VM_FIELD_SEAT) ||
		    vgpu_uuid_parse(layer->values.seat, wanted.stored.uuid) < 0)
			continue;
		seat = bsearch(&wanted, draft->seats, draft->count, sizeof(wanted), by_uuid);
		if (!seat)
			continue;
		seat->used = true;
		memcpy(seat->vm, vm->uuid, sizeof(seat->vm));
		snprintf(seat->vm_name, sizeof(seat->vm_name), "%s",
			 vm_layer_has(layer, VM_FIELD_NAME) ? layer->values.name : "");
	}
}

/* Since when nobody could have a seat. */
static void note_absence(struct draft *draft, int64_t now_s)
{
	for (size_t i = 0; i < draft->count; i++) {
		const struct registry_seat *seat = &draft->seats[i];
		int64_t *since_s = &draft->seats[i].stored.away_since_s, before_s = *since_s;

		if ((seat->offered && seat->present) || seat->used)
			*since_s = 0;
		else if (!before_s || before_s > now_s)
			*since_s = now_s;
		draft->changed += *since_s != before_s;
	}
}

static bool is_forgotten(const struct state_seat *seat, int64_t before_s)
{
	return seat->away_since_s && seat->away_since_s < before_s;
}

static void forget(struct draft *draft, int64_t before_s)
{
	size_t left = 0;

	for (size_t i = 0; i < draft->count; i++)
		if (!is_forgotten(&draft->seats[i].stored, before_s))
			draft->seats[left++] = draft->seats[i];
	draft->count = left;
}

static int make_draft(const struct registry *registry, struct draft *draft)
{
	draft->old = draft->count = registry->seat_count;
	draft->seats = calloc(draft->count + 1, sizeof(*draft->seats));
	if (!draft->seats)
		return -1;
	for (size_t i = 0; i < draft->count; i++)
		draft->seats[i].stored = registry->seats[i].stored;
	qsort(draft->seats, draft->old, sizeof(*draft->seats), by_purpose);
	for (size_t i = 0; registry->gpus && i < registry->gpus->count; i++)
		if (take_gpu(registry, draft, &registry->gpus->gpus[i]) < 0)
			return -1;
	take_vms(registry, draft);
	note_absence(draft, event_now_ms() / 1000);
	return 0;
}

/* Stores what is new, changed or forgotten: before anybody is shown a new seat's uuid. */
static int store(const struct registry *registry, const struct draft *draft, int64_t before_s,
		 struct vgpu_error **err)
{
	VGPU_AUTO_FREE struct state_seat *all = NULL;
	size_t changed = draft->changed + (draft->count - draft->old);

	for (size_t i = 0; i < draft->count; i++)
		changed += is_forgotten(&draft->seats[i].stored, before_s);
	if (!changed)
		return 0;
	all = calloc(draft->count, sizeof(*all));
	if (!all)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < draft->count; i++)
		all[i] = draft->seats[i].stored;
	return state_put_seats(registry->state, all, draft->count, before_s, err);
}

/* Once for each problem: it may stay, and be met every few seconds. */
static void complain(char last[REGISTRY_PROBLEM_BYTES], const char *message)
{
	char problem[REGISTRY_PROBLEM_BYTES];

	vgpu_text_cut(problem, sizeof(problem), message);
	if (strcmp(problem, last) != 0)
		vgpu_log_warning("seats: %s", message);
	memcpy(last, problem, sizeof(problem));
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

/* What the file is to hold; NULL where there is no memory. */
static char *file_text(struct registry *registry, struct vgpu_error **err)
{
	VGPU_AUTO_FREE struct registry_seat *seats = NULL;
	const char *link_dir;
	char *text = NULL;
	size_t count;
	bool more;

	/* It stays, but not the struct that it is in. */
	pthread_rwlock_rdlock(&registry->lock);
	link_dir = registry->config.link_dir;
	pthread_rwlock_unlock(&registry->lock);
	if (registry_seats(registry, NULL, SIZE_MAX, &seats, &count, &more, err) < 0)
		return NULL;
	text = seats_file_text(link_dir, seats, count);
	if (!text)
		vgpu_error_set(err, INTERNAL, "out of memory");
	return text;
}

/*
 * Brings the file in line with the seats as they are by now, which is the caller's change or a
 * later one. Without `change`: nobody else's waits for the disk.
 */
static void write_file(struct registry *registry)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE char *text = NULL;

	pthread_mutex_lock(&registry->file);
	text = file_text(registry, &err);
	if (text && registry->seats_written && strcmp(text, registry->seats_written) == 0) {
		pthread_mutex_unlock(&registry->file);
		return;
	}
	free(registry->seats_written);
	registry->seats_written = NULL;
	if (text && seats_file_write(registry->state_path, text, &err) == 0) {
		registry->file_problem[0] = '\0';
		registry->seats_written = vgpu_steal_pointer(&text);
	} else {
		complain(registry->file_problem, err->message);
	}
	pthread_mutex_unlock(&registry->file);
}

/* What could not be stored is tried again with the next look at the GPUs. */
static void refresh(struct registry *registry)
{
	int64_t before_s = event_now_ms() / 1000 - SEATS_KEPT_S;
	VGPU_CLEANUP(free_draft) struct draft draft = { .count = 0 };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct registry_seat *old = registry->seats;

	if (make_draft(registry, &draft) < 0) {
		complain(registry->seats_problem, "out of memory");
		return;
	}
	if (store(registry, &draft, before_s, &err) < 0) {
		complain(registry->seats_problem, err->message);
		return;
	}
	registry->seats_problem[0] = '\0';
	forget(&draft, before_s);
	pthread_rwlock_wrlock(&registry->lock);
	registry->seats = draft.seats;
	registry->seat_count = draft.count;
	pthread_rwlock_unlock(&registry->lock);
	draft.seats = old;
}

void registry_end_change(struct registry *registry)
{
	bool had_seats = registry->seat_count > 0, has_file;

	/* Before the first look nothing is known. */
	if (registry->gpus)
		refresh(registry);
	/* A host that never had seats has no file. */
	has_file = registry->gpus && (had_seats || registry->seat_count > 0);
	pthread_mutex_unlock(&registry->change);
	if (has_file)
		write_file(registry);
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

/* The seat that a VM's domain names, or "". */
static const char *seat_of(const struct registry_vm *vm)
{
	const struct vm_layer *layer = &vm->stored.layers[VM_HAND_DOMAIN];

	return vm_layer_has(layer, VM_FIELD_SEAT) ? layer->values.seat : "";
}

/* That nobody else runs in the seat. */
static int check_alone(const struct registry *registry, const struct registry_vm *vm,
		       struct vgpu_error **err)
{
	for (size_t i = 0; i < registry->count; i++) {
		const struct registry_vm *other = registry->vms[i];
		char uuid[VGPU_UUID_TEXT];

		if (!other->stored.attached || strcmp(seat_of(other), seat_of(vm)) != 0 ||
		    memcmp(other->stored.uuid, vm->stored.uuid, sizeof(vm->stored.uuid)) == 0)
			continue;
		vgpu_uuid_format(other->stored.uuid, uuid);
		return vgpu_error_set(err, CONFLICT, "VM %s runs in seat %s", uuid, seat_of(vm));
	}
	return 0;
}

/* That the domain asks for the profile that the seat is for; one that is nobody's is for any. */
static int check_profile(const struct registry *registry, const struct registry_vm *vm,
			 struct vgpu_error **err)
{
	const struct vm_layer *layer = &vm->stored.layers[VM_HAND_DOMAIN];
	const char *profile = vm_layer_has(layer, VM_FIELD_PROFILE) ? layer->values.profile : "";
	struct registry_seat wanted = { .used = false };
	const struct registry_seat *seat = NULL;

	if (vgpu_uuid_parse(seat_of(vm), wanted.stored.uuid) == 0 && registry->seat_count)
		seat = bsearch(&wanted, registry->seats, registry->seat_count, sizeof(wanted),
			       by_uuid);
	if (!seat || strcmp(seat->stored.profile, profile) == 0)
		return 0;
	return vgpu_error_set(err, UNPROCESSABLE,
			      "seat %s is one of profile \"%s\", and the domain asks for \"%s\"",
			      seat_of(vm), seat->stored.profile, profile);
}

int registry_claim_seat(const struct registry *registry, const struct registry_vm *vm,
			struct vm_field_name *field, struct vgpu_error **err)
{
	if (!seat_of(vm)[0] ||
	    (check_alone(registry, vm, err) == 0 && check_profile(registry, vm, err) == 0))
		return 0;
	snprintf(field->text, sizeof(field->text), "%s", vm_field_name(VM_FIELD_SEAT));
	return -1;
}
