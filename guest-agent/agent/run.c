/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "guest-agent/agent/agent.h"
#include "guest-agent/agent/json.h"
#include "common/output.h"
#include "guest-agent/agent/run_argument.h"

#define ARGUMENTS_MAX	256
#define PARAMETERS_MAX	4096u
#define IMAGE_MAX	(INT64_C(256) << 20)
#define BUFFER_BYTES	((size_t)4 << 20) /* of the window, for the files' way */
#define WINDOW_BYTES	((uint64_t)8 << 20)
#define DIMENSION_MOST	INT32_MAX
#define CUDA_INVALID	1u
#define CUDA_NO_SUPPORT 801u

struct run {
	const struct agent *agent;
	const char *module;
	const char *kernel;
	uint32_t grid[3];
	uint32_t block[3];
	uint32_t shared_bytes;
	unsigned int count;
	struct run_argument arguments[ARGUMENTS_MAX];
	/* Of each argument, where it is a file. */
	vgpu_pointer pointers[ARGUMENTS_MAX];
	int inputs[ARGUMENTS_MAX]; /* descriptors, or -1 */
	struct output outputs[ARGUMENTS_MAX];
	struct vgpu *vgpu;
	struct vgpu_channel *channel;
	vgpu_function function;
	uint8_t parameters[PARAMETERS_MAX];
	size_t parameter_bytes;
	void *buffer;
	struct vgpu_device_info gpu;
	double kernel_ms;
};

static void run_free(struct run *run)
{
	vgpu_channel_close(run->channel);
	vgpu_close(run->vgpu);
	for (unsigned int i = 0; i < run->count; i++) {
		run_argument_free(&run->arguments[i]);
		output_discard(&run->outputs[i]);
		if (run->inputs[i] >= 0)
			close(run->inputs[i]);
	}
}

#define RUN_AUTO VGPU_CLEANUP(run_free)

static int fail_file(const struct agent *agent, int status, const char *path)
{
	return agent_fail(agent, status, "%s: %s", path, strerror(errno));
}

/* All files are opened before anything is asked of the vGPU. */
static int open_file(struct run *run, unsigned int i)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct run_argument *argument = &run->arguments[i];
	struct stat status;

	if (argument->kind != RUN_OUT) {
		run->inputs[i] = open(argument->path, O_RDONLY | O_CLOEXEC);
		if (run->inputs[i] < 0 || fstat(run->inputs[i], &status) != 0)
			return fail_file(run->agent, EX_NOINPUT, argument->path);
		if (!S_ISREG(status.st_mode) || status.st_size == 0)
			return agent_fail(run->agent, EX_NOINPUT, "%s: not a file with bytes in it",
					  argument->path);
		argument->bytes = (uint64_t)status.st_size;
	}
	if (argument->kind != RUN_IN && output_open(&run->outputs[i], argument->path, &err) != 0)
		return agent_fail_error(run->agent, err);
	return EX_OK;
}

static int load_file(struct run *run, vgpu_module *module)
{
	VGPU_AUTO_CLOSE int fd = open(run->module, O_RDONLY | O_CLOEXEC);
	VGPU_AUTO_FREE char *image = NULL;
	enum vgpu_result result;
	struct stat status;
	ssize_t length = 0;

	if (fd < 0 || fstat(fd, &status) != 0)
		return fail_file(run->agent, EX_NOINPUT, run->module);
	if (!S_ISREG(status.st_mode) || status.st_size == 0 || status.st_size > IMAGE_MAX)
		return agent_fail(run->agent, EX_DATAERR,
				  "%s: not a module: it has %lld bytes, and a module 1 to %lld",
				  run->module, (long long)status.st_size, (long long)IMAGE_MAX);
	image = malloc((size_t)status.st_size);
	if (!image)
		return agent_fail(run->agent, EX_OSERR, "out of memory");
	for (off_t at = 0; at < status.st_size; at += length) {
		length = read(fd, image + at, (size_t)(status.st_size - at));
		if (length < 0)
			return fail_file(run->agent, EX_IOERR, run->module);
		if (length == 0)
			return agent_fail(run->agent, EX_IOERR, "%s: it became shorter",
					  run->module);
	}
	result = vgpu_channel_module_load(run->channel, image, (uint64_t)status.st_size, module);
	return result == VGPU_OK ? EX_OK : agent_fail_result(run->agent, result);
}

