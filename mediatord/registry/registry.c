/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "common/uuid.h"
#include "mediatord/registry/internal.h"

/* Makes room for one VM more, so that insert() cannot fail. */
static int reserve(struct registry *registry, struct vgpu_error **err)
{
	size_t size = registry->size ? registry->size * 2 : 16;
	struct registry_vm **vms;

	if (registry->count < registry->size)
		return 0;
	pthread_rwlock_wrlock(&registry->lock);
	vms = reallocarray(registry->vms, size, sizeof(struct registry_vm *));
	if (vms) {
		registry->vms = vms;
		registry->size = size;
	}
	pthread_rwlock_unlock(&registry->lock);
	return vms ? 0 : vgpu_error_set(err, INTERNAL, "out of memory");
}

/* Adds a VM, which the registry owns from now on. Room must be reserved. */
static void insert(struct registry *registry, struct registry_vm *vm)
{
	bool found;
	size_t at = registry_find(registry, vm->stored.uuid, &found);

	pthread_rwlock_wrlock(&registry->lock);
	memmove(&registry->vms[at + 1], &registry->vms[at],
		(registry->count - at) * sizeof(struct registry_vm *));
	registry->vms[at] = vm;
	registry->count++;
	pthread_rwlock_unlock(&registry->lock);
}

void registry_replace(struct registry *registry, struct registry_vm *old,
		      const struct registry_vm *new)
{
	struct vm_text *stale = old->text;
	struct vm_text *fresh = vm_text_new(new);

	pthread_rwlock_wrlock(&registry->lock);
	*old = *new;
	old->text = fresh;
	pthread_rwlock_unlock(&registry->lock);
	vm_text_release(&stale);
}

static void free_vm(struct registry_vm *vm)
{
	vm_text_release(&vm->text);
	free(vm);
}

static void forget(struct registry *registry, const uint8_t uuid[16])
{
	struct registry_vm *vm;
	bool found;
	size_t at = registry_find(registry, uuid, &found);

	pthread_rwlock_wrlock(&registry->lock);
	vm = registry->vms[at];
	registry->count--;
	memmove(&registry->vms[at], &registry->vms[at + 1],
		(registry->count - at) * sizeof(struct registry_vm *));
	pthread_rwlock_unlock(&registry->lock);
	free_vm(vm);
}

int registry_merge(const struct config *config, struct registry_vm *vm, struct vm_field_name *field,
		   struct vgpu_error **err)
{
	memset(&vm->merged, 0, sizeof(vm->merged));
	vm->problem[0] = '\0';
	if (vm_layers_merge(vm->stored.layers, config, &vm->merged, field, err) < 0)
		return -1;
	memcpy(vm->merged.config.uuid, vm->stored.uuid, sizeof(vm->stored.uuid));
	vm->merged.config.hold = vm->stored.hold;
	return 0;
}

static int load_one(const struct state_vm *stored, void *opaque, struct vgpu_error **err)
{
	struct registry *registry = opaque;
	struct registry_vm *vm;

	if (reserve(registry, err) < 0)
		return -1;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	vm->stored = *stored;
	insert(registry, vm);
	return 0;
}

int registry_open(const struct config *config, struct state *state, struct registry **registry,
		  struct vgpu_error **err)
{
	struct registry *r = calloc(1, sizeof(*r));

	*registry = NULL;
	if (!r)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	r->state = state;
	r->state_path = config->state;
	pthread_mutex_init(&r->change, NULL);
	pthread_mutex_init(&r->file, NULL);
	pthread_rwlock_init(&r->lock, NULL);
	if (registry_load_profiles(r, config, err) < 0 || registry_load_seats(r, err) < 0 ||
	    state_each(state, load_one, r, err) < 0) {
		registry_close(&r);
		return -1;
	}
	*registry = r;
	return 0;
}

void registry_close(struct registry **registry)
{
	struct registry *r = *registry;

	*registry = NULL;
	if (!r)
		return;
	for (size_t i = 0; i < r->count; i++)
		free_vm(r->vms[i]);
	free(r->vms);
	free(r->config.profiles);
	free(r->values);
	registry_free_seats(r);
	pthread_mutex_destroy(&r->change);
	pthread_mutex_destroy(&r->file);
	pthread_rwlock_destroy(&r->lock);
	free(r);
}

