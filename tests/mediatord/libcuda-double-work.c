/* SPDX-License-Identifier: Apache-2.0 */
/* The double's modules, kernels, streams and events. */
#include <elf.h>

#include "tests/mediatord/libcuda-double-private.h"

/* One parameter of a kernel's declaration: ".param .u64 NAME". */
static void add_parameter(struct cuda_function_tag *function, const char *type)
{
	size_t bytes = (size_t)strtoul(type + 2, NULL, 10) / 8, end = 0;

	if (function->count)
		end = function->offset[function->count - 1] + function->bytes[function->count - 1];
	if (!bytes || function->count == PARAMETERS_MAX)
		return;
	function->offset[function->count] = (end + bytes - 1) / bytes * bytes;
	function->bytes[function->count++] = bytes;
}

/* The kernels that PTX declares. */
static void read_functions(struct object *module, const char *text)
{
	while ((text = strstr(text, ".entry "))) {
		struct cuda_function_tag *function = calloc(1, sizeof(*function));
		size_t length = strcspn(text += 7, "( ");
		const char *end = strchr(text, ')');

		if (!function)
			abort();
		if (length < sizeof(function->name))
			memcpy(function->name, text, length);
		for (const char *at = strstr(text, ".param ."); at && end && at < end;
		     at = strstr(at + 1, ".param ."))
			add_parameter(function, at + 7);
		function->next = module->functions;
		module->functions = function;
	}
}

/* A function that the driver has, for kernels to call. */
#define DRIVER_FUNCTION "vprintf"

/*
 * What the double makes of PTX: an ELF file with the text, variables that take no room in it, and
 * one symbol, which has no name where the text does not call the driver's function.
 */
struct double_cubin {
	Elf64_Ehdr header;
	Elf64_Shdr sections[5];
	Elf64_Sym symbol;
	char names[sizeof(DRIVER_FUNCTION) + 1];
	char text[];
};

static struct double_cubin *compile(const char *text, size_t *bytes)
{
	const size_t length = strlen(text) + 1;
	struct double_cubin *cubin = calloc(1, sizeof(*cubin) + length);

	if (!cubin)
		abort();
	memcpy(cubin->header.e_ident, ELFMAG, SELFMAG);
	cubin->header.e_ident[EI_CLASS] = ELFCLASS64;
	cubin->header.e_ident[EI_DATA] = ELFDATA2LSB;
	cubin->header.e_type = ET_EXEC;
	cubin->header.e_machine = EM_CUDA;
	cubin->header.e_shoff = offsetof(struct double_cubin, sections);
	cubin->header.e_shentsize = sizeof(Elf64_Shdr);
	cubin->header.e_shnum = 5;
	cubin->sections[1] = (Elf64_Shdr){ .sh_type = SHT_PROGBITS,
					   .sh_offset = offsetof(struct double_cubin, text),
					   .sh_size = length };
	cubin->sections[2] = (Elf64_Shdr){ .sh_type = SHT_NOBITS,
					   .sh_flags = SHF_ALLOC | SHF_WRITE,
					   .sh_size = control.module_bytes };
	cubin->sections[3] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
					   .sh_offset = offsetof(struct double_cubin, symbol),
					   .sh_size = sizeof(cubin->symbol),
					   .sh_link = 4,
					   .sh_entsize = sizeof(cubin->symbol) };
	cubin->sections[4] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
					   .sh_offset = offsetof(struct double_cubin, names),
					   .sh_size = sizeof(cubin->names) };
	strcpy(cubin->names + 1, DRIVER_FUNCTION);
	cubin->symbol.st_name = strstr(text, DRIVER_FUNCTION) ? 1 : 0;
	memcpy(cubin->text, text, length);
	*bytes = sizeof(*cubin) + length;
	return cubin;
}

struct cuda_link_tag {
	struct double_cubin *cubin;
	size_t bytes;
	char *log;
	size_t log_bytes;
};