/* The window has room for an image that does not fit the library's own part, and for a buffer. */
static uint64_t window_for(const struct run *run)
{
	struct stat status;

	if (strcmp(run->module, "builtin") == 0 || stat(run->module, &status) != 0 ||
	    status.st_size > IMAGE_MAX)
		return WINDOW_BYTES;
	return WINDOW_BYTES + (uint64_t)status.st_size;
}

static int open_device(struct run *run)
{
	enum vgpu_result result;
	vgpu_module module;
	int status;

	result = agent_open(run->agent, VGPU_OPEN_OBSERVE, &run->vgpu);
	if (result == VGPU_OK)
		result = vgpu_channel_open(run->vgpu, 0, window_for(run), 0, &run->channel);
	if (result == VGPU_OK)
		result = vgpu_channel_device_info(run->channel, &run->gpu);
	if (result == VGPU_OK && strcmp(run->module, "builtin") == 0)
		result = vgpu_channel_module_builtin(run->channel, &module);
	if (result != VGPU_OK)
		return agent_fail_result(run->agent, result);
	if (strcmp(run->module, "builtin") != 0) {
		status = load_file(run, &module);
		if (status != EX_OK)
			return status;
	}
	result = vgpu_channel_module_function(run->channel, module, run->kernel, &run->function);
	if (result == VGPU_OK)
		result = vgpu_host_alloc(run->channel, BUFFER_BYTES, &run->buffer);
	return result == VGPU_OK ? EX_OK : agent_fail_result(run->agent, result);
}

static uint32_t cuda_error(void)
{
	struct vgpu_error_detail detail;

	vgpu_last_error_detail(&detail);
	return detail.cuda_error;
}

/*
 * Where the kernel has parameter i, by the kernel itself; a driver that cannot tell leaves it to
 * the rule that C compilers have. *bytes is 0 where the kernel has no such parameter.
 */
static enum vgpu_result place(struct run *run, unsigned int i, uint32_t size, uint64_t *offset,
			      uint64_t *bytes)
{
	enum vgpu_result result =
		vgpu_channel_function_parameter(run->channel, run->function, i, offset, bytes);

	if (result != VGPU_E_CUDA)
		return result;
	*bytes = 0;
	if (cuda_error() == CUDA_INVALID)
		return VGPU_OK;
	if (cuda_error() != CUDA_NO_SUPPORT)
		return result;
	*offset = (run->parameter_bytes + size - 1) / size * size;
	*bytes = i < run->count ? size : 0;
	return VGPU_OK;
}

static int lay_out_parameters(struct run *run)
{
	enum vgpu_result result;
	uint64_t offset, bytes;

	for (unsigned int i = 0; i < run->count; i++) {
		const struct run_argument *argument = &run->arguments[i];
		uint32_t size = run_argument_size(argument);

		result = place(run, i, size, &offset, &bytes);
		if (result != VGPU_OK)
			return agent_fail_result(run->agent, result);
		if (bytes == 0)
			return agent_fail(run->agent, EX_USAGE,
					  "run: %s has %u parameters, and %u are given",
					  run->kernel, i, run->count);
		if (bytes != size || offset > PARAMETERS_MAX - size)
			return agent_fail(run->agent, EX_USAGE,
					  "run: parameter %u of %s has %" PRIu64
					  " bytes, and its argument %u",
					  i + 1, run->kernel, bytes, size);
		memcpy(run->parameters + offset,
		       run_argument_is_file(argument) ? (const void *)&run->pointers[i]
						      : argument->value,
		       size);
		run->parameter_bytes = offset + size;
	}
	result = place(run, run->count, 8, &offset, &bytes);
	if (result != VGPU_OK)
		return agent_fail_result(run->agent, result);
	if (bytes)
		return agent_fail(run->agent, EX_USAGE,
				  "run: %s has more parameters than the %u that are given",
				  run->kernel, run->count);
	return EX_OK;
}

