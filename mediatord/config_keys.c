/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/config_keys.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "mediatord/config_value.h"

static int set_control_socket(struct config_reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->control_socket);
}

static int set_control_group(struct config_reader *reader, const char *value)
{
	reader->names->has_control_group = true;
	return config_value_group(reader->err, value, &reader->config->has_control_group,
				  &reader->config->control_gid);
}

static int set_link_dir(struct config_reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->link_dir);
}

static int set_link_group(struct config_reader *reader, const char *value)
{
	return config_value_group(reader->err, value, &reader->config->has_link_group,
				  &reader->config->link_gid);
}

static int set_libvirt_run_dir(struct config_reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->libvirt_run_dir);
}

/* Nothing at all: no libvirt is followed. */
static int set_libvirt_uri(struct config_reader *reader, const char *value)
{
	if (*value && !strchr(value, ':'))
		return vgpu_error_set(reader->err, EINVAL,
				      "\"%s\" is no URI of libvirt's, as qemu:///system", value);
	reader->config->libvirt_uri = strdup(value);
	return reader->config->libvirt_uri ? 0
					   : vgpu_error_set(reader->err, ENOMEM, "out of memory");
}

static int set_reconciler(struct config_reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->reconciler);
}

static int set_state(struct config_reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->state);
}

static int set_worker(struct config_reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->worker);
}

static int set_gpuinfo(struct config_reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->gpuinfo);
}

static int set_software_gpus(struct config_reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 1, CONFIG_SOFTWARE_GPUS_MAX,
				   &reader->config->software_gpus);
}

static int set_warm_workers(struct config_reader *reader, const char *value)
{
	reader->names->has_warm_workers = true;
	return config_value_number(reader->err, value, 0, CONFIG_WARM_WORKERS_MAX,
				   &reader->config->warm_workers);
}

static int set_context_memory(struct config_reader *reader, const char *value)
{
	reader->names->has_context_memory = true;
	return config_value_size(reader->err, value, &reader->config->context_memory_bytes);
}

static int set_window_commitment(struct config_reader *reader, const char *value)
{
	return config_value_size(reader->err, value, &reader->config->window_commitment_bytes);
}

static int set_keeper(struct config_reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->keeper);
}

static int set_keeper_socket(struct config_reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->keeper_socket);
}

/* Never for ever: that is for a keeper that somebody else ends. */
static int set_keeper_wait(struct config_reader *reader, const char *value)
{
	uint32_t ms;

	if (config_value_duration(reader->err, value, &ms) < 0)
		return -1;
	if (ms == 0 || ms % 1000)
		return vgpu_error_set(reader->err, EINVAL,
				      "\"%s\" is no whole number of seconds, 1 at least", value);
	reader->config->keeper_wait_seconds = ms / 1000;
	return 0;
}

/* Leaves room for every vm_id above it, and never root or (uid_t)-1. */
static int set_worker_uid_base(struct config_reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 1, UINT32_MAX - CONFIG_VM_ID_MAX - 1,
				   &reader->config->worker_uid_base);
}

static int set_backend(struct config_reader *reader, const char *value)
{
	if (strcmp(value, "cpu") == 0)
		reader->config->backend = VGPU_BACKEND_CPU;
	else if (strcmp(value, "cuda") == 0)
		reader->config->backend = VGPU_BACKEND_CUDA;
	else
		return vgpu_error_set(reader->err, EINVAL,
				      "\"%s\" is no backend; there are: cpu, cuda", value);
	return 0;
}

static int set_yes_or_no(struct config_reader *reader, const char *value, bool *field)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return vgpu_error_set(reader->err, EINVAL, "\"%s\" is neither yes nor no", value);
	*field = *value == 'y';
	return 0;
}

static int set_libvirt_attach(struct config_reader *reader, const char *value)
{
	return set_yes_or_no(reader, value, &reader->config->libvirt_attach);
}

static int set_allow_pageable_access(struct config_reader *reader, const char *value)
{
	return set_yes_or_no(reader, value, &reader->config->allow_pageable_access);
}

static int set_insecure_loopback(struct config_reader *reader, const char *value)
{
	return set_yes_or_no(reader, value, &reader->config->insecure_loopback);
}

static int set_tls_certificate(struct config_reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->tls_certificate);
}

static int set_tls_key(struct config_reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->tls_key);
}

static int set_files_dir(struct config_reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->files_dir);
}

static int set_files_poll(struct config_reader *reader, const char *value)
{
	uint32_t ms;

	if (config_value_duration(reader->err, value, &ms) < 0)
		return -1;
	if (ms < 1 || ms > CONFIG_FILES_POLL_MS_MAX)
		return vgpu_error_set(reader->err, EINVAL, "\"%s\" is not from 1ms to 60s", value);
	reader->config->files_poll_ms = ms;
	return 0;
}

static int set_files_notify(struct config_reader *reader, const char *value)
{
	return set_yes_or_no(reader, value, &reader->config->files_notify);
}