/* Counters that were lost are no reason not to serve a VM. */
static void restore_usage(struct registry *registry, const uint8_t uuid[16])
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vm_usage usage;

	memcpy(usage.uuid, uuid, sizeof(usage.uuid));
	if (state_get_usage(registry->state, &usage, &err) < 0 ||
	    control_usage_restore(registry->control, &usage, &err) < 0)
		vgpu_log_warning("%s; its counters begin at 0", err->message);
}

size_t registry_start(struct registry *registry, struct control *control)
{
	size_t failed = 0;

	pthread_mutex_lock(&registry->change);
	registry->control = control;
	for (size_t i = 0; i < registry->count; i++) {
		VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
		struct registry_vm vm = *registry->vms[i];
		struct vm_field_name field;
		char uuid[VGPU_UUID_TEXT];

		if (registry_merge(&registry->config, &vm, &field, &err) == 0) {
			vm.merged.config.vm_id = vm.stored.vm_id;
			if (control_vm_put(control, &vm.merged.config, &err) == 0)
				restore_usage(registry, vm.stored.uuid);
		}
		if (err) {
			failed++;
			vgpu_uuid_format(vm.stored.uuid, uuid);
			snprintf(vm.problem, sizeof(vm.problem), "%s", err->message);
			vgpu_log_error("VM %s is stored but not in force: %s", uuid, err->message);
		}
		registry_replace(registry, registry->vms[i], &vm);
	}
	registry_end_change(registry);
	return failed;
}

int registry_status(int errnum)
{
	switch (errnum) {
	case ENOSPC:
		return STORAGE_FULL;
	case EEXIST:
	case EBUSY:
	case EDQUOT: /* the pool has promised what it has */
	case ERANGE: /* so with guarantees of time */
		return CONFLICT;
	case EINVAL:
		return UNPROCESSABLE;
	case ESHUTDOWN:
		return UNAVAILABLE;
	default:
		return INTERNAL;
	}
}

int registry_store(struct registry *registry, const uint8_t uuid[16], const struct state_vm *vm,
		   struct vgpu_error **err)
{
	VGPU_AUTO_ERROR struct vgpu_error *why = NULL;

	if ((vm ? state_put(registry->state, vm, &why)
		: state_delete(registry->state, uuid, &why)) == 0)
		return 0;
	return vgpu_error_set(err, registry_status(why->status),
			      "the change could not be stored: %s", why->message);
}

/* The database already has a change that did not come in force: takes it back. */
static void restore(struct registry *registry, const uint8_t uuid[16], const struct state_vm *old)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	char text[VGPU_UUID_TEXT];

	if (registry_store(registry, uuid, old, &err) == 0)
		return;
	vgpu_uuid_format(uuid, text);
	vgpu_log_error("VM %s: a refused change stays in the database until the next one: %s", text,
		       err->message);
}

/* Which value it was that could not be promised. */
static void name_promise(int status, struct vm_field_name *field)
{
	if (status == EDQUOT || status == ERANGE)
		snprintf(field->text, sizeof(field->text), "%s",
			 vm_field_name(status == EDQUOT ? VM_FIELD_GPU_MEMORY_BYTES
							: VM_FIELD_GPU_TIME_GUARANTEED));
}

/* Stores and puts in force; where that fails, the old record (or none) is back. */
static int apply(struct registry *registry, const struct registry_vm *old,
		 const struct registry_vm *new, struct vm_field_name *field,
		 struct vgpu_error **err)
{
	VGPU_AUTO_ERROR struct vgpu_error *why = NULL;

	if (registry_store(registry, new->stored.uuid, &new->stored, err) < 0)
		return -1;
	if (control_vm_put(registry->control, &new->merged.config, &why) == 0)
		return 0;
	restore(registry, new->stored.uuid, old ? &old->stored : NULL);
	name_promise(why->status, field);
	if (why->status == EDQUOT)
		registry_tell(registry, EVENT_POOL_FULL, new->stored.uuid, why->message);
	return vgpu_error_set(err, registry_status(why->status), "%s", why->message);
}