static int fill_from_file(struct run *run, unsigned int i)
{
	const struct run_argument *argument = &run->arguments[i];
	uint64_t at = 0;

	while (at < argument->bytes && !agent_caught) {
		uint64_t left = argument->bytes - at;
		ssize_t length = read(run->inputs[i], run->buffer,
				      left < BUFFER_BYTES ? left : BUFFER_BYTES);
		enum vgpu_result result;

		if (length < 0)
			return fail_file(run->agent, EX_IOERR, argument->path);
		if (length == 0)
			return agent_fail(run->agent, EX_IOERR, "%s: it became shorter",
					  argument->path);
		result = vgpu_channel_copy_to_device(run->channel, run->pointers[i] + at,
						     run->buffer, (uint64_t)length);
		if (result != VGPU_OK)
			return agent_fail_result(run->agent, result);
		at += (uint64_t)length;
	}
	return EX_OK;
}

static int write_to_file(struct run *run, unsigned int i)
{
	const struct run_argument *argument = &run->arguments[i];

	for (uint64_t at = 0; at < argument->bytes && !agent_caught;) {
		uint64_t left = argument->bytes - at;
		uint64_t length = left < BUFFER_BYTES ? left : BUFFER_BYTES;
		enum vgpu_result result = vgpu_channel_copy_from_device(
			run->channel, run->buffer, run->pointers[i] + at, length);

		if (result != VGPU_OK)
			return agent_fail_result(run->agent, result);
		if (fwrite(run->buffer, 1, length, run->outputs[i].stream) != length)
			return fail_file(run->agent, EX_IOERR, argument->path);
		at += length;
	}
	return EX_OK;
}

/* Allocates and fills the buffers; new memory reads as zero. */
static int prepare(struct run *run)
{
	for (unsigned int i = 0; i < run->count; i++) {
		enum vgpu_result result;
		int status;

		if (!run_argument_is_file(&run->arguments[i]))
			continue;
		result = vgpu_channel_mem_alloc(run->channel, run->arguments[i].bytes,
						&run->pointers[i]);
		if (result != VGPU_OK)
			return agent_fail_result(run->agent, result);
		status = run->inputs[i] < 0 ? EX_OK : fill_from_file(run, i);
		if (status != EX_OK)
			return status;
	}
	return EX_OK;
}

static int launch(struct run *run)
{
	int64_t start = vgpu_now_ns();
	enum vgpu_result result;

	result = vgpu_channel_launch(run->channel, run->function, run->grid, run->block,
				     run->shared_bytes, 0, run->parameters, run->parameter_bytes);
	if (result == VGPU_OK)
		result = vgpu_channel_synchronize(run->channel);
	run->kernel_ms = (double)(vgpu_now_ns() - start) / (double)VGPU_NS_PER_MS;
	return result == VGPU_OK ? EX_OK : agent_fail_result(run->agent, result);
}

static int store(struct run *run)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	for (unsigned int i = 0; i < run->count; i++) {
		int status = run->outputs[i].stream ? write_to_file(run, i) : EX_OK;

		if (status != EX_OK)
			return status;
	}
	/* Nothing appears before all of it is there. */
	for (unsigned int i = 0; i < run->count && !agent_caught; i++) {
		if (run->outputs[i].stream && output_commit(&run->outputs[i], &err) != 0)
			return agent_fail_error(run->agent, err);
	}
	return EX_OK;
}

static void report(const struct run *run)
{
	struct json json = { .stream = stdout };

	if (!run->agent->json) {
		fprintf(stderr, "%s on %s (%s): launched and done in %.3f ms\n", run->kernel,
			run->gpu.name, vgpu_backend_name(run->gpu.backend), run->kernel_ms);
		return;
	}
	json_begin(&json, NULL);
	json_text(&json, "kernel", run->kernel);
	json_text(&json, "gpu", run->gpu.name);
	json_text(&json, "backend", vgpu_backend_name(run->gpu.backend));
	json_decimal(&json, "kernel_ms", run->kernel_ms, 3);
	json_finish(&json);
}

static int run_kernel(struct run *run)
{
	int (*const steps[])(struct run *) = { open_device, prepare, lay_out_parameters, launch,
					       store };

	for (unsigned int i = 0; i < run->count; i++) {
		int status = run_argument_is_file(&run->arguments[i]) ? open_file(run, i) : EX_OK;

		if (status != EX_OK)
			return status;
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int status = steps[i](run);

		if (status != EX_OK)
			return status;
		if (agent_caught)
			return EX_TEMPFAIL;
	}
	report(run);
	return EX_OK;
}