static int set_context_idle(struct config_reader *reader, const char *value)
{
	return config_value_duration(reader->err, value, &reader->config->context_idle_ms);
}

static int set_default_pool(struct config_reader *reader, const char *value)
{
	return config_value_name(reader->err, value, reader->names->default_pool,
				 sizeof(reader->names->default_pool));
}

static int set_default_profile(struct config_reader *reader, const char *value)
{
	if (!*value)
		return 0;
	return config_value_name(reader->err, value, reader->names->default_profile,
				 sizeof(reader->names->default_profile));
}

static int set_log_level(struct config_reader *reader, const char *value)
{
	int level = vgpu_log_level_from_name(value);

	if (level < 0)
		return vgpu_error_set(reader->err, EINVAL,
				      "\"%s\" is no level: error, warning, info or debug", value);
	reader->config->log_level = level;
	return 0;
}

static int set_letter(struct config_reader *reader, const char *value)
{
	if (!isascii((unsigned char)value[0]) || !isalnum((unsigned char)value[0]) || value[1])
		return vgpu_error_set(reader->err, EINVAL, "\"%s\" is no single letter or digit",
				      value);
	config_pool_of(reader)->letter = value[0];
	return 0;
}

static int compare_gpus(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static int set_gpus(struct config_reader *reader, const char *value)
{
	struct config_pool *pool = config_pool_of(reader);
	const char *cursor = value;

	pool->all_gpus = strcmp(value, "all") == 0;
	if (pool->all_gpus)
		return 0;
	for (;;) {
		uint64_t gpu;

		while (isblank((unsigned char)*cursor))
			cursor++;
		if (config_value_digits(cursor, CONFIG_GPU_INDEX_MAX, &gpu, &cursor) < 0)
			break;
		while (isblank((unsigned char)*cursor))
			cursor++;
		if (pool->gpu_count == CONFIG_POOL_GPUS_MAX)
			return vgpu_error_set(reader->err, EINVAL, "more than %u GPUs",
					      CONFIG_POOL_GPUS_MAX);
		for (size_t i = 0; i < pool->gpu_count; i++)
			if (pool->gpus[i] == gpu)
				return vgpu_error_set(reader->err, EINVAL, "GPU %u is there twice",
						      (unsigned int)gpu);
		pool->gpus[pool->gpu_count++] = (uint32_t)gpu;
		if (!*cursor) {
			qsort(pool->gpus, pool->gpu_count, sizeof(pool->gpus[0]), compare_gpus);
			return 0;
		}
		if (*cursor++ != ',')
			break;
	}
	return vgpu_error_set(reader->err, EINVAL,
			      "\"%s\" is no list of GPU indices from 0 to %u, as 0,1, nor all",
			      value, CONFIG_GPU_INDEX_MAX);
}

static int set_memory_commitment(struct config_reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, CONFIG_MEMORY_COMMITMENT_MAX,
				   &config_pool_of(reader)->memory_commitment);
}

static int set_pool(struct config_reader *reader, const char *value)
{
	return config_value_name(reader->err, value, config_profile_of(reader)->pool,
				 sizeof(config_profile_of(reader)->pool));
}

static int set_priority(struct config_reader *reader, const char *value)
{
	static const char *const names[] = { "low", "medium", "high" };

	for (uint32_t i = 0; i < 3; i++)
		if (strcmp(value, names[i]) == 0) {
			config_profile_of(reader)->priority = i;
			return 0;
		}
	return vgpu_error_set(reader->err, EINVAL, "\"%s\" is no priority: low, medium or high",
			      value);
}

static int set_weight(struct config_reader *reader, const char *value)
{
	return config_value_number(reader->err, value, CONFIG_WEIGHT_MIN, CONFIG_WEIGHT_MAX,
				   &config_profile_of(reader)->weight);
}

static int set_seats(struct config_reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, CONFIG_SEATS_MAX,
				   &config_profile_of(reader)->seats);
}

static int set_gpu_memory(struct config_reader *reader, const char *value)
{
	return config_value_size(reader->err, value,
				 &config_profile_of(reader)->quotas.gpu_memory_bytes);
}

static int set_window(struct config_reader *reader, const char *value)
{
	return config_value_size(reader->err, value,
				 &config_profile_of(reader)->quotas.window_bytes);
}

static int set_time_guaranteed(struct config_reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, CONFIG_PERCENT_MAX,
				   &config_profile_of(reader)->quotas.gpu_time_guaranteed_percent);
}

static int set_time_max(struct config_reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, CONFIG_PERCENT_MAX,
				   &config_profile_of(reader)->quotas.gpu_time_max_percent);
}

static int set_requests_per_second(struct config_reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, CONFIG_REQUESTS_PER_SECOND_MAX,
				   &config_profile_of(reader)->quotas.requests_per_second);
}

static int set_burst(struct config_reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, CONFIG_REQUESTS_PER_SECOND_MAX,
				   &config_profile_of(reader)->quotas.burst);
}

