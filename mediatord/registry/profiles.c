/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles: the file's, which are not changed here, and operators'. A change makes the whole list
 * anew, tries it on every VM, and puts it in force only where it suits all that are in force.
 */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "common/uuid.h"
#include "mediatord/config_file.h"
#include "mediatord/registry/internal.h"

#define FIELD(name) (UINT32_C(1) << VM_FIELD_##name)
/* Those that a profile does not have. */
#define OTHER_FIELDS (FIELD(NAME) | FIELD(VM_ID) | FIELD(PROFILE) | FIELD(LINK_UID) | FIELD(SEAT))

/* Of operators: a list that is shown whole. */
#define PROFILES_MAX 256

/* A list of profiles that may come in force. */
struct candidate {
	struct config config; /* the file's, but for the profiles */
	size_t file_profiles;
	struct vm_layer *values;
	/* What it makes of VMs, as far as that is new. */
	struct registry_vm *vms;
	size_t count, in_force;
};

static void free_candidate(struct candidate *candidate)
{
	free(candidate->config.profiles);
	free(candidate->values);
	free(candidate->vms);
}

/* The file's profiles, with room for so many of operators'. */
static int begin(const struct config *file, size_t others, struct candidate *candidate,
		 struct vgpu_error **err)
{
	size_t size = file->profile_count + others;

	*candidate = (struct candidate){ .config = *file, .file_profiles = file->profile_count };
	candidate->config.profiles = calloc(size, sizeof(*candidate->config.profiles));
	candidate->values = calloc(size, sizeof(*candidate->values));
	if (!candidate->config.profiles || !candidate->values)
		return vgpu_error_set(err, INTERNAL, "out of memory");
	memcpy(candidate->config.profiles, file->profiles,
	       file->profile_count * sizeof(*file->profiles));
	return 0;
}