cuda_error cuLinkCreate_v2(unsigned int option_count, cuda_jit_option *options, void **values,
			   cuda_link_state *state)
{
	ENTER_CONTEXT();
	*state = calloc(1, sizeof(**state));
	if (!*state)
		abort();
	for (unsigned int i = 0; i + 1 < option_count; i++)
		if (options[i] == CUDA_JIT_ERROR_LOG_BUFFER) {
			(*state)->log = values[i];
			(*state)->log_bytes = (size_t)(uintptr_t)values[i + 1];
		}
	control.links++;
	return CUDA_ERROR_NONE;
}

cuda_error cuLinkAddData_v2(cuda_link_state state, cuda_jit_input type, void *data, size_t bytes,
			    const char *name, unsigned int option_count, cuda_jit_option *options,
			    void **values)
{
	const char *text = data;

	ENTER_CONTEXT();
	(void)name;
	(void)option_count;
	(void)options;
	(void)values;
	/* A fatbin's own header, its member's, and the member's text. */
	if (type == CUDA_JIT_INPUT_FATBINARY)
		text += 16 + 64;
	else if (strlen(text) + 1 != bytes)
		return CUDA_ERROR_INVALID_VALUE;
	if (!strstr(text, ".target")) {
		snprintf(state->log, state->log_bytes,
			 "the double compiles no such thing\nsecond line\n");
		return CUDA_ERROR_INVALID_IMAGE;
	}
	state->cubin = compile(text, &state->bytes);
	return CUDA_ERROR_NONE;
}

cuda_error cuLinkComplete(cuda_link_state state, void **cubin, size_t *bytes)
{
	ENTER_CONTEXT();
	if (control.allowed && __atomic_load_n(control.allowed, __ATOMIC_ACQUIRE))
		control.held_up++;
	*cubin = state->cubin;
	*bytes = state->bytes;
	return state->cubin ? CUDA_ERROR_NONE : CUDA_ERROR_INVALID_VALUE;
}

cuda_error cuLinkDestroy(cuda_link_state state)
{
	cuda_error error = enter(__func__, true);

	free(state->cubin);
	free(state);
	control.links--;
	return error;
}

/* Cubins alone: what else a tenant sends is compiled before. */
cuda_error cuModuleLoadDataEx(cuda_module *module, const void *image, unsigned int option_count,
			      cuda_jit_option *options, void **values)
{
	const struct double_cubin *cubin = image;
	struct object *object;

	ENTER_CONTEXT();
	(void)option_count;
	(void)options;
	(void)values;
	if (control.fail_module_load)
		return control.fail_module_load;
	if (memcmp(image, ELFMAG, SELFMAG) != 0)
		return CUDA_ERROR_INVALID_IMAGE;
	object = object_new(MODULE);
	for (uint16_t i = 0; i < cubin->header.e_shnum; i++)
		if (cubin->sections[i].sh_type == SHT_NOBITS)
			object->bytes += blocks_of(cubin->sections[i].sh_size);
	control.memory += object->bytes;
	if (cubin->header.e_shoff == offsetof(struct double_cubin, sections))
		read_functions(object, cubin->text);
	*module = (cuda_module)(void *)object;
	return CUDA_ERROR_NONE;
}

cuda_error cuModuleUnload(cuda_module module)
{
	struct object *object;

	ENTER_CONTEXT();
	object = object_take(MODULE, module);
	if (!object)
		return CUDA_ERROR_INVALID_HANDLE;
	object_free(object);
	return CUDA_ERROR_NONE;
}

cuda_error cuModuleGetFunction(cuda_function *function, cuda_module module, const char *name)
{
	const struct object *object;

	ENTER_CONTEXT();
	object = find(MODULE, module);
	if (!object)
		return CUDA_ERROR_INVALID_HANDLE;
	for (*function = object->functions; *function; *function = (*function)->next)
		if (strcmp((*function)->name, name) == 0)
			return CUDA_ERROR_NONE;
	return CUDA_ERROR_NOT_FOUND;
}

