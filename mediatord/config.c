/* SPDX-License-Identifier: Apache-2.0 */
/* The values of a configuration: defaults, lookup, and what must hold between them. */
#include "mediatord/config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/log.h"
#include "common/uuid.h"
#include "mediatord/config_file.h"
#include "mediatord/config_keys.h"
#include "mediatord/config_value.h"

/* A configuration is a page or two; this bounds what a wrong path (/dev/zero) can cost. */
#define FILE_BYTES_MAX (1u << 20)

#define LIBVIRT_RUN_DIR "/run/libvirt/qemu"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* Of an H100, as its driver makes one without being asked for less. */
#define CONTEXT_BYTES (526 * MIB)

#define MEMORY_COMMITMENT_UNSET UINT32_MAX

void config_profile_defaults(struct config_profile *profile)
{
	memset(profile, 0, sizeof(*profile));
	profile->priority = VGPU_PRIORITY_MEDIUM;
	profile->weight = 100;
	profile->quotas.gpu_memory_bytes = GIB;
	profile->quotas.window_bytes = 256 * MIB;
	profile->quotas.queue_depth = 64;
	profile->quotas.channels = 32;
	profile->quotas.longest_job_ms = 10000;
}

struct config_pool *config_pool_append(struct config *config)
{
	struct config_pool *grown =
		reallocarray(config->pools, config->pool_count + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	config->pools = grown;
	grown += config->pool_count++;
	*grown = (struct config_pool){ .memory_commitment = MEMORY_COMMITMENT_UNSET };
	return grown;
}

struct config_profile *config_profile_append(struct config *config)
{
	struct config_profile *grown =
		reallocarray(config->profiles, config->profile_count + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	config->profiles = grown;
	grown += config->profile_count++;
	config_profile_defaults(grown);
	return grown;
}

/* Gives *field a copy of text. Returns 0, or -1 with ENOMEM. */
static int set_default(char **field, const char *text)
{
	*field = strdup(text);
	return *field ? 0 : -1;
}

static uint64_t host_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);

	return pages > 0 && bytes > 0 ? (uint64_t)pages * (uint64_t)bytes : 0;
}

struct config *config_new(void)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->worker_uid_base = 1879048192u;
	config->keeper_wait_seconds = 60;
	config->files_poll_ms = 100;
	config->files_notify = true;
	config->libvirt_attach = true;
	config->backend = VGPU_BACKEND_CPU;
	config->log_level = VGPU_LOG_INFO;
	config->sched = (struct sched_params){
		.slice_ns = SCHED_SLICE_NS,
		.yield_ns = SCHED_YIELD_NS,
		.ageing_ns = SCHED_AGEING_NS,
		.period_ns = SCHED_PERIOD_NS,
	};
	config->inflight_ms = 1;
	config->quarantine = (struct quarantine_config){
		.faults = QUARANTINE_FAULTS,
		.period_ns = QUARANTINE_PERIOD_NS,
		.duration_ns = QUARANTINE_DURATION_NS,
	};
	config->software_gpus = 1;
	config->window_commitment_bytes = host_memory() / 2;
	config->context_idle_ms = CONFIG_CONTEXT_IDLE_MS;
	if (set_default(&config->control_socket, VGPU_RUN_DIR "/control.sock") < 0 ||
	    set_default(&config->link_dir, VGPU_RUN_DIR "/link") < 0 ||
	    set_default(&config->libvirt_run_dir, LIBVIRT_RUN_DIR) < 0 ||
	    set_default(&config->state, VGPU_STATE_DIR "/state.db") < 0 ||
	    set_default(&config->worker, VGPU_WORKER_PROGRAM) < 0 ||
	    set_default(&config->gpuinfo, VGPU_GPUINFO_PROGRAM) < 0 ||
	    set_default(&config->reconciler, VGPU_RECONCILER_PROGRAM) < 0)
		config_free(&config);
	return config;
}

void config_free(struct config **config)
{
	if (!config || !*config)
		return;
	free((*config)->control_socket);
	free((*config)->listen);
	free((*config)->tls_certificate);
	free((*config)->tls_key);
	free((*config)->link_dir);
	free((*config)->libvirt_run_dir);
	free((*config)->libvirt_uri);
	free((*config)->reconciler);
	free((*config)->state);
	free((*config)->worker);
	free((*config)->gpuinfo);
	free((*config)->keeper);
	free((*config)->keeper_socket);
	free((*config)->files_dir);
	free((*config)->pools);
	free((*config)->profiles);
	free(*config);
	*config = NULL;
}

const struct config_pool *config_pool_find(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->pool_count; i++)
		if (strcmp(config->pools[i].name, name) == 0)
			return &config->pools[i];
	return NULL;
}

const struct config_profile *config_profile_find(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->profile_count; i++)
		if (strcmp(config->profiles[i].name, name) == 0)
			return &config->profiles[i];
	return NULL;
}