static int add_argument(struct run *run, const char *text)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (run->count == ARGUMENTS_MAX)
		return agent_fail(run->agent, EX_USAGE, "run: more than %d arguments",
				  ARGUMENTS_MAX);
	if (run_argument_parse(text, &run->arguments[run->count], &err) != 0)
		return agent_fail(run->agent, EX_USAGE, "run: %s", err->message);
	run->inputs[run->count++] = -1;
	return EX_OK;
}

static int parse_dimensions(const struct agent *agent, const char *option, uint32_t dimensions[3])
{
	if (run_dimensions_parse(optarg, DIMENSION_MOST, dimensions) == 0)
		return EX_OK;
	return agent_fail(agent, EX_USAGE,
			  "run: --%s: '%s' is not X, X,Y or X,Y,Z of numbers from 1 to %d", option,
			  optarg, DIMENSION_MOST);
}

static int run_option(struct run *run, struct agent *agent, int option, bool *done)
{
	long long shared;

	switch (option) {
	case 'g':
		return parse_dimensions(agent, "grid", run->grid);
	case 'b':
		return parse_dimensions(agent, "block", run->block);
	case 'a':
		return add_argument(run, optarg);
	case 's':
		shared = agent_number(optarg, 0, INT32_MAX);
		if (shared < 0)
			return agent_fail(agent, EX_USAGE,
					  "run: --shared: '%s' is not a number of bytes", optarg);
		run->shared_bytes = (uint32_t)shared;
		return EX_OK;
	default:
		return agent_option(agent, option, &command_run, done);
	}
}

static int run_run(struct agent *agent, int argc, char **argv)
{
	static const struct option options[] = {
		AGENT_LONG_OPTIONS,
		{ "grid", required_argument, NULL, 'g' },
		{ "block", required_argument, NULL, 'b' },
		{ "shared", required_argument, NULL, 's' },
		{ "arg", required_argument, NULL, 'a' },
		{ 0 },
	};
	RUN_AUTO struct run run = { .agent = agent };
	bool done = false;
	int option;

	while ((option = getopt_long(argc, argv, AGENT_SHORT_OPTIONS "g:b:s:a:", options, NULL)) !=
	       -1) {
		int status = run_option(&run, agent, option, &done);

		if (done || status != EX_OK)
			return status;
	}
	if (argc - optind != 2)
		return agent_fail(agent, EX_USAGE,
				  "run: a module and a kernel are needed, and %d words given",
				  argc - optind);
	if (!run.grid[0] || !run.block[0])
		return agent_fail(agent, EX_USAGE, "run: --grid and --block are needed");
	run.module = argv[optind];
	run.kernel = argv[optind + 1];
	agent_catch_signals();
	return run_kernel(&run);
}

/* What run_run() had is given back before a signal's end. */
static int run_and_end(struct agent *agent, int argc, char **argv)
{
	return agent_end(run_run(agent, argc, argv));
}

const struct command command_run = {
	.name = "run",
	.summary = "run a kernel on files",
	.usage =
		"Usage: vgpu-agent run MODULE KERNEL --grid=X,Y,Z --block=X,Y,Z [--shared=BYTES]\n"
		"                      [--arg=ARGUMENT]...\n"
		"Runs a kernel once, on files. MODULE is a file with PTX, a cubin or a fatbin, or\n"
		"the word 'builtin' for the kernels that every host has. Every --arg is one of "
		"the\n"
		"kernel's parameters, in its order:\n"
		"\n"
		"  i32:N, i64:N    a whole number    f32:X, f64:X    a floating-point number\n"
		"  in:FILE         a pointer to device memory that holds the file's bytes\n"
		"  out:FILE:BYTES  a pointer to zeroed memory, written to the file afterwards\n"
		"  inout:FILE      both: the file is replaced\n"
		"\n"
		"Files are replaced when all has succeeded, and stay as they were otherwise.\n"
		"\n"
		"  -g, --grid=X,Y,Z           blocks; what is left out is 1\n"
		"  -b, --block=X,Y,Z          threads of a block; what is left out is 1\n"
		"  -s, --shared=BYTES         dynamic shared memory of a block (default: 0)\n"
		"  -a, --arg=ARGUMENT         the kernel's next parameter\n",
	.run = run_and_end,
};