/* Sets the id that the merged layers ask for, keeps the one that is there, or assigns one. */
static int choose_vm_id(const struct registry *registry, struct registry_vm *vm,
			struct vm_field_name *field, struct vgpu_error **err)
{
	uint32_t wanted = vm->merged.config.vm_id ? vm->merged.config.vm_id : vm->stored.vm_id;
	VGPU_AUTO_FREE bool *taken = calloc(registry->count + 2, sizeof(*taken));
	char uuid[VGPU_UUID_TEXT];

	if (!taken)
		return vgpu_error_set(err, INTERNAL, "out of memory");
	for (size_t i = 0; i < registry->count; i++) {
		const struct state_vm *other = &registry->vms[i]->stored;

		if (memcmp(other->uuid, vm->stored.uuid, sizeof(other->uuid)) == 0)
			continue;
		if (other->vm_id == wanted) {
			snprintf(field->text, sizeof(field->text), "%s",
				 vm_field_name(VM_FIELD_VM_ID));
			vgpu_uuid_format(other->uuid, uuid);
			return vgpu_error_set(err, CONFLICT, "vm_id %u belongs to VM %s", wanted,
					      uuid);
		}
		/* Of 1 to count + 1 one is free: larger ids do not matter. */
		if (other->vm_id <= registry->count + 1)
			taken[other->vm_id] = true;
	}
	for (uint32_t id = 1; wanted == 0; id++) {
		if (!taken[id])
			wanted = id;
	}
	vm->stored.vm_id = wanted;
	vm->merged.config.vm_id = wanted;
	return 0;
}

/* The name that a VM has, also where it could not be put in force, and who gave it. */
static const char *name_of(const struct registry_vm *vm, enum vm_hand *hand)
{
	for (int h = VM_HANDS - 1; h >= 0; h--) {
		if (vm_layer_has(&vm->stored.layers[h], VM_FIELD_NAME)) {
			*hand = (enum vm_hand)h;
			return vm->stored.layers[h].values.name;
		}
	}
	*hand = VM_HAND_OPERATOR;
	return "";
}

/*
 * Two VMs must not have one name: a link's peer is recognised by the pid file that libvirt names
 * after the domain. libvirt has a name once, so where it starts a domain with the name of a VM that
 * it does not run, that VM's name is out of date.
 */
static int claim_name(struct registry *registry, const struct registry_vm *vm, enum vm_hand hand,
		      struct vm_field_name *field, struct vgpu_error **err)
{
	enum vm_hand giver, other_giver = VM_HAND_OPERATOR;
	const char *name = name_of(vm, &giver);
	struct registry_vm *other = NULL;
	struct registry_vm nameless;
	char uuid[VGPU_UUID_TEXT];

	for (size_t i = 0; name[0] && i < registry->count; i++) {
		struct registry_vm *at = registry->vms[i];

		if (memcmp(at->stored.uuid, vm->stored.uuid, sizeof(at->stored.uuid)) != 0 &&
		    strcmp(name_of(at, &giver), name) == 0) {
			other = at;
			other_giver = giver;
		}
	}
	if (!other)
		return 0;
	if (hand != VM_HAND_DOMAIN || other->stored.attached || other_giver != VM_HAND_DOMAIN) {
		snprintf(field->text, sizeof(field->text), "%s", vm_field_name(VM_FIELD_NAME));
		vgpu_uuid_format(other->stored.uuid, uuid);
		return vgpu_error_set(err, CONFLICT, "the name \"%s\" belongs to VM %s", name,
				      uuid);
	}
	/* One that is not in force needs no more than its record without the name. */
	nameless = *other;
	vm_layer_clear(&nameless.stored.layers[VM_HAND_DOMAIN], VM_FIELD_NAME);
	if (other->problem[0]) {
		if (registry_store(registry, other->stored.uuid, &nameless.stored, err) < 0)
			return -1;
	} else {
		nameless.merged.config.name[0] = '\0';
		nameless.merged.sources[VM_FIELD_NAME] = VM_SOURCE_DEFAULT;
		if (apply(registry, other, &nameless, field, err) < 0)
			return -1;
	}
	registry_replace(registry, other, &nameless);
	return 0;
}