/* Whether a path leaves room for so many bytes more: sockets are made under another name first. */
static int check_path(const char *key, const char *path, size_t more, struct vgpu_error **err)
{
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1 - more;

	if (strlen(path) <= max)
		return 0;
	return vgpu_error_set(err, EINVAL,
			      "%s: %zu bytes are too long for the path of a socket; at most %zu",
			      key, strlen(path), max);
}

static int check_paths(const struct config *config, struct vgpu_error **err)
{
	/* "DIR/UUID.sock", and while it is made "DIR/.UUID.new". */
	const size_t link_name = strlen("/") + (VGPU_UUID_TEXT - 1) + strlen(".sock");

	if (check_path("link-dir", config->link_dir, link_name, err) < 0 ||
	    check_path("control-socket", config->control_socket, strlen(".new"), err) < 0 ||
	    check_path("keeper-socket", config->keeper_socket, strlen(".new"), err) < 0)
		return -1;
	return 0;
}

static int check_pools(const struct config *config, struct vgpu_error **err)
{
	for (size_t i = 0; i < config->pool_count; i++) {
		const struct config_pool *pool = &config->pools[i];

		for (size_t j = 0; j < i; j++) {
			const struct config_pool *other = &config->pools[j];

			if (pool->letter == other->letter)
				return vgpu_error_set(err, EINVAL,
						      "pools %s and %s have the same letter %c; "
						      "give one of them another with letter =",
						      other->name, pool->name, pool->letter);
			if (pool->all_gpus && other->all_gpus)
				return vgpu_error_set(err, EINVAL,
						      "pools %s and %s both have gpus = all",
						      other->name, pool->name);
			for (size_t a = 0; a < pool->gpu_count; a++)
				for (size_t b = 0; b < other->gpu_count; b++)
					if (pool->gpus[a] == other->gpus[b])
						return vgpu_error_set(
							err, EINVAL,
							"GPU %u is in two pools, %s and %s",
							pool->gpus[a], other->name, pool->name);
		}
	}
	return 0;
}

/*
 * Which of the names is meant: the one that was given, or what is there where none was. Returns
 * 0, or -1 and err.
 */
static int resolve_defaults(struct config *config, const struct config_file_names *names,
			    struct vgpu_error **err)
{
	const char *pool_name = names->default_pool[0] ? names->default_pool : "A";
	const char *profile_name = names->default_profile[0] ? names->default_profile : "default";
	const struct config_pool *pool = config_pool_find(config, pool_name);
	const struct config_profile *profile;

	if (!pool && names->default_pool[0])
		return vgpu_error_set(err, EINVAL, "default-pool: there is no [pool %s]",
				      names->default_pool);
	config->default_pool = pool ? (size_t)(pool - config->pools) : 0;

	if (!config_profile_find(config, "default")) {
		struct config_profile *builtin = config_profile_append(config);

		if (!builtin)
			return vgpu_error_set(err, ENOMEM, "out of memory");
		memcpy(builtin->name, "default", sizeof("default"));
	}
	profile = config_profile_find(config, profile_name);
	if (!profile)
		return vgpu_error_set(err, EINVAL, "default-profile: there is no [profile %s]",
				      profile_name);
	config->default_profile = (size_t)(profile - config->profiles);

	for (size_t i = 0; i < config->profile_count; i++) {
		struct config_profile *each = &config->profiles[i];

		if (!each->pool[0])
			memcpy(each->pool, config->pools[config->default_pool].name,
			       sizeof(each->pool));
		else if (!config_pool_find(config, each->pool))
			return vgpu_error_set(err, EINVAL, "[profile %s]: there is no [pool %s]",
					      each->name, each->pool);
	}
	return 0;
}

/* What depends on the backend: a software GPU's memory is the host's, and it has no contexts. */
static void resolve_memory(struct config *config, const struct config_file_names *names)
{
	const bool gpu = config->backend == VGPU_BACKEND_CUDA;

	if (!names->has_context_memory)
		config->context_memory_bytes = gpu ? CONTEXT_BYTES : 0;
	if (!names->has_warm_workers)
		config->warm_workers = gpu ? 1 : 0;
	for (size_t i = 0; i < config->pool_count; i++)
		if (config->pools[i].memory_commitment == MEMORY_COMMITMENT_UNSET)
			config->pools[i].memory_commitment = gpu ? 100 : 0;
}

static bool is_taken(const struct config *config, uint32_t gpu)
{
	for (size_t i = 0; i < config->pool_count; i++)
		for (size_t n = 0; n < config->pools[i].gpu_count; n++)
			if (config->pools[i].gpus[n] == gpu)
				return true;
	return false;
}

