/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "guest-agent/agent/agent.h"
#include "guest-agent/agent/device.h"
#include "guest-agent/agent/json.h"
#include "common/output.h"
#include "guest-agent/agent/vector.h"

#define BLOCK_THREADS 256u

/* The arguments of vadd_f32 and vadd_i32, as the kernels declare them */
struct vadd_arguments {
	vgpu_pointer a;
	vgpu_pointer b;
	vgpu_pointer sum;
	uint64_t count;
};

struct job {
	enum number_type type;
	struct vector *a;
	struct vector *b;
	void *sum;    /* NUMBER_BYTES for each element */
	bool mailbox; /* even where there are channels */
	const char *path;
	int64_t elapsed_ns;
	char gpu[64];
	char backend[16];
};

/* What the sum must be, bit by bit: IEEE 754's rounding, and int32 that wraps. */
static void add_element(enum number_type type, const char *a, const char *b, char *sum)
{
	if (type == NUMBER_F32) {
		float x, y;

		memcpy(&x, a, sizeof(x));
		memcpy(&y, b, sizeof(y));
		x += y;
		memcpy(sum, &x, sizeof(x));
	} else {
		uint32_t x, y;

		memcpy(&x, a, sizeof(x));
		memcpy(&y, b, sizeof(y));
		x += y;
		memcpy(sum, &x, sizeof(x));
	}
}

/* Returns the index of the first wrong element, or the count where all are right. */
static size_t check(const struct job *job)
{
	for (size_t i = 0; i < job->a->count; i++) {
		size_t at = i * NUMBER_BYTES;
		char right[NUMBER_BYTES];

		add_element(job->type, (const char *)job->a->elements + at,
			    (const char *)job->b->elements + at, right);
		if (memcmp(right, (const char *)job->sum + at, NUMBER_BYTES) != 0)
			return i;
	}
	return job->a->count;
}

/* Everything on the device. Its close frees what is allocated here. */
static enum vgpu_result run_on(struct device *device, struct job *job)
{
	struct vadd_arguments arguments = { .count = job->a->count };
	vgpu_pointer *const buffers[] = { &arguments.a, &arguments.b, &arguments.sum };
	const char *kernel = job->type == NUMBER_F32 ? "vadd_f32" : "vadd_i32";
	uint32_t blocks = (uint32_t)((arguments.count + BLOCK_THREADS - 1) / BLOCK_THREADS);
	size_t bytes = job->a->count * NUMBER_BYTES;
	enum vgpu_result result = VGPU_OK;

	for (size_t i = 0; result == VGPU_OK && i < 3; i++)
		result = device_alloc(device, bytes, buffers[i]);
	if (result == VGPU_OK)
		result = device_copy_in(device, arguments.a, job->a->elements, bytes);
	if (result == VGPU_OK)
		result = device_copy_in(device, arguments.b, job->b->elements, bytes);
	if (result == VGPU_OK && !agent_caught)
		result = device_run(device, kernel, blocks, BLOCK_THREADS, &arguments,
				    sizeof(arguments));
	if (result == VGPU_OK)
		result = device_copy_out(device, job->sum, arguments.sum, bytes);
	return result;
}

static enum vgpu_result run(const struct agent *agent, struct job *job)
{
	DEVICE_AUTO struct device device = { 0 };
	struct vgpu_device_info gpu;
	enum vgpu_result result;
	int64_t start;

	result = device_open(&device, agent, job->mailbox);
	if (result == VGPU_OK)
		result = device_info(&device, &gpu);
	if (result != VGPU_OK)
		return result;
	snprintf(job->gpu, sizeof(job->gpu), "%s", gpu.name);
	snprintf(job->backend, sizeof(job->backend), "%s", vgpu_backend_name(gpu.backend));
	job->path = device.channel ? "ring" : "mailbox";
	start = vgpu_now_ns();
	result = run_on(&device, job);
	job->elapsed_ns = vgpu_now_ns() - start;
	return result;
}

static void write_sum(const struct job *job, FILE *stream)
{
	char text[NUMBER_TEXT_MAX];

	for (size_t i = 0; i < job->a->count && !agent_caught; i++) {
		size_t length =
			number_format(job->type, (const char *)job->sum + i * NUMBER_BYTES, text);

		text[length++] = '\n';
		fwrite(text, 1, length, stream);
	}
}

static void report(const struct agent *agent, const struct job *job, const char *path)
{
	const char *type = job->type == NUMBER_F32 ? "f32" : "i32";
	double ms = (double)job->elapsed_ns / (double)VGPU_NS_PER_MS;
	struct json json = { .stream = stdout };

	if (agent->json) {
		json_begin(&json, NULL);
		json_unsigned(&json, "elements", job->a->count);
		json_text(&json, "type", type);
		json_bool(&json, "checked", true);
		json_text(&json, "gpu", job->gpu);
		json_text(&json, "backend", job->backend);
		json_text(&json, "path", job->path);
		json_decimal(&json, "elapsed_ms", ms, 3);
		json_text(&json, "output", path);
		json_finish(&json);
		return;
	}
	/* With the sum on standard output, the report must not be in it. */
	fprintf(strcmp(path, "-") == 0 ? stderr : stdout,
		"elements  %zu (%s)\n"
		"checked   yes, against the sum on this CPU\n"
		"GPU       %s (%s)\n"
		"elapsed   %.3f ms by the %s, copies included\n",
		job->a->count, type, job->gpu, job->backend, ms, job->path);
}

