/* SPDX-License-Identifier: Apache-2.0 */
/* A VM as REST shows it: what is registered, and what it does. */
#include <time.h>

#include "common/uuid.h"
#include "mediatord/histogram.h"
#include "mediatord/rest/internal.h"

static const char *worker_state_name(uint32_t state)
{
	static const char *const names[] = {
		[VGPU_WORKER_NONE] = "none",
		[VGPU_WORKER_STARTING] = "starting",
		[VGPU_WORKER_READY] = "ready",
		[VGPU_WORKER_FAILED] = "failed",
	};

	return state < sizeof(names) / sizeof(*names) ? names[state] : "none";
}

static const char *channel_state_name(uint32_t state)
{
	static const char *const names[] = {
		[VGPU_CHANNEL_STATE_CLOSED] = "closed",	  [VGPU_CHANNEL_STATE_OPENING] = "opening",
		[VGPU_CHANNEL_STATE_OPEN] = "open",	  [VGPU_CHANNEL_STATE_FAILED] = "failed",
		[VGPU_CHANNEL_STATE_CLOSING] = "closing",
	};

	return state < sizeof(names) / sizeof(*names) ? names[state] : "closed";
}

static void add_text(struct json_text *text, const char *value)
{
	json_text_add(text, value, strlen(value));
}

/* key comes with its quotes, its colon and the comma before it. */
static void add_number(struct json_text *text, const char *key, uint64_t value)
{
	add_text(text, key);
	json_text_number(text, value);
}

static void add_pid(struct json_text *text, const char *key, pid_t pid)
{
	add_text(text, key);
	if (pid > 0)
		json_text_number(text, (uint64_t)pid);
	else
		JSON_TEXT_ADD(text, "null");
}

/* null where it is "". */
static void add_name(struct json_text *text, const char *key, const char *name)
{
	add_text(text, key);
	if (name[0])
		json_text_string(text, name);
	else
		JSON_TEXT_ADD(text, "null");
}

void rest_channels_write(struct json_text *text, const struct vm_status *status)
{
	JSON_TEXT_ADD(text, "[");
	for (uint32_t i = 0; i < status->channel_count; i++) {
		const struct vm_channel_status *channel = &status->channels[i];

		if (i > 0)
			JSON_TEXT_ADD(text, ",");
		add_number(text, "{\"channel\":", channel->number);
		JSON_TEXT_ADD(text, ",\"state\":\"");
		add_text(text, channel_state_name(channel->state));
		add_pid(text, "\",\"worker_pid\":", channel->worker_pid);
		add_number(text, ",\"region_bytes\":", channel->region_bytes);
		add_number(text, ",\"submissions\":", channel->submissions);
		add_number(text, ",\"errors\":", channel->errors);
		add_number(text, ",\"gpu_time_ns\":", channel->gpu_time_ns);
		add_number(text, ",\"memory_used_bytes\":", channel->memory_used_bytes);
		add_text(text, channel->context ? ",\"context\":true" : ",\"context\":false");
		add_name(text, ",\"gpu\":", channel->gpu_name);
		if (channel->worker_pid)
			add_number(text, ",\"gpu_index\":", channel->gpu);
		else
			JSON_TEXT_ADD(text, ",\"gpu_index\":null");
		JSON_TEXT_ADD(text, "}");
	}
	JSON_TEXT_ADD(text, "]");
}

static void add_times(struct json_text *text, const char *key, const uint64_t *times)
{
	add_text(text, key);
	for (unsigned int i = 0; i < VGPU_HISTOGRAM_BUCKETS; i++)
		add_number(text, i ? "," : "[", times[i]);
	JSON_TEXT_ADD(text, "]");
}

void rest_times_write(struct json_text *text, const struct usage *usage)
{
	JSON_TEXT_ADD(text, "{\"start_ns\":");
	for (unsigned int i = 0; i < VGPU_HISTOGRAM_BUCKETS; i++)
		add_number(text, i ? "," : "[", histogram_start(i));
	add_times(text, "],\"queue\":", usage->queue_times);
	add_times(text, ",\"run\":", usage->run_times);
	add_times(text, ",\"total\":", usage->total_times);
	JSON_TEXT_ADD(text, "}");
}

