/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of /v1/gpus and /v1/pools. */
#include "mediatord/actions.h"
#include "mediatord/gpus/gpus.h"
#include "mediatord/problem.h"
#include "mediatord/rest/internal.h"

/* null for what the driver does not say. */
static json_t *number_or_null(int64_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static json_t *bytes_or_null(uint64_t value)
{
	return value ? json_integer((json_int_t)value) : json_null();
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? problem_text_to_json(text) : json_null();
}

/* The pool that has a GPU; NULL: none. */
static const char *pool_of(const struct config *config, uint32_t index)
{
	for (size_t i = 0; i < config->pool_count; i++)
		for (size_t n = 0; n < config->pools[i].gpu_count; n++)
			if (config->pools[i].gpus[n] == index)
				return config->pools[i].name;
	return NULL;
}

/* NULL where there is no memory. */
static json_t *gpu_to_json(const struct config *config, const struct gpu *gpu)
{
	const char *pool = pool_of(config, gpu->index);

	return json_pack(
		"{s:i, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "index",
		(int)gpu->index, "pool", pool ? problem_text_to_json(pool) : json_null(), "state",
		gpu_state_name(gpu->state), "problem", text_or_null(gpu->problem), "name",
		text_or_null(gpu->name), "uuid", text_or_null(gpu->uuid), "pci_address",
		text_or_null(gpu->pci_address), "memory_bytes", bytes_or_null(gpu->memory_bytes),
		"memory_used_bytes",
		gpu->memory_bytes ? json_integer((json_int_t)gpu->memory_used_bytes) : json_null(),
		"utilization_percent", number_or_null(gpu->utilization_percent),
		"temperature_celsius", number_or_null(gpu->temperature_celsius), "power_milliwatts",
		number_or_null(gpu->power_milliwatts), "mig",
		gpu->mig < 0 ? json_null() : json_boolean(gpu->mig == 1), "processes",
		(int)gpu->process_count);
}

void rest_gpu_list(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	VGPU_AUTO_FREE struct gpu_report *report = gpus_snapshot(rest->parts.gpus);
	json_t *list = json_array();

	(void)request;
	for (size_t i = 0; report && i < report->count; i++)
		json_array_append_new(list, gpu_to_json(rest->config, &report->gpus[i]));
	reply->status = MHD_HTTP_OK;
	reply->body = json_pack("{s:o}", "gpus", list);
}

/* NULL where there is no memory. */
static json_t *pool_to_json(const struct config_pool *pool, const struct pool_use *use)
{
	json_t *gpus = json_array();
	char letter[2] = { pool->letter, '\0' };

	for (size_t i = 0; i < pool->gpu_count; i++)
		json_array_append_new(gpus, json_integer(pool->gpus[i]));
	return json_pack("{s:o, s:s, s:o, s:i, s:o, s:o, s:I, s:I, s:i, s:i}", "name",
			 problem_text_to_json(pool->name), "letter", letter, "gpus", gpus,
			 "memory_commitment_percent", (int)pool->memory_commitment, "memory_bytes",
			 bytes_or_null(use->memory_bytes), "limit_bytes",
			 bytes_or_null(use->limit_bytes), "committed_bytes",
			 (json_int_t)use->committed_bytes, "context_bytes",
			 (json_int_t)use->context_bytes, "contexts", (int)use->contexts, "vms",
			 (int)use->vms);
}

void rest_pool_list(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	size_t count = rest->config->pool_count;
	VGPU_AUTO_FREE struct pool_use *uses = calloc(count, sizeof(*uses));
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	json_t *list;

	(void)request;
	if (!uses || action_pools(rest->control, uses, count, &err) < 0) {
		rest_problem(reply,
			     err ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_INTERNAL_SERVER_ERROR,
			     err ? err->message : "out of memory", "");
		return;
	}
	list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, pool_to_json(&rest->config->pools[i], &uses[i]));
	reply->status = MHD_HTTP_OK;
	reply->body = json_pack("{s:o}", "pools", list);
}