cuda_error cuModuleGetGlobal_v2(cuda_pointer *pointer, size_t *bytes, cuda_module module,
				const char *name)
{
	static uint32_t global[16];

	ENTER_CONTEXT();
	if (!find(MODULE, module))
		return CUDA_ERROR_INVALID_HANDLE;
	if (strcmp(name, "double_global") != 0)
		return CUDA_ERROR_NOT_FOUND;
	*pointer = (uintptr_t)global;
	*bytes = sizeof(global);
	return CUDA_ERROR_NONE;
}

cuda_error cuFuncGetAttribute(int *value, cuda_function_attribute attribute, cuda_function function)
{
	ENTER_CONTEXT();
	(void)function;
	*value = attribute == CUDA_FUNCTION_LOCAL_SIZE_BYTES ? (int)control.local_bytes : 1024;
	return CUDA_ERROR_NONE;
}

cuda_error cuFuncSetAttribute(cuda_function function, cuda_function_attribute attribute, int value)
{
	ENTER_CONTEXT();
	(void)function;
	(void)attribute;
	return value < 0 ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_NONE;
}

cuda_error cuFuncGetParamInfo(cuda_function function, size_t index, size_t *offset, size_t *bytes)
{
	ENTER_CONTEXT();
	if (index >= function->count)
		return CUDA_ERROR_INVALID_VALUE;
	*offset = function->offset[index];
	*bytes = function->bytes[index];
	return CUDA_ERROR_NONE;
}

/* Two of the built-in kernels; what else a module declares does nothing. */
static cuda_error run(const struct cuda_function_tag *function, const uint64_t *arguments,
		      uint64_t threads)
{
	bool integers = strcmp(function->name, "vadd_i32") == 0;
	uint64_t count = arguments[3] < threads ? arguments[3] : threads;
	uint8_t *operands[3];

	for (size_t i = 0; i < 3; i++) {
		operands[i] = device(arguments[i], count * 4);
		if (count && !operands[i]) {
			sticky_error = CUDA_ERROR_ILLEGAL_ADDRESS; /* found by what comes next */
			return CUDA_ERROR_NONE;
		}
	}
	for (uint64_t i = 0; i < count; i++) {
		uint32_t words[2], sum;
		float numbers[2];

		memcpy(&words[0], operands[0] + 4 * i, 4);
		memcpy(&words[1], operands[1] + 4 * i, 4);
		memcpy(numbers, words, 8);
		numbers[0] += numbers[1];
		sum = words[0] + words[1];
		memcpy(operands[2] + 4 * i, integers ? (const void *)&sum : numbers, 4);
	}
	return CUDA_ERROR_NONE;
}

/* A product takes so long for each of its inner dimension, whatever its others are. */
static uint64_t product_ns(const struct cuda_function_tag *function, const uint64_t *arguments)
{
	const char *ns = getenv(DOUBLE_PRODUCT_NS);
	uint32_t dimensions[3];

	if (!ns || strcmp(function->name, "matmul_f32") != 0)
		return 0;
	memcpy(dimensions, arguments + 3, sizeof(dimensions));
	return dimensions[2] * strtoull(ns, NULL, 10);
}

cuda_error cuLaunchKernel(cuda_function function, unsigned int grid_x, unsigned int grid_y,
			  unsigned int grid_z, unsigned int block_x, unsigned int block_y,
			  unsigned int block_z, unsigned int shared_bytes, cuda_stream stream,
			  void **parameters, void **extra)
{
	uint64_t arguments[512] = { 0 };
	cuda_error error;

	ENTER_CONTEXT();
	if (!grid_x || !grid_y || !grid_z || !block_x || !block_y || !block_z || parameters ||
	    (uint64_t)block_x * block_y * block_z > 1024 || shared_bytes > 49152)
		return CUDA_ERROR_INVALID_VALUE;
	if (extra) {
		size_t bytes = *(size_t *)extra[3];

		if (extra[0] != CUDA_LAUNCH_PARAM_BUFFER_POINTER ||
		    extra[2] != CUDA_LAUNCH_PARAM_BUFFER_SIZE || extra[4] || bytes > 4096)
			return CUDA_ERROR_INVALID_VALUE;
		memcpy(arguments, extra[1], bytes);
	}
	error = start_work(stream, control.launch_ns + product_ns(function, arguments));
	if (!error && strncmp(function->name, "vadd_", 5) == 0)
		error = run(function, arguments, (uint64_t)grid_x * block_x);
	return error;
}