static int set_queue_depth(struct config_reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, CONFIG_QUEUE_DEPTH_MAX,
				   &config_profile_of(reader)->quotas.queue_depth);
}

static int set_channels(struct config_reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, CONFIG_CHANNELS_MAX,
				   &config_profile_of(reader)->quotas.channels);
}

static int set_longest_job(struct config_reader *reader, const char *value)
{
	return config_value_duration(reader->err, value,
				     &config_profile_of(reader)->quotas.longest_job_ms);
}

const struct config_key config_mediatord_keys[] = {
	{ "control-socket", set_control_socket },
	{ "control-group", set_control_group },
	{ "listen", config_set_listen },
	{ "tls-certificate", set_tls_certificate },
	{ "tls-key", set_tls_key },
	{ "insecure-loopback", set_insecure_loopback },
	{ "link-dir", set_link_dir },
	{ "link-group", set_link_group },
	{ "libvirt-run-dir", set_libvirt_run_dir },
	{ "libvirt-uri", set_libvirt_uri },
	{ "libvirt-attach", set_libvirt_attach },
	{ "reconciler", set_reconciler },
	{ "state", set_state },
	{ "worker", set_worker },
	{ "keeper", set_keeper },
	{ "keeper-socket", set_keeper_socket },
	{ "keeper-wait", set_keeper_wait },
	{ "worker-uid-base", set_worker_uid_base },
	{ "gpuinfo", set_gpuinfo },
	{ "software-gpus", set_software_gpus },
	{ "context-memory", set_context_memory },
	{ "warm-workers", set_warm_workers },
	{ "window-commitment", set_window_commitment },
	{ "backend", set_backend },
	{ "allow-pageable-access", set_allow_pageable_access },
	{ "context-idle", set_context_idle },
	{ "files-dir", set_files_dir },
	{ "files-poll", set_files_poll },
	{ "files-notify", set_files_notify },
	{ "default-pool", set_default_pool },
	{ "default-profile", set_default_profile },
	{ "log-level", set_log_level },
	{ NULL, NULL },
};

const struct config_key config_pool_keys[] = {
	{ "letter", set_letter },
	{ "gpus", set_gpus },
	{ "memory-commitment", set_memory_commitment },
	{ NULL, NULL },
};

const struct config_key config_profile_keys[] = {
	{ "pool", set_pool },
	{ "priority", set_priority },
	{ "weight", set_weight },
	{ "seats", set_seats },
	{ "gpu-memory", set_gpu_memory },
	{ "window", set_window },
	{ "gpu-time-guaranteed", set_time_guaranteed },
	{ "gpu-time-max", set_time_max },
	{ "requests-per-second", set_requests_per_second },
	{ "burst", set_burst },
	{ "queue-depth", set_queue_depth },
	{ "channels", set_channels },
	{ "longest-job", set_longest_job },
	{ NULL, NULL },
};

/* A duration that the scheduler takes: 1 ms to an hour. */
static int set_sched(struct config_reader *reader, const char *value, int64_t *field_ns)
{
	uint32_t ms;

	if (config_value_duration(reader->err, value, &ms) < 0)
		return -1;
	if (ms < 1 || ms > CONFIG_SCHED_MS_MAX)
		return vgpu_error_set(reader->err, EINVAL, "\"%s\" is not from 1ms to 3600s",
				      value);
	*field_ns = ms * VGPU_NS_PER_MS;
	return 0;
}

static int set_slice(struct config_reader *reader, const char *value)
{
	return set_sched(reader, value, &reader->config->sched.slice_ns);
}

static int set_yield(struct config_reader *reader, const char *value)
{
	return set_sched(reader, value, &reader->config->sched.yield_ns);
}

static int set_ageing(struct config_reader *reader, const char *value)
{
	return set_sched(reader, value, &reader->config->sched.ageing_ns);
}

static int set_period(struct config_reader *reader, const char *value)
{
	return set_sched(reader, value, &reader->config->sched.period_ns);
}

static int set_inflight(struct config_reader *reader, const char *value)
{
	return config_value_duration(reader->err, value, &reader->config->inflight_ms);
}

static int set_faults(struct config_reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, QUARANTINE_FAULTS_MAX,
				   &reader->config->quarantine.faults);
}

static int set_fault_period(struct config_reader *reader, const char *value)
{
	return set_sched(reader, value, &reader->config->quarantine.period_ns);
}

static int set_quarantine(struct config_reader *reader, const char *value)
{
	uint32_t ms;

	if (config_value_duration(reader->err, value, &ms) < 0)
		return -1;
	reader->config->quarantine.duration_ns = ms * VGPU_NS_PER_MS;
	return 0;
}

const struct config_key config_scheduler_keys[] = {
	{ "slice", set_slice },
	{ "yield", set_yield },
	{ "ageing", set_ageing },
	{ "period", set_period },
	{ "inflight", set_inflight },
	{ "faults", set_faults },
	{ "fault-period", set_fault_period },
	{ "quarantine", set_quarantine },
	{ NULL, NULL },
};
