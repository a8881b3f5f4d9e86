/* SPDX-License-Identifier: Apache-2.0 */
/* GET /metrics: Prometheus' text format, version 0.0.4. */
/* Not "config.h": that is mediatord/config.h here. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include "common/uuid.h"
#include "mediatord/actions.h"
#include "mediatord/gpus/gpus.h"
#include "mediatord/histogram.h"
#include "mediatord/rest/internal.h"

/* Of the histograms' limits every eighth, which is a factor of four: 1 us to 4 s. */
#define LIMIT_STEP  8u
#define LIMIT_FIRST 1u
#define LIMIT_LAST  (LIMIT_FIRST + 11 * LIMIT_STEP)

/* All that a scrape shows of the VMs. */
struct scrape {
	struct vm_statuses statuses;
	char (*labels)[192]; /* of each VM, as vm="...",name="..." */
};

static void add_text(struct json_text *text, const char *value)
{
	json_text_add(text, value, strlen(value));
}

/* The two lines before a metric's samples. */
static void begin(struct json_text *text, const char *name, const char *type, const char *help)
{
	json_text_format(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: what could end it or the line is '_' (names are at most that hostile). */
static void escape(char *to, size_t size, const char *from)
{
	size_t length = 0;

	for (; *from && length + 1 < size; from++)
		to[length++] = *from >= 0x20 && *from < 0x7f && *from != '"' && *from != '\\'
				       ? *from
				       : '_';
	to[length] = '\0';
}

static void label(struct rest *rest, const uint8_t uuid[16], char labels[192])
{
	struct registry_vm vm;
	char text[VGPU_UUID_TEXT], name[64] = "", pool[64] = "";

	vgpu_uuid_format(uuid, text);
	if (registry_get(rest->registry, uuid, &vm, NULL) == 0) {
		escape(name, sizeof(name), vm.merged.config.name);
		escape(pool, sizeof(pool), vm.merged.config.pool);
	}
	snprintf(labels, 192, "vm=\"%s\",name=\"%s\",pool=\"%s\"", text, name, pool);
}

/* A number of each VM: an integer, or, where `scale` is not 1, that divided by it. */
struct vm_metric {
	const char *name, *type, *help, *extra; /* extra: labels beside the VM's, or "" */
	size_t offset;
	uint64_t scale;
};

#define COUNTER(name, help, extra, member, scale)                                                  \
	{                                                                                          \
		name, "counter", help, extra, offsetof(struct vm_status, usage.member), scale      \
	}
#define NS UINT64_C(1000000000)

static const struct vm_metric vm_metrics[] = {
	{ "vgpu_vm_gpu_memory_bytes", "gauge", "GPU memory that the VM holds.", "",
	  offsetof(struct vm_status, memory_used_bytes), 1 },
	{ "vgpu_vm_window_bytes", "gauge", "Rings and windows of the VM's channels.", "",
	  offsetof(struct vm_status, window_used_bytes), 1 },
	COUNTER("vgpu_vm_requests_total", "Requests and submissions that arrived.", "", requests,
		1),
	COUNTER("vgpu_vm_completed_total", "Of them, answered without an error.", "", completed, 1),
	COUNTER("vgpu_vm_failed_total", "Of them, answered with an error.", "", failed, 1),
	COUNTER("vgpu_vm_jobs_total", "Jobs that were started on a GPU.", "", jobs, 1),
	COUNTER("vgpu_vm_gpu_time_seconds_total", "Time on GPUs.", "", gpu_time_ns, NS),
	COUNTER("vgpu_vm_copied_bytes_total", "Copied by channels.", ",direction=\"in\"", bytes_in,
		1),
	COUNTER("vgpu_vm_copied_bytes_total", NULL, ",direction=\"out\"", bytes_out, 1),
	COUNTER("vgpu_vm_faults_total", "Faults that count towards a quarantine.", "", faults, 1),
	COUNTER("vgpu_vm_quarantines_total", "How often the VM was put in quarantine.", "",
		quarantines, 1),
	COUNTER("vgpu_vm_workers_lost_total", "Workers that died with a job or an allocation.", "",
		workers_lost, 1),
	COUNTER("vgpu_vm_links_refused_total", "Processes that were no device of the VM.", "",
		links_refused, 1),
};

static void add_vm_metric(struct json_text *text, const struct scrape *scrape,
			  const struct vm_metric *metric)
{
	if (metric->help)
		begin(text, metric->name, metric->type, metric->help);
	for (size_t i = 0; i < scrape->statuses.count; i++) {
		const char *status = (const char *)&scrape->statuses.vms[i].status;
		uint64_t value;

		memcpy(&value, status + metric->offset, sizeof(value));
		json_text_format(text, "%s{%s%s} ", metric->name, scrape->labels[i], metric->extra);
		if (metric->scale == 1)
			json_text_number(text, value);
		else
			json_text_format(text, "%.9f", (double)value / (double)metric->scale);
		JSON_TEXT_ADD(text, "\n");
	}
}

static void add_flags(struct json_text *text, const struct scrape *scrape)
{
	begin(text, "vgpu_vm_link_up", "gauge", "Whether the VM's device is connected.");
	for (size_t i = 0; i < scrape->statuses.count; i++)
		json_text_format(text, "vgpu_vm_link_up{%s} %d\n", scrape->labels[i],
				 scrape->statuses.vms[i].status.link_state == VGPU_LINK_UP);
	begin(text, "vgpu_vm_quarantined", "gauge", "Whether the VM is in quarantine.");
	for (size_t i = 0; i < scrape->statuses.count; i++)
		json_text_format(text, "vgpu_vm_quarantined{%s} %d\n", scrape->labels[i],
				 scrape->statuses.vms[i].status.quarantined);
	begin(text, "vgpu_vm_channels", "gauge", "Channels that the VM's device has.");
	for (size_t i = 0; i < scrape->statuses.count; i++)
		json_text_format(text, "vgpu_vm_channels{%s} %u\n", scrape->labels[i],
				 scrape->statuses.vms[i].status.channel_count);
	begin(text, "vgpu_vm_refused_total", "counter", "Requests and channels that were refused.");
	for (size_t i = 0; i < scrape->statuses.count; i++)
		for (unsigned int reason = 0; reason < USAGE_REFUSALS; reason++)
			json_text_format(text,
					 "vgpu_vm_refused_total{%s,reason=\"%s\"} %" PRIu64 "\n",
					 scrape->labels[i], usage_refusal_name(reason),
					 scrape->statuses.vms[i].status.usage.refused[reason]);
}

static void add_histogram(struct json_text *text, const char *name, const char *labels,
			  const uint64_t counts[VGPU_HISTOGRAM_BUCKETS], uint64_t sum_ns)
{
	uint64_t total = 0;
	unsigned int bucket = 0;

	for (unsigned int limit = LIMIT_FIRST; limit <= LIMIT_LAST; limit += LIMIT_STEP) {
		for (; bucket < limit; bucket++)
			total += counts[bucket];
		json_text_format(text, "%s_bucket{%s,le=\"%.9g\"} %" PRIu64 "\n", name, labels,
				 (double)histogram_start(limit) / 1e9, total);
	}
	for (; bucket < VGPU_HISTOGRAM_BUCKETS; bucket++)
		total += counts[bucket];
	json_text_format(text, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, labels, total);
	json_text_format(text, "%s_sum{%s} %.9f\n%s_count{%s} %" PRIu64 "\n", name, labels,
			 (double)sum_ns / 1e9, name, labels, total);
}

/* The histograms of what jobs did, of each VM and of each GPU. */
static const struct {
	const char *name, *help;
	size_t counts, sum_ns;
} histograms[] = {
	{ "job_queue_seconds", "How long jobs waited for a GPU.",
	  offsetof(struct usage, queue_times), offsetof(struct usage, queue_ns) },
	{ "job_run_seconds", "How long jobs were on a GPU.", offsetof(struct usage, run_times),
	  offsetof(struct usage, run_ns) },
	{ "job_total_seconds", "From a job's arrival to its end.",
	  offsetof(struct usage, total_times), offsetof(struct usage, total_ns) },
};
#define HISTOGRAMS (sizeof(histograms) / sizeof(*histograms))

static void add_usage(struct json_text *text, const char *name, size_t histogram,
		      const char *labels, const struct usage *usage)
{
	const char *bytes = (const char *)usage;
	uint64_t counts[VGPU_HISTOGRAM_BUCKETS], sum_ns;

	memcpy(counts, bytes + histograms[histogram].counts, sizeof(counts));
	memcpy(&sum_ns, bytes + histograms[histogram].sum_ns, sizeof(sum_ns));
	add_histogram(text, name, labels, counts, sum_ns);
}

static void add_vm_histograms(struct json_text *text, const struct scrape *scrape)
{
	char name[64];

	for (size_t h = 0; h < HISTOGRAMS; h++) {
		snprintf(name, sizeof(name), "vgpu_vm_%s", histograms[h].name);
		begin(text, name, "histogram", histograms[h].help);
		for (size_t i = 0; i < scrape->statuses.count; i++)
			add_usage(text, name, h, scrape->labels[i],
				  &scrape->statuses.vms[i].status.usage);
	}
}

/* A GPU's are of the time since the mediator was started: no database has them. */
static void add_gpu_histograms(struct json_text *text, struct rest *rest)
{
	VGPU_AUTO_FREE struct pool_gpu *gpus = NULL;
	char name[64], labels[96];
	size_t count = 0;

	for (size_t i = 0; i < rest->config->pool_count; i++)
		count += rest->config->pools[i].gpu_count;
	gpus = calloc(count + 1, sizeof(*gpus));
	if (!gpus || action_gpus(rest->control, gpus, count, NULL) < 0) {
		text->failed = true;
		return;
	}
	for (size_t h = 0; h < HISTOGRAMS; h++) {
		snprintf(name, sizeof(name), "vgpu_gpu_%s", histograms[h].name);
		begin(text, name, "histogram", histograms[h].help);
		for (size_t i = 0; i < count; i++) {
			snprintf(labels, sizeof(labels), "gpu=\"%u\",pool=\"%s\"", gpus[i].index,
				 rest->config->pools[gpus[i].pool].name);
			add_usage(text, name, h, labels, &gpus[i].usage);
		}
	}
}

static void add_pools(struct json_text *text, struct rest *rest)
{
	static const struct {
		const char *name, *help;
		size_t offset;
	} metrics[] = {
		{ "vgpu_pool_memory_bytes", "Memory of the pool's GPUs; 0: not known.",
		  offsetof(struct pool_use, memory_bytes) },
		{ "vgpu_pool_limit_bytes", "What may be promised of it; 0: no limit.",
		  offsetof(struct pool_use, limit_bytes) },
		{ "vgpu_pool_committed_bytes", "What is promised: quotas and contexts.",
		  offsetof(struct pool_use, committed_bytes) },
	};
	size_t count = rest->config->pool_count;
	VGPU_AUTO_FREE struct pool_use *uses = calloc(count, sizeof(*uses));

	if (!uses || action_pools(rest->control, uses, count, NULL) < 0) {
		text->failed = true;
		return;
	}
	for (size_t m = 0; m < sizeof(metrics) / sizeof(*metrics); m++) {
		begin(text, metrics[m].name, "gauge", metrics[m].help);
		for (size_t i = 0; i < count; i++) {
			uint64_t value;

			memcpy(&value, (const char *)&uses[i] + metrics[m].offset, sizeof(value));
			json_text_format(text, "%s{pool=\"%s\"} %" PRIu64 "\n", metrics[m].name,
					 rest->config->pools[i].name, value);
		}
	}
	begin(text, "vgpu_pool_vms", "gauge", "VMs of the pool.");
	for (size_t i = 0; i < count; i++)
		json_text_format(text, "vgpu_pool_vms{pool=\"%s\"} %u\n",
				 rest->config->pools[i].name, uses[i].vms);
}

/* One number of each GPU whose driver says it. */
static void add_gpu_metric(struct json_text *text, const struct gpu_report *report,
			   const char *name, const char *help,
			   bool (*value)(const struct gpu *gpu, double *number))
{
	double number;

	begin(text, name, "gauge", help);
	for (size_t i = 0; i < report->count; i++)
		if (value(&report->gpus[i], &number))
			json_text_format(text, "%s{gpu=\"%u\"} %.15g\n", name,
					 report->gpus[i].index, number);
}

static bool gpu_up(const struct gpu *gpu, double *number)
{
	*number = gpu->state == GPU_OK;
	return true;
}

static bool gpu_memory(const struct gpu *gpu, double *number)
{
	*number = (double)gpu->memory_bytes;
	return gpu->memory_bytes;
}

static bool gpu_memory_used(const struct gpu *gpu, double *number)
{
	*number = (double)gpu->memory_used_bytes;
	return gpu->memory_bytes;
}

static bool gpu_utilization(const struct gpu *gpu, double *number)
{
	*number = gpu->utilization_percent / 100.0;
	return gpu->utilization_percent >= 0;
}

static bool gpu_temperature(const struct gpu *gpu, double *number)
{
	*number = gpu->temperature_celsius;
	return gpu->temperature_celsius >= 0;
}

static bool gpu_power(const struct gpu *gpu, double *number)
{
	*number = (double)gpu->power_milliwatts / 1000;
	return gpu->power_milliwatts >= 0;
}

static void add_gpus(struct json_text *text, const struct gpu_report *report)
{
	add_gpu_metric(text, report, "vgpu_gpu_up", "Whether the GPU works.", gpu_up);
	add_gpu_metric(text, report, "vgpu_gpu_memory_bytes", "Memory of the GPU.", gpu_memory);
	add_gpu_metric(text, report, "vgpu_gpu_memory_used_bytes", "Of that, in use by anybody.",
		       gpu_memory_used);
	add_gpu_metric(text, report, "vgpu_gpu_utilization_ratio",
		       "Part of the time in which a kernel ran.", gpu_utilization);
	add_gpu_metric(text, report, "vgpu_gpu_temperature_celsius", "Temperature.",
		       gpu_temperature);
	add_gpu_metric(text, report, "vgpu_gpu_power_watts", "Power that is drawn.", gpu_power);
}

void rest_metrics(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	VGPU_AUTO_FREE struct gpu_report *report = gpus_snapshot(rest->parts.gpus);
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct json_text text = { .length = 0 };
	struct scrape scrape;

	(void)request;
	if (action_statuses(rest->control, &scrape.statuses, &err) < 0) {
		rest_problem(reply, MHD_HTTP_SERVICE_UNAVAILABLE, err->message, "");
		return;
	}
	scrape.labels = calloc(scrape.statuses.count + 1, sizeof(*scrape.labels));
	text.failed = !scrape.labels || !report;
	if (!text.failed) {
		for (size_t i = 0; i < scrape.statuses.count; i++)
			label(rest, scrape.statuses.vms[i].uuid, scrape.labels[i]);
		begin(&text, "vgpu_build_info", "gauge", "The mediator's version.");
		add_text(&text, "vgpu_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
		begin(&text, "vgpu_vms", "gauge", "VMs that are in force.");
		json_text_format(&text, "vgpu_vms %zu\n", scrape.statuses.count);
		for (size_t i = 0; i < sizeof(vm_metrics) / sizeof(*vm_metrics); i++)
			add_vm_metric(&text, &scrape, &vm_metrics[i]);
		add_flags(&text, &scrape);
		add_vm_histograms(&text, &scrape);
		add_pools(&text, rest);
		add_gpus(&text, report);
		add_gpu_histograms(&text, rest);
	}
	free(scrape.labels);
	statuses_free(&scrape.statuses);
	reply->status = MHD_HTTP_OK;
	reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
	rest_text(reply, &text);
}