static int add_vectors(const struct agent *agent, struct job *job, const char *path)
{
	OUTPUT_AUTO struct output output = { 0 };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE void *sum = NULL;
	enum vgpu_result result;
	size_t wrong;

	sum = calloc(job->a->count, NUMBER_BYTES);
	if (!sum)
		return agent_fail(agent, EX_OSERR, "out of memory");
	job->sum = sum;
	if (output_open(&output, path, &err) != 0)
		return agent_fail_error(agent, err);
	result = run(agent, job);
	if (result != VGPU_OK)
		return agent_fail_result(agent, result);
	if (agent_caught)
		return EX_TEMPFAIL;
	wrong = check(job);
	if (wrong < job->a->count)
		return agent_fail(agent, EX_SOFTWARE,
				  "the vGPU's sum is wrong, first at element %zu", wrong + 1);
	write_sum(job, output.stream);
	if (agent_caught)
		return EX_TEMPFAIL;
	if (output_commit(&output, &err) != 0)
		return agent_fail_error(agent, err);
	report(agent, job, path);
	return EX_OK;
}

static int read_and_add(const struct agent *agent, struct job *job, char **paths,
			const char *output)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vector *a = job->a, *b = job->b;

	if (vector_read_file(paths[0], job->type, a, &err) != 0 ||
	    vector_read_file(paths[1], job->type, b, &err) != 0)
		return agent_fail_error(agent, err);
	if (a->count != b->count) {
		/* The line of the longer file that has no partner. */
		bool a_longer = a->count > b->count;

		return agent_fail(agent, EX_DATAERR,
				  "%s:%zu: the vectors differ in length: %s has %zu numbers, and "
				  "%s %zu",
				  paths[a_longer ? 0 : 1], (a_longer ? b->count : a->count) + 1,
				  paths[0], a->count, paths[1], b->count);
	}
	return add_vectors(agent, job, output);
}

static int add_run(struct agent *agent, int argc, char **argv)
{
	static const struct option options[] = {
		AGENT_LONG_OPTIONS,
		{ "output", required_argument, NULL, 'o' },
		{ "type", required_argument, NULL, 'y' },
		{ "mailbox", no_argument, NULL, 'm' },
		{ 0 },
	};
	VECTOR_AUTO struct vector a = { 0 };
	VECTOR_AUTO struct vector b = { 0 };
	struct job job = { .type = NUMBER_F32, .a = &a, .b = &b };
	const char *output = NULL;
	bool done = false;
	int option, status;

	while ((option = getopt_long(argc, argv, AGENT_SHORT_OPTIONS "o:y:m", options, NULL)) !=
	       -1) {
		if (option == 'o') {
			output = optarg;
		} else if (option == 'm') {
			job.mailbox = true;
		} else if (option != 'y') {
			status = agent_option(agent, option, &command_add, &done);
			if (done)
				return status;
		} else if (strcmp(optarg, "f32") == 0) {
			job.type = NUMBER_F32;
		} else if (strcmp(optarg, "i32") == 0) {
			job.type = NUMBER_I32;
		} else {
			return agent_fail(agent, EX_USAGE, "add: --type: '%s' is not f32 or i32",
					  optarg);
		}
	}
	if (argc - optind != 2)
		return agent_fail(agent, EX_USAGE, "add: two vectors are needed, and %d given",
				  argc - optind);
	if (!output)
		return agent_fail(agent, EX_USAGE, "add: say with --output where the sum goes");
	if (strcmp(argv[optind], "-") == 0 && strcmp(argv[optind + 1], "-") == 0)
		return agent_fail(agent, EX_USAGE,
				  "add: only one vector can be read from standard input");
	if (agent->json && strcmp(output, "-") == 0)
		return agent_fail(agent, EX_USAGE,
				  "add: --json and the sum cannot share standard output");
	agent_catch_signals();
	return agent_end(read_and_add(agent, &job, argv + optind, output));
}

const struct command command_add = {
	.name = "add",
	.summary = "add two vectors",
	.usage = "Usage: vgpu-agent add A B -o SUM [--type=TYPE] [--mailbox]\n"
		 "Adds two vectors of the same length on the vGPU, checks the result against a sum "
		 "on\n"
		 "this CPU, bit by bit, and writes it. A, B and SUM are text files with one "
		 "decimal\n"
		 "number a line; '-' is standard input or output. On any failure SUM is not "
		 "written,\n"
		 "and an older one stays as it was.\n"
		 "\n"
		 "  -o, --output=SUM           where the sum goes\n"
		 "  -y, --type=TYPE            f32 (float32, the default) or i32 (int32, wraps "
		 "around)\n"
		 "  -m, --mailbox              use the mailbox, not a channel\n",
	.run = add_run,
};