/* Whether a change may be made of what there is; old may be NULL. */
static int check_condition(const struct registry_vm *old,
			   const struct registry_condition *condition, struct vgpu_error **err)
{
	if (condition->must_be_new && old)
		return vgpu_error_set(err, PRECONDITION_FAILED, "the VM is registered already");
	if (!condition->if_match)
		return 0;
	if (old && old->text && etag_matches(condition->if_match, old->text->etag))
		return 0;
	return vgpu_error_set(err, PRECONDITION_FAILED,
			      "the VM was changed since: get it again, and its ETag");
}

/* That a hand says only what is its to say. */
static int check_hand(const struct vm_layer *layer, enum vm_hand hand, struct vm_field_name *field,
		      struct vgpu_error **err)
{
	enum vm_field wrong = VM_FIELD_SEATS;

	if (!vm_layer_has(layer, wrong)) {
		wrong = VM_FIELD_SEAT;
		if (hand == VM_HAND_DOMAIN || !vm_layer_has(layer, wrong))
			return 0;
	}
	snprintf(field->text, sizeof(field->text), "%s", vm_field_name(wrong));
	return vgpu_error_set(err, BAD_REQUEST, "%s is %s to say", vm_field_name(wrong),
			      wrong == VM_FIELD_SEAT ? "the domain's metadata's" : "a profile's");
}

/* registry_put() with the mutex held. */
static int change_vm(struct registry *registry, enum vm_hand hand,
		     const struct registry_condition *condition, struct registry_vm *vm,
		     bool *created, struct vm_field_name *field, struct vgpu_error **err)
{
	struct registry_vm *old = registry_lookup(registry, vm->stored.uuid);
	VGPU_AUTO_FREE struct registry_vm *new = NULL;
	struct vm_layer layer = vm->stored.layers[hand];
	bool was_attached = old && old->stored.attached;

	*created = !old;
	if (check_condition(old, condition, err) < 0 || check_hand(&layer, hand, field, err) < 0)
		return -1;
	if (old) {
		*vm = *old;
		vm->stored.layers[hand] = layer;
	} else {
		new = malloc(sizeof(*new));
		if (!new)
			return vgpu_error_set(err, INTERNAL, "out of memory");
		if (reserve(registry, err) < 0)
			return -1;
	}
	if (hand == VM_HAND_DOMAIN) {
		vm->stored.attached = true;
		/* What was seen of its domain was before this. */
		vm->domain = (struct domain_report){ .starts = vm->domain.starts + 1 };
	}
	if (registry_merge(&registry->config, vm, field, err) < 0 ||
	    (hand == VM_HAND_DOMAIN &&
	     (vm_layers_admit(&vm->merged, &registry->config, field, err) < 0 ||
	      registry_claim_seat(registry, vm, field, err) < 0)) ||
	    choose_vm_id(registry, vm, field, err) < 0 ||
	    claim_name(registry, vm, hand, field, err) < 0 ||
	    apply(registry, old, vm, field, err) < 0)
		return -1;
	if (old) {
		registry_replace(registry, old, vm);
	} else {
		*new = *vm;
		new->text = vm_text_new(vm);
		insert(registry, vgpu_steal_pointer(&new));
	}
	registry_tell(registry, old ? EVENT_VM_CHANGED : EVENT_VM_REGISTERED, vm->stored.uuid,
		      NULL);
	if (hand == VM_HAND_DOMAIN && !was_attached)
		registry_tell(registry, EVENT_VM_ATTACHED, vm->stored.uuid, NULL);
	return 0;
}

int registry_put(struct registry *registry, const uint8_t uuid[16], enum vm_hand hand,
		 const struct vm_layer *layer, const struct registry_condition *condition,
		 bool *created, struct registry_vm *vm, struct vm_field_name *field,
		 struct vgpu_error **err)
{
	int status;

	field->text[0] = '\0';
	*vm = (struct registry_vm){ 0 };
	memcpy(vm->stored.uuid, uuid, sizeof(vm->stored.uuid));
	vm->stored.layers[hand] = *layer;
	pthread_mutex_lock(&registry->change);
	status = change_vm(registry, hand, condition, vm, created, field, err);
	registry_end_change(registry);
	vm->text = NULL;
	return status;
}