int config_take_gpus(struct config *config, const uint32_t *indices, size_t count,
		     struct vgpu_error **err)
{
	for (size_t i = 0; i < config->pool_count; i++) {
		struct config_pool *pool = &config->pools[i];

		if (!pool->all_gpus)
			continue;
		for (size_t n = 0; n < count && pool->gpu_count < CONFIG_POOL_GPUS_MAX; n++)
			if (!is_taken(config, indices[n]))
				pool->gpus[pool->gpu_count++] = indices[n];
		if (!pool->gpu_count)
			return vgpu_error_set(err, EINVAL,
					      "[pool %s] has gpus = all, and this host has none "
					      "left for it",
					      pool->name);
	}
	return 0;
}

/* Those of the cpu backend are known without asking anybody. */
static int take_software_gpus(struct config *config, struct vgpu_error **err)
{
	uint32_t indices[CONFIG_SOFTWARE_GPUS_MAX];

	if (config->backend != VGPU_BACKEND_CPU)
		return 0;
	for (uint32_t i = 0; i < config->software_gpus; i++)
		indices[i] = i;
	return config_take_gpus(config, indices, config->software_gpus, err);
}

/* Gives *field, where it has none, the path of name in the folder of another path. */
static int default_beside(char **field, const char *other, const char *name)
{
	const int length = (int)(strrchr(other, '/') - other);

	if (*field)
		return 0;
	if (asprintf(field, "%.*s/%s", length, other, name) < 0)
		*field = NULL;
	return *field ? 0 : -1;
}

/* The group that installing makes; a host that lacks it is served all the same, for root. */
static void resolve_control_group(struct config *config, const struct config_file_names *names)
{
	if (names->has_control_group)
		return;
	config->control_group_is_default = true;
	if (config_value_group(NULL, CONFIG_CONTROL_GROUP, &config->has_control_group,
			       &config->control_gid) < 0)
		config->has_control_group = false;
}

/* One libvirt's folder and another one's domains would not fit together. */
static int resolve_libvirt(struct config *config)
{
	if (config->libvirt_uri)
		return 0;
	return set_default(&config->libvirt_uri,
			   strcmp(config->libvirt_run_dir, LIBVIRT_RUN_DIR) == 0 ? "qemu:///system"
										 : "");
}

int config_parse(const char *text, size_t length, const char *name, struct config **config,
		 struct vgpu_error **err)
{
	VGPU_CLEANUP(config_free) struct config *made = config_new();
	struct config_file_names names = { .default_pool = "" };

	*config = NULL;
	if (!made)
		return vgpu_error_set(err, ENOMEM, "%s: out of memory", name);
	if (config_file_read(made, &names, text, length, name, err) < 0)
		return -1;
	if (made->pool_count == 0) {
		struct config_pool *pool = config_pool_append(made);

		if (!pool)
			return vgpu_error_set(err, ENOMEM, "%s: out of memory", name);
		memcpy(pool->name, "A", sizeof("A"));
		pool->letter = 'A';
		pool->all_gpus = true;
	}
	resolve_control_group(made, &names);
	resolve_memory(made, &names);
	if (default_beside(&made->keeper, made->worker, "vgpu-keeper") < 0 ||
	    default_beside(&made->keeper_socket, made->control_socket, "keeper.sock") < 0 ||
	    resolve_libvirt(made) < 0)
		return vgpu_error_set(err, ENOMEM, "%s: out of memory", name);
	if (check_paths(made, err) < 0 || config_check_listen(made, err) < 0 ||
	    check_pools(made, err) < 0 || resolve_defaults(made, &names, err) < 0 ||
	    take_software_gpus(made, err) < 0) {
		vgpu_error_prefix(err, "%s", name);
		return -1;
	}
	*config = vgpu_steal_pointer(&made);
	return 0;
}

int config_load(const char *path, bool may_lack, struct config **config, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	VGPU_AUTO_FREE char *text = NULL;
	struct stat status;
	size_t length = 0;

	*config = NULL;
	if (fd < 0 && errno == ENOENT && may_lack)
		return config_parse("", 0, path, config, err);
	if (fd < 0)
		return vgpu_error_errno(err, errno, "cannot open the configuration %s", path);
	if (fstat(fd, &status) < 0)
		return vgpu_error_errno(err, errno, "cannot read the configuration %s", path);
	if (!S_ISREG(status.st_mode))
		return vgpu_error_set(err, EINVAL, "the configuration %s is no regular file", path);
	text = malloc(FILE_BYTES_MAX + 1);
	if (!text)
		return vgpu_error_set(err, ENOMEM, "%s: out of memory", path);
	while (length <= FILE_BYTES_MAX) {
		ssize_t got = read(fd, text + length, FILE_BYTES_MAX + 1 - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return vgpu_error_errno(err, errno, "cannot read the configuration %s",
						path);
		if (got == 0)
			break;
		length += (size_t)got;
	}
	if (length > FILE_BYTES_MAX)
		return vgpu_error_set(err, EFBIG, "the configuration %s is larger than %u bytes",
				      path, FILE_BYTES_MAX);
	return config_parse(text, length, path, config, err);
}