cuda_error cuStreamCreateWithPriority(cuda_stream *stream, unsigned int flags, int priority)
{
	ENTER_CONTEXT();
	(void)priority;
	if (flags > CUDA_STREAM_NON_BLOCKING)
		return CUDA_ERROR_INVALID_VALUE;
	*stream = (cuda_stream)(void *)object_new(STREAM);
	return CUDA_ERROR_NONE;
}

cuda_error cuStreamDestroy_v2(cuda_stream stream)
{
	struct object *object;

	ENTER_CONTEXT();
	object = object_take(STREAM, stream);
	if (!object)
		return CUDA_ERROR_INVALID_HANDLE;
	object_free(object);
	return CUDA_ERROR_NONE;
}

cuda_error cuStreamQuery(cuda_stream stream)
{
	struct object *object;

	ENTER_CONTEXT();
	object = stream_find(stream);
	if (!object)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!object->busy)
		return not_done(object->done_ns) ? CUDA_ERROR_NOT_READY : CUDA_ERROR_NONE;
	object->busy--;
	return CUDA_ERROR_NOT_READY;
}

cuda_error cuStreamSynchronize(cuda_stream stream)
{
	struct object *object;

	ENTER_CONTEXT();
	object = stream_find(stream);
	if (!object)
		return CUDA_ERROR_INVALID_HANDLE;
	object->busy = 0;
	wait_until_done(object->done_ns);
	return CUDA_ERROR_NONE;
}

cuda_error cuStreamWaitEvent(cuda_stream stream, cuda_event event, unsigned int flags)
{
	ENTER_CONTEXT();
	return flags || !stream_find(stream) || !find(EVENT, event) ? CUDA_ERROR_INVALID_HANDLE
								    : CUDA_ERROR_NONE;
}

cuda_error cuEventCreate(cuda_event *event, unsigned int flags)
{
	ENTER_CONTEXT();
	if (flags > 3)
		return CUDA_ERROR_INVALID_VALUE;
	*event = (cuda_event)(void *)object_new(EVENT);
	return CUDA_ERROR_NONE;
}

cuda_error cuEventDestroy_v2(cuda_event event)
{
	struct object *object;

	ENTER_CONTEXT();
	object = object_take(EVENT, event);
	if (!object)
		return CUDA_ERROR_INVALID_HANDLE;
	object_free(object);
	return CUDA_ERROR_NONE;
}

cuda_error cuEventRecord(cuda_event event, cuda_stream stream)
{
	struct object *object;

	ENTER_CONTEXT();
	object = find(EVENT, event);
	if (!object || !stream_find(stream))
		return CUDA_ERROR_INVALID_HANDLE;
	clock_gettime(CLOCK_MONOTONIC, &object->at);
	object->recorded = true;
	object->done_ns = stream_find(stream)->done_ns;
	return CUDA_ERROR_NONE;
}

cuda_error cuEventQuery(cuda_event event)
{
	const struct object *object;

	ENTER_CONTEXT();
	object = find(EVENT, event);
	if (!object)
		return CUDA_ERROR_INVALID_HANDLE;
	return not_done(object->done_ns) ? CUDA_ERROR_NOT_READY : CUDA_ERROR_NONE;
}

cuda_error cuEventElapsedTime(float *milliseconds, cuda_event start, cuda_event end)
{
	const struct object *from, *to;

	ENTER_CONTEXT();
	from = find(EVENT, start);
	to = find(EVENT, end);
	if (!from || !to || !from->recorded || !to->recorded)
		return CUDA_ERROR_INVALID_HANDLE;
	*milliseconds = (float)(to->at.tv_sec - from->at.tv_sec) * 1e3f +
			(float)(to->at.tv_nsec - from->at.tv_nsec) / 1e6f;
	return CUDA_ERROR_NONE;
}
