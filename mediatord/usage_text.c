/* SPDX-License-Identifier: Apache-2.0 */
/* usage.h as JSON: one member a counter, a list of [bucket, count] a histogram. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/text.h"
#include "mediatord/usage.h"

#define COUNTER(name)                                                                              \
	{                                                                                          \
#name, offsetof(struct usage, name)                                                \
	}

struct member {
	const char *name;
	size_t offset;
};

static const struct member counters[] = {
	COUNTER(requests),    COUNTER(completed),    COUNTER(failed),	     COUNTER(jobs),
	COUNTER(gpu_time_ns), COUNTER(bytes_in),     COUNTER(bytes_out),     COUNTER(faults),
	COUNTER(quarantines), COUNTER(workers_lost), COUNTER(links_refused), COUNTER(queue_ns),
	COUNTER(run_ns),      COUNTER(total_ns),
};

static const struct member histograms[] = {
	COUNTER(queue_times),
	COUNTER(run_times),
	COUNTER(total_times),
};

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static uint64_t get(const struct usage *usage, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)usage + offset, sizeof(value));
	return value;
}

static void set(struct usage *usage, size_t offset, uint64_t value)
{
	memcpy((char *)usage + offset, &value, sizeof(value));
}

/* JSON's numbers are signed here; none of ours gets there. */
static json_t *to_json(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *histogram_to_json(const struct usage *usage, size_t offset)
{
	json_t *list = json_array();

	for (size_t i = 0; i < VGPU_HISTOGRAM_BUCKETS; i++) {
		uint64_t value = get(usage, offset + i * sizeof(value));

		if (value)
			json_array_append_new(list,
					      json_pack("[I, o]", (json_int_t)i, to_json(value)));
	}
	return list;
}

static json_t *quarantine_to_json(const struct usage_quarantine *quarantine)
{
	return json_pack("{s:I, s:s}", "until_s", (json_int_t)quarantine->until_s, "reason",
			 quarantine->reason);
}

char *usage_encode(const struct vm_usage *kept)
{
	const struct usage *usage = &kept->usage;
	json_t *root = json_object(), *refused = json_object();
	char *text;

	for (size_t i = 0; i < LENGTH(counters); i++)
		json_object_set_new(root, counters[i].name,
				    to_json(get(usage, counters[i].offset)));
	for (int i = 0; i < USAGE_REFUSALS; i++)
		json_object_set_new(refused, usage_refusal_name(i), to_json(usage->refused[i]));
	json_object_set_new(root, "refused", refused);
	for (size_t i = 0; i < LENGTH(histograms); i++)
		json_object_set_new(root, histograms[i].name,
				    histogram_to_json(usage, histograms[i].offset));
	if (kept->quarantine.until_s)
		json_object_set_new(root, "quarantine", quarantine_to_json(&kept->quarantine));
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

static uint64_t number(const json_t *value)
{
	return json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
}

static void histogram_from_json(const json_t *list, struct usage *usage, size_t offset)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *pair = json_array_get(list, i);
		uint64_t bucket = number(json_array_get(pair, 0));

		if (json_array_size(pair) == 2 && bucket < VGPU_HISTOGRAM_BUCKETS)
			set(usage, offset + bucket * sizeof(uint64_t),
			    number(json_array_get(pair, 1)));
	}
}

static void quarantine_from_json(const json_t *json, struct usage_quarantine *quarantine)
{
	const char *reason = json_string_value(json_object_get(json, "reason"));

	quarantine->until_s = (int64_t)number(json_object_get(json, "until_s"));
	vgpu_text_cut(quarantine->reason, sizeof(quarantine->reason), reason ? reason : "");
}

int usage_decode(const char *text, struct vm_usage *kept, struct vgpu_error **err)
{
	struct usage *usage = &kept->usage;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const json_t *refused = json_object_get(root, "refused");

	memset(usage, 0, sizeof(*usage));
	memset(&kept->quarantine, 0, sizeof(kept->quarantine));
	if (!json_is_object(root)) {
		json_decref(root);
		return vgpu_error_set(err, EILSEQ, "the kept usage of a VM is no JSON object");
	}
	for (size_t i = 0; i < LENGTH(counters); i++)
		set(usage, counters[i].offset, number(json_object_get(root, counters[i].name)));
	for (int i = 0; i < USAGE_REFUSALS; i++)
		usage->refused[i] = number(json_object_get(refused, usage_refusal_name(i)));
	for (size_t i = 0; i < LENGTH(histograms); i++)
		histogram_from_json(json_object_get(root, histograms[i].name), usage,
				    histograms[i].offset);
	quarantine_from_json(json_object_get(root, "quarantine"), &kept->quarantine);
	json_decref(root);
	return 0;
}