static void add_link(struct json_text *text, const struct rest *rest, const uint8_t uuid[16],
		     const struct vm_status *status)
{
	char name[VGPU_UUID_TEXT];
	char path[256];

	vgpu_uuid_format(uuid, name);
	snprintf(path, sizeof(path), "%s/%s.sock", rest->config->link_dir, name);
	JSON_TEXT_ADD(text, ",\"link\":{\"socket\":");
	json_text_string(text, path);
	add_text(text,
		 status->link_state == VGPU_LINK_UP ? ",\"state\":\"up\"" : ",\"state\":\"down\"");
	add_pid(text, ",\"pid\":", status->link_pid);
	JSON_TEXT_ADD(text, "}");
}

static void add_percentiles(struct json_text *text, const char *key, const uint64_t *times)
{
	add_text(text, key);
	add_number(text, "{\"p50\":", histogram_percentile(times, 50));
	add_number(text, ",\"p95\":", histogram_percentile(times, 95));
	add_number(text, ",\"p99\":", histogram_percentile(times, 99));
	JSON_TEXT_ADD(text, "}");
}

static void add_quarantine(struct json_text *text, const struct vm_status *status)
{
	const struct usage_quarantine *quarantine = &status->quarantine;
	time_t until = (time_t)quarantine->until_s;
	char date[32];
	struct tm tm;

	if (!status->quarantined) {
		JSON_TEXT_ADD(text, ",\"quarantined\":false,\"quarantine\":null");
		return;
	}
	JSON_TEXT_ADD(text, ",\"quarantined\":true,\"quarantine\":{\"reason\":");
	json_text_string(text, quarantine->reason);
	if (quarantine->until_s == USAGE_UNTIL_RELEASED || !gmtime_r(&until, &tm) ||
	    !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm))
		date[0] = '\0';
	add_name(text, ",\"until\":", date);
	JSON_TEXT_ADD(text, "}");
}

void rest_vm_write(struct json_text *text, const struct rest *rest, const struct vm_text *vm,
		   const struct vm_status *status)
{
	JSON_TEXT_ADD(text, "{");
	json_text_add(text, vm->json, vm->length);
	add_text(text, status->idle ? ",\"idle\":true" : ",\"idle\":false");
	add_quarantine(text, status);
	add_link(text, rest, vm->uuid, status);
	JSON_TEXT_ADD(text, ",\"worker\":{\"state\":\"");
	add_text(text, worker_state_name(status->worker_state));
	add_pid(text, "\",\"pid\":", status->worker_pid);
	add_number(text, ",\"jobs\":", status->worker_jobs);
	add_name(text, ",\"gpu\":", status->gpu_name);
	JSON_TEXT_ADD(text, "},\"channels\":");
	rest_channels_write(text, status);
	add_number(text, ",\"usage\":{\"gpu_memory_bytes\":", status->memory_used_bytes);
	add_number(text, ",\"window_bytes\":", status->window_used_bytes);
	add_number(text, ",\"gpu_time_ns\":", status->usage.gpu_time_ns);
	add_number(text, "},\"counters\":{\"requests\":", status->usage.requests);
	add_number(text, ",\"completed\":", status->usage.completed);
	add_number(text, ",\"failed\":", status->usage.failed);
	add_number(text, ",\"workers_lost\":", status->usage.workers_lost);
	add_number(text, ",\"links_refused\":", status->usage.links_refused);
	add_number(text, ",\"jobs\":", status->usage.jobs);
	add_number(text, ",\"bytes_in\":", status->usage.bytes_in);
	add_number(text, ",\"bytes_out\":", status->usage.bytes_out);
	add_number(text, ",\"faults\":", status->usage.faults);
	add_number(text, ",\"quarantines\":", status->usage.quarantines);
	JSON_TEXT_ADD(text, ",\"refused\":{");
	for (unsigned int i = 0; i < USAGE_REFUSALS; i++) {
		add_text(text, i ? ",\"" : "\"");
		add_text(text, usage_refusal_name(i));
		add_number(text, "\":", status->usage.refused[i]);
	}
	JSON_TEXT_ADD(text, "}},\"latency_ns\":{");
	add_percentiles(text, "\"queue\":", status->usage.queue_times);
	add_percentiles(text, ",\"run\":", status->usage.run_times);
	add_percentiles(text, ",\"total\":", status->usage.total_times);
	JSON_TEXT_ADD(text, "}}");
}