/* Whether two layers say the same. Where memory is short they do not. */
static bool same_layer(const struct vm_layer *a, const struct vm_layer *b)
{
	VGPU_AUTO_FREE char *text = vm_layer_encode(a);
	VGPU_AUTO_FREE char *other = vm_layer_encode(b);

	return text && other && strcmp(text, other) == 0;
}

int registry_put_offering(struct registry *registry, const uint8_t uuid[16],
			  const struct vm_layer *layer, struct vm_field_name *field,
			  struct vgpu_error **err)
{
	const struct registry_condition none = { 0 };
	struct registry_vm *old, vm;
	bool created;
	int status = 0;

	field->text[0] = '\0';
	pthread_mutex_lock(&registry->change);
	old = registry_lookup(registry, uuid);
	if (!old) {
		status = registry_not_found(uuid, err);
	} else if (old->problem[0] || !same_layer(&old->stored.layers[VM_HAND_CLOUDSTACK], layer)) {
		vm = *old;
		vm.stored.layers[VM_HAND_CLOUDSTACK] = *layer;
		status = change_vm(registry, VM_HAND_CLOUDSTACK, &none, &vm, &created, field, err);
	}
	pthread_mutex_unlock(&registry->change);
	return status;
}

int registry_patch(struct registry *registry, const uint8_t uuid[16], const char *text,
		   size_t length, const struct registry_condition *condition,
		   struct vm_field_name *field, struct vgpu_error **err)
{
	struct registry_vm *old, vm;
	bool created;
	int status;

	field->text[0] = '\0';
	pthread_mutex_lock(&registry->change);
	old = registry_lookup(registry, uuid);
	if (!old) {
		status = registry_not_found(uuid, err);
	} else {
		vm = *old;
		status = check_condition(old, condition, err);
		if (status == 0)
			status = vm_layer_patch(text, length, &vm.stored.layers[VM_HAND_OPERATOR],
						field, err);
		if (status == 0)
			status = change_vm(registry, VM_HAND_OPERATOR,
					   &(struct registry_condition){ 0 }, &vm, &created, field,
					   err);
	}
	registry_end_change(registry);
	return status;
}

int registry_hold(struct registry *registry, const uint8_t uuid[16], enum vm_hold hold,
		  struct vgpu_error **err)
{
	struct registry_vm *old, vm;
	struct vm_field_name field;
	int status = 0;

	pthread_mutex_lock(&registry->change);
	old = registry_lookup(registry, uuid);
	if (!old) {
		status = registry_not_found(uuid, err);
	} else if (old->stored.hold != hold) {
		vm = *old;
		vm.stored.hold = hold;
		vm.merged.config.hold = hold;
		/* One that is not in force needs no more than its record. */
		status = vm.problem[0] ? registry_store(registry, uuid, &vm.stored, err)
				       : apply(registry, old, &vm, &field, err);
		if (status == 0) {
			registry_replace(registry, old, &vm);
			registry_tell(registry, EVENT_VM_HELD, uuid, vm_hold_name(hold));
		}
	}
	registry_end_change(registry);
	return status;
}

int registry_delete_vm(struct registry *registry, const struct registry_vm *old,
		       struct vgpu_error **err)
{
	VGPU_AUTO_ERROR struct vgpu_error *why = NULL;
	uint8_t uuid[16];

	memcpy(uuid, old->stored.uuid, sizeof(uuid));
	if (registry_store(registry, uuid, NULL, err) < 0)
		return -1;
	if (control_vm_delete(registry->control, uuid, &why) < 0) {
		restore(registry, uuid, &old->stored);
		return vgpu_error_set(err, registry_status(why->status), "%s", why->message);
	}
	forget(registry, uuid);
	registry_tell(registry, EVENT_VM_DELETED, uuid, NULL);
	return 0;
}

int registry_delete(struct registry *registry, const uint8_t uuid[16],
		    const struct registry_condition *condition, struct vgpu_error **err)
{
	const struct registry_vm *old;
	int status;

	pthread_mutex_lock(&registry->change);
	old = registry_lookup(registry, uuid);
	status = old ? check_condition(old, condition, err) : registry_not_found(uuid, err);
	if (status == 0)
		status = registry_delete_vm(registry, old, err);
	registry_end_change(registry);
	return status;
}