#define TAKE(field, member)                                                                        \
	do {                                                                                       \
		if (vm_layer_has(values, VM_FIELD_##field))                                        \
			profile->member = values->values.member;                                   \
	} while (0)

/* Adds an operator's profile; there is room. What it does not say it has from the built-in one. */
static void add(struct candidate *candidate, const char *name, const struct vm_layer *values)
{
	struct config *config = &candidate->config;
	struct config_profile *profile = &config->profiles[config->profile_count];

	config_profile_defaults(profile);
	snprintf(profile->name, sizeof(profile->name), "%s", name);
	memcpy(profile->pool,
	       vm_layer_has(values, VM_FIELD_POOL) ? values->values.pool
						   : config->pools[config->default_pool].name,
	       sizeof(profile->pool));
	TAKE(PRIORITY, priority);
	TAKE(WEIGHT, weight);
	TAKE(SEATS, seats);
	TAKE(GPU_MEMORY_BYTES, quotas.gpu_memory_bytes);
	TAKE(WINDOW_BYTES, quotas.window_bytes);
	TAKE(GPU_TIME_GUARANTEED, quotas.gpu_time_guaranteed_percent);
	TAKE(GPU_TIME_MAX, quotas.gpu_time_max_percent);
	TAKE(REQUESTS_PER_SECOND, quotas.requests_per_second);
	TAKE(BURST, quotas.burst);
	TAKE(QUEUE_DEPTH, quotas.queue_depth);
	TAKE(CHANNELS, quotas.channels);
	TAKE(LONGEST_JOB_MS, quotas.longest_job_ms);
	candidate->values[config->profile_count++] = *values;
}

/* Adds the operators' profiles that there are, but for one; the file's of a name goes first. */
static void add_others(struct candidate *candidate, const struct registry *registry,
		       const char *except)
{
	for (size_t i = registry->file_profiles; i < registry->config.profile_count; i++) {
		const char *name = registry->config.profiles[i].name;

		if (strcmp(name, except) == 0)
			continue;
		if (config_profile_find(&candidate->config, name))
			vgpu_log_warning(
				"profile %s is in the configuration file now, whose values "
				"hold",
				name);
		add(candidate, name, &registry->values[i]);
	}
}

/* Makes the candidate the registry's list. Its other parts stay the candidate's. */
static void take_over(struct registry *registry, struct candidate *candidate)
{
	free(registry->config.profiles);
	free(registry->values);
	registry->config = candidate->config;
	registry->file_profiles = candidate->file_profiles;
	registry->values = candidate->values;
	candidate->config.profiles = NULL;
	candidate->values = NULL;
}

static int load_one(const struct state_profile *profile, void *opaque, struct vgpu_error **err)
{
	struct candidate *candidate = opaque;
	size_t size = candidate->config.profile_count + 1;
	struct config_profile *profiles =
		reallocarray(candidate->config.profiles, size, sizeof(*profiles));
	struct vm_layer *values;

	if (profiles)
		candidate->config.profiles = profiles;
	values = reallocarray(candidate->values, size, sizeof(*values));
	if (values)
		candidate->values = values;
	if (!profiles || !values)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	if (strlen(profile->name) > VGPU_PROFILE_NAME_MAX)
		return vgpu_error_set(err, EILSEQ, "a stored profile's name is too long");
	add(candidate, profile->name, &profile->values);
	return 0;
}

int registry_load_profiles(struct registry *registry, const struct config *file,
			   struct vgpu_error **err)
{
	VGPU_CLEANUP(free_candidate) struct candidate candidate = { .count = 0 };

	if (begin(file, 0, &candidate, err) < 0 ||
	    state_each_profile(registry->state, load_one, &candidate, err) < 0)
		return -1;
	take_over(registry, &candidate);
	return 0;
}

/* Works out what the list makes of each VM. Returns 0, or -1 and err where one cannot have it. */
static int try_out(const struct registry *registry, struct candidate *candidate,
		   struct vgpu_error **err)
{
	candidate->vms = calloc(registry->count + 1, sizeof(*candidate->vms));
	if (!candidate->vms)
		return vgpu_error_set(err, INTERNAL, "out of memory");
	for (size_t i = 0; i < registry->count; i++) {
		const struct registry_vm *old = registry->vms[i];
		struct registry_vm *vm = &candidate->vms[candidate->count];
		VGPU_AUTO_ERROR struct vgpu_error *why = NULL;
		struct vm_field_name field;
		char uuid[VGPU_UUID_TEXT];

		*vm = *old;
		if (registry_merge(&candidate->config, vm, &field, &why) < 0) {
			/* One that was not in force stays so. */
			if (old->problem[0])
				continue;
			vgpu_uuid_format(old->stored.uuid, uuid);
			return vgpu_error_set(err, CONFLICT, "VM %s cannot have that: %s", uuid,
					      why->message);
		}
		vm->merged.config.vm_id = vm->stored.vm_id;
		if (old->problem[0] || memcmp(&vm->merged, &old->merged, sizeof(vm->merged)) != 0)
			candidate->count++;
	}
	return 0;
}

/* Takes back what put_in_force() did so far. */
static void take_back(const struct registry *registry, const struct candidate *candidate)
{
	for (size_t i = 0; i < candidate->in_force; i++) {
		const struct registry_vm *old =
			registry_lookup(registry, candidate->vms[i].stored.uuid);
		VGPU_AUTO_ERROR struct vgpu_error *why = NULL;

		if (!old->problem[0] &&
		    control_vm_put(registry->control, &old->merged.config, &why) < 0)
			vgpu_log_error("a VM keeps values of a refused change: %s", why->message);
	}
}

static int put_in_force(struct registry *registry, struct candidate *candidate,
			struct vgpu_error **err)
{
	for (size_t i = 0; i < candidate->count; i++) {
		const struct registry_vm *vm = &candidate->vms[i];
		VGPU_AUTO_ERROR struct vgpu_error *why = NULL;
		char uuid[VGPU_UUID_TEXT];

		if (control_vm_put(registry->control, &vm->merged.config, &why) < 0) {
			take_back(registry, candidate);
			vgpu_uuid_format(vm->stored.uuid, uuid);
			return vgpu_error_set(err, registry_status(why->status),
					      "VM %s cannot have that: %s", uuid, why->message);
		}
		candidate->in_force++;
	}
	return 0;
}

/* All that put_in_force() did is the registry's now. */
static void commit(struct registry *registry, struct candidate *candidate)
{
	pthread_rwlock_wrlock(&registry->lock);
	take_over(registry, candidate);
	pthread_rwlock_unlock(&registry->lock);
	for (size_t i = 0; i < candidate->count; i++)
		registry_replace(registry, registry_lookup(registry, candidate->vms[i].stored.uuid),
				 &candidate->vms[i]);
}

/* Stores an operator's profile, or removes it where values is NULL. */
static int store(struct registry *registry, const char *name, const struct vm_layer *values,
		 struct vgpu_error **err)
{
	VGPU_AUTO_ERROR struct vgpu_error *why = NULL;
	struct state_profile profile = { .name = name };

	if (values)
		profile.values = *values;
	if ((values ? state_put_profile(registry->state, &profile, &why)
		    : state_delete_profile(registry->state, name, &why)) == 0)
		return 0;
	return vgpu_error_set(err, registry_status(why->status),
			      "the change could not be stored: %s", why->message);
}

/* The index of a profile, or that after the last. */
static size_t profile_index(const struct registry *registry, const char *name)
{
	const struct config_profile *profile = config_profile_find(&registry->config, name);

	return profile ? (size_t)(profile - registry->config.profiles)
		       : registry->config.profile_count;
}

static uint32_t count_vms(const struct registry *registry, const char *name)
{
	uint32_t count = 0;

	for (size_t i = 0; i < registry->count; i++)
		if (!registry->vms[i]->problem[0] &&
		    strcmp(registry->vms[i]->merged.config.profile, name) == 0)
			count++;
	return count;
}

/* The lock or the mutex is held. */
static void describe(const struct registry *registry, size_t index,
		     struct registry_profile *profile)
{
	VGPU_AUTO_FREE char *values = vm_layer_encode(&registry->values[index]);

	*profile = (struct registry_profile){
		.profile = registry->config.profiles[index],
		.values = registry->values[index],
		.from_file = index < registry->file_profiles,
	};
	profile->vms = count_vms(registry, profile->profile.name);
	etag_make(values ? values : "", profile->etag);
}

static int no_profile(const char *name, struct vgpu_error **err)
{
	return vgpu_error_set(err, NOT_FOUND, "there is no profile \"%s\"", name);
}

/* What must hold before a profile is changed; index is behind the last for a new one. */
static int check_change(const struct registry *registry, const char *name, size_t index,
			const struct registry_condition *condition, struct vgpu_error **err)
{
	bool there = index < registry->config.profile_count;
	struct registry_profile old;

	if (index < registry->file_profiles)
		return vgpu_error_set(err, CONFLICT,
				      "profile \"%s\" is in the mediator's configuration file: "
				      "change it there",
				      name);
	if (condition->must_be_new && there)
		return vgpu_error_set(err, PRECONDITION_FAILED, "profile \"%s\" is there already",
				      name);
	if (!condition->if_match)
		return 0;
	if (there)
		describe(registry, index, &old);
	if (there && etag_matches(condition->if_match, old.etag))
		return 0;
	return vgpu_error_set(err, PRECONDITION_FAILED,
			      "profile \"%s\" was changed since: get it again, and its ETag", name);
}

static int blame(struct vm_field_name *field, enum vm_field which)
{
	snprintf(field->text, sizeof(field->text), "%s", vm_field_name(which));
	return -1;
}

/* Whether these are a profile's values. */
static int check_values(const struct config *config, const struct vm_layer *values,
			struct vm_field_name *field, struct vgpu_error **err)
{
	const struct vgpu_quotas *quotas = &values->values.quotas;

	for (unsigned int i = 0; i < VM_FIELDS; i++)
		if (values->given & OTHER_FIELDS & (UINT32_C(1) << i)) {
			vgpu_error_set(err, BAD_REQUEST, "%s is no field of a profile",
				       vm_field_name(i));
			return blame(field, i);
		}
	if (vm_layer_has(values, VM_FIELD_POOL) && !config_pool_find(config, values->values.pool))
		return vm_refuse_pool(values->values.pool, field, err);
	if (vm_layer_has(values, VM_FIELD_GPU_TIME_GUARANTEED) &&
	    vm_layer_has(values, VM_FIELD_GPU_TIME_MAX) && quotas->gpu_time_max_percent &&
	    quotas->gpu_time_guaranteed_percent > quotas->gpu_time_max_percent) {
		vgpu_error_set(err, BAD_REQUEST,
			       "quotas.gpu_time_guaranteed_percent (%u) is above "
			       "quotas.gpu_time_max_percent (%u)",
			       quotas->gpu_time_guaranteed_percent, quotas->gpu_time_max_percent);
		return blame(field, VM_FIELD_GPU_TIME_GUARANTEED);
	}
	return 0;
}

/* The configuration without operators' profiles, which come last. */
static struct config file_part(const struct registry *registry)
{
	struct config file = registry->config;

	file.profile_count = registry->file_profiles;
	return file;
}

/* Stores a profile (values NULL: removes it) and puts the candidate in force, or neither. */
static int change(struct registry *registry, const char *name, const struct vm_layer *values,
		  size_t old, struct candidate *candidate, struct vgpu_error **err)
{
	bool there = old < registry->config.profile_count;
	VGPU_AUTO_ERROR struct vgpu_error *why = NULL;

	if (try_out(registry, candidate, err) < 0 || store(registry, name, values, err) < 0)
		return -1;
	if (put_in_force(registry, candidate, err) == 0) {
		commit(registry, candidate);
		registry_tell(registry, values ? EVENT_PROFILE_CHANGED : EVENT_PROFILE_DELETED,
			      NULL, name);
		return 0;
	}
	if (store(registry, name, there ? &registry->values[old] : NULL, &why) < 0)
		vgpu_log_error("profile %s: a refused change stays in the database until the next "
			       "one: %s",
			       name, why->message);
	return -1;
}

static int put_profile(struct registry *registry, const char *name, const struct vm_layer *values,
		       const struct registry_condition *condition, bool *created,
		       struct vgpu_error **err)
{
	VGPU_CLEANUP(free_candidate) struct candidate candidate = { .count = 0 };
	const struct config file = file_part(registry);
	size_t index = profile_index(registry, name);

	*created = index == registry->config.profile_count;
	if (check_change(registry, name, index, condition, err) < 0)
		return -1;
	if (*created && registry->config.profile_count - file.profile_count >= PROFILES_MAX)
		return vgpu_error_set(err, CONFLICT,
				      "there are %d operators' profiles, the most that are kept; "
				      "remove one first",
				      PROFILES_MAX);
	if (begin(&file, registry->config.profile_count + 1, &candidate, err) < 0)
		return -1;
	add_others(&candidate, registry, name);
	add(&candidate, name, values);
	return change(registry, name, values, index, &candidate, err);
}

int registry_profile_put(struct registry *registry, const char *name, const struct vm_layer *values,
			 const struct registry_condition *condition, bool *created,
			 struct vm_field_name *field, struct vgpu_error **err)
{
	int status;

	field->text[0] = '\0';
	pthread_mutex_lock(&registry->change);
	status = check_values(&registry->config, values, field, err);
	if (status == 0)
		status = put_profile(registry, name, values, condition, created, err);
	registry_end_change(registry);
	return status;
}

/* There must be one, and what the patch makes of it is checked as if it were put. */
static int patch_profile(struct registry *registry, const char *name, const char *text,
			 size_t length, const struct registry_condition *condition,
			 struct vm_field_name *field, struct vgpu_error **err)
{
	size_t index = profile_index(registry, name);
	struct vm_layer values;
	bool created;

	if (index == registry->config.profile_count)
		return no_profile(name, err);
	values = registry->values[index];
	if (check_change(registry, name, index, condition, err) < 0 ||
	    vm_layer_patch(text, length, &values, field, err) < 0 ||
	    check_values(&registry->config, &values, field, err) < 0)
		return -1;
	return put_profile(registry, name, &values, &(struct registry_condition){ 0 }, &created,
			   err);
}

int registry_profile_patch(struct registry *registry, const char *name, const char *text,
			   size_t length, const struct registry_condition *condition,
			   struct vm_field_name *field, struct vgpu_error **err)
{
	int status;

	field->text[0] = '\0';
	pthread_mutex_lock(&registry->change);
	status = patch_profile(registry, name, text, length, condition, field, err);
	registry_end_change(registry);
	return status;
}

static int delete_profile(struct registry *registry, const char *name,
			  const struct registry_condition *condition, struct vgpu_error **err)
{
	VGPU_CLEANUP(free_candidate) struct candidate candidate = { .count = 0 };
	const struct config file = file_part(registry);
	size_t index = profile_index(registry, name);
	uint32_t vms = count_vms(registry, name);

	if (index == registry->config.profile_count)
		return no_profile(name, err);
	if (check_change(registry, name, index, condition, err) < 0)
		return -1;
	if (vms)
		return vgpu_error_set(err, CONFLICT, "%u VMs have profile \"%s\"", vms, name);
	if (begin(&file, registry->config.profile_count, &candidate, err) < 0)
		return -1;
	add_others(&candidate, registry, name);
	return change(registry, name, NULL, index, &candidate, err);
}

int registry_profile_delete(struct registry *registry, const char *name,
			    const struct registry_condition *condition, struct vgpu_error **err)
{
	int status;

	pthread_mutex_lock(&registry->change);
	status = delete_profile(registry, name, condition, err);
	registry_end_change(registry);
	return status;
}

int registry_profile_get(struct registry *registry, const char *name,
			 struct registry_profile *profile, struct vgpu_error **err)
{
	size_t index;
	bool there;

	pthread_rwlock_rdlock(&registry->lock);
	index = profile_index(registry, name);
	there = index < registry->config.profile_count;
	if (there)
		describe(registry, index, profile);
	pthread_rwlock_unlock(&registry->lock);
	return there ? 0 : no_profile(name, err);
}

int registry_profiles(struct registry *registry, struct registry_profile **profiles, size_t *count,
		      struct vgpu_error **err)
{
	struct registry_profile *list;

	pthread_rwlock_rdlock(&registry->lock);
	*count = registry->config.profile_count;
	list = calloc(*count, sizeof(*list));
	for (size_t i = 0; list && i < *count; i++)
		describe(registry, i, &list[i]);
	pthread_rwlock_unlock(&registry->lock);
	*profiles = list;
	return list ? 0 : vgpu_error_set(err, INTERNAL, "out of memory");
}

static int reload(struct registry *registry, const struct config *file, struct vgpu_error **err)
{
	VGPU_CLEANUP(free_candidate) struct candidate candidate = { .count = 0 };
	struct config changed = registry->config;
	const struct config_pool *pool =
		config_pool_find(&changed, file->pools[file->default_pool].name);

	/* Pools and paths stay: they are not changed while the mediator runs. */
	changed.profiles = file->profiles;
	changed.profile_count = file->profile_count;
	changed.default_profile = file->default_profile;
	if (pool)
		changed.default_pool = (size_t)(pool - changed.pools);
	for (size_t i = 0; i < file->profile_count; i++)
		if (!config_pool_find(&registry->config, file->profiles[i].pool))
			return vgpu_error_set(err, UNPROCESSABLE,
					      "profile %s names pool %s, which is new: restart the "
					      "mediator",
					      file->profiles[i].name, file->profiles[i].pool);
	if (begin(&changed, registry->config.profile_count, &candidate, err) < 0)
		return -1;
	add_others(&candidate, registry, "");
	if (try_out(registry, &candidate, err) < 0 || put_in_force(registry, &candidate, err) < 0)
		return -1;
	commit(registry, &candidate);
	registry_tell(registry, EVENT_CONFIGURATION, NULL, "read anew");
	return 0;
}

int registry_reload(struct registry *registry, const struct config *file, struct vgpu_error **err)
{
	int status;

	pthread_mutex_lock(&registry->change);
	status = reload(registry, file, err);
	registry_end_change(registry);
	return status;
}
