/* SPDX-License-Identifier: Apache-2.0 */
/* The only check of a submission: every reason to refuse one is named here. */
#include <string.h>

#include "common/bytes.h"
#include "mediatord/worker/channel.h"

/* CUDA's limits for a grid, the same on every GPU since compute capability 3.0. */
#define GRID_X_MAX	  0x7fffffffu
#define GRID_YZ_MAX	  65535u
#define STREAM_FLAGS_MASK 1u /* CU_STREAM_NON_BLOCKING */
#define EVENT_FLAGS_MASK  3u /* CU_EVENT_BLOCKING_SYNC, CU_EVENT_DISABLE_TIMING */

struct check {
	const struct channel *channel;
	uint64_t argument[6];
	struct channel_request *request;
	const char *reason;
};

static cuda_error refuse(struct check *check, cuda_error error, const char *reason)
{
	check->reason = reason;
	return error;
}

static cuda_error check_none(struct check *check)
{
	(void)check;
	return CUDA_ERROR_NONE;
}

static cuda_error check_handle(struct check *check, enum handle_kind kind, uint64_t number)
{
	static const char *const reasons[HANDLE_KINDS] = {
		[HANDLE_MODULE] = "no module has this number",
		[HANDLE_FUNCTION] = "no function has this number",
		[HANDLE_STREAM] = "no stream has this number",
		[HANDLE_EVENT] = "no event has this number",
	};
	struct handle *handle = handle_find(&check->channel->handles[kind], number);

	if (!handle)
		return refuse(check, CUDA_ERROR_INVALID_HANDLE, reasons[kind]);
	check->request->handle = handle;
	check->request->number = (uint32_t)number;
	check->request->object = handle->object;
	return CUDA_ERROR_NONE;
}

/* A stream that work goes to: *stream is the backend's. 0 is the default stream. */
static cuda_error check_stream(struct check *check, uint64_t number, uint64_t *stream)
{
	const struct handle *handle;

	*stream = 0;
	if (number == 0)
		return CUDA_ERROR_NONE;
	handle = handle_find(&check->channel->handles[HANDLE_STREAM], number);
	if (!handle)
		return refuse(check, CUDA_ERROR_INVALID_HANDLE, "no stream has this number");
	*stream = handle->object;
	return CUDA_ERROR_NONE;
}

static cuda_error check_event(struct check *check, uint64_t number, uint64_t *event)
{
	const struct handle *handle = handle_find(&check->channel->handles[HANDLE_EVENT], number);

	if (!handle)
		return refuse(check, CUDA_ERROR_INVALID_HANDLE, "no event has this number");
	*event = handle->object;
	return CUDA_ERROR_NONE;
}

static cuda_error check_window(struct check *check, uint64_t offset, uint64_t bytes)
{
	if (!vgpu_range_ok(offset, bytes, check->channel->window_bytes))
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "not within the window");
	check->request->window = check->channel->window + offset;
	check->request->bytes = bytes;
	return CUDA_ERROR_NONE;
}

static cuda_error check_device(struct check *check, uint64_t pointer, uint64_t bytes)
{
	if (!allocation_containing(&check->channel->allocations, pointer, bytes))
		return refuse(check, CUDA_ERROR_INVALID_VALUE,
			      "not within one allocation of this channel");
	return CUDA_ERROR_NONE;
}

static cuda_error check_device_info(struct check *check)
{
	if (check->argument[1] == 0)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "no room for the record");
	return check_window(check, check->argument[0], check->argument[1]);
}

static cuda_error check_attribute(struct check *check, uint64_t attribute)
{
	if (attribute > INT32_MAX)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "no attribute has this number");
	check->request->attribute = (uint32_t)attribute;
	return CUDA_ERROR_NONE;
}

static cuda_error check_device_attribute(struct check *check)
{
	return check_attribute(check, check->argument[0]);
}

static cuda_error check_alloc(struct check *check)
{
	if (check->argument[0] == 0)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "an allocation of 0 bytes");
	check->request->bytes = check->argument[0];
	return CUDA_ERROR_NONE;
}

static cuda_error check_free(struct check *check)
{
	uint64_t pointer = check->argument[0];
	struct allocation *allocation =
		allocation_overlapping(&check->channel->allocations, pointer, 1);

	if (!allocation || allocation->start != pointer || allocation->module)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "no allocation begins there");
	check->request->allocation = allocation;
	check->request->pointer = pointer;
	return CUDA_ERROR_NONE;
}

static cuda_error check_mem_set(struct check *check)
{
	struct channel_request *request = check->request;
	uint64_t value = check->argument[1], width = check->argument[3];
	cuda_error error;

	request->pointer = check->argument[0];
	request->count = check->argument[2];
	if (width != 1 && width != 2 && width != 4)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "a width that is not 1, 2 or 4");
	if (value >> (8 * width))
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "a value wider than its width");
	if (request->pointer % width != 0)
		return refuse(check, CUDA_ERROR_INVALID_VALUE,
			      "a pointer that is not a multiple of the width");
	if (request->count > UINT64_MAX / width)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "more than any allocation");
	request->set_value = (uint32_t)value;
	request->width = (uint32_t)width;
	request->bytes = request->count * width;
	error = check_stream(check, check->argument[4], &request->stream);
	if (error)
		return error;
	request->nothing = request->bytes == 0;
	return request->nothing ? CUDA_ERROR_NONE
				: check_device(check, request->pointer, request->bytes);
}

/* Between window and device, each way. */
static cuda_error check_host_copy(struct check *check, uint64_t pointer, uint64_t offset)
{
	struct channel_request *request = check->request;
	cuda_error error = check_stream(check, check->argument[3], &request->stream);

	if (!error)
		error = check_window(check, offset, check->argument[2]);
	request->pointer = pointer;
	request->nothing = check->argument[2] == 0;
	if (error || request->nothing)
		return error;
	return check_device(check, pointer, request->bytes);
}

static cuda_error check_htod(struct check *check)
{
	return check_host_copy(check, check->argument[0], check->argument[1]);
}

static cuda_error check_dtoh(struct check *check)
{
	return check_host_copy(check, check->argument[1], check->argument[0]);
}

static cuda_error check_dtod(struct check *check)
{
	struct channel_request *request = check->request;
	cuda_error error = check_stream(check, check->argument[3], &request->stream);

	request->pointer = check->argument[0];
	request->source = check->argument[1];
	request->bytes = check->argument[2];
	request->nothing = request->bytes == 0;
	if (error || request->nothing)
		return error;
	error = check_device(check, request->pointer, request->bytes);
	if (!error)
		error = check_device(check, request->source, request->bytes);
	return error;
}

static cuda_error check_module_load(struct check *check)
{
	if (check->argument[1] == 0)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "an image of 0 bytes");
	if (check->argument[1] > CHANNEL_IMAGE_MAX)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "an image of more than 256 MiB");
	return check_window(check, check->argument[0], check->argument[1]);
}

static cuda_error check_module(struct check *check)
{
	return check_handle(check, HANDLE_MODULE, check->argument[0]);
}

/* A module, and a name in the window; what the name says is looked at when it was copied. */
static cuda_error check_module_name(struct check *check)
{
	cuda_error error = check_module(check);

	if (error)
		return error;
	if (check->argument[2] == 0 || check->argument[2] > CHANNEL_NAME_MAX)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "a name must have 1 to 4096 bytes");
	return check_window(check, check->argument[1], check->argument[2]);
}

static cuda_error check_function_attribute(struct check *check)
{
	cuda_error error = check_handle(check, HANDLE_FUNCTION, check->argument[0]);

	return error ? error : check_attribute(check, check->argument[1]);
}

/* A 32-bit signed value, whose upper half may be 0 or its sign. */
static cuda_error check_int32(struct check *check, uint64_t value, const char *reason)
{
	if ((int64_t)value < INT32_MIN || (int64_t)value > UINT32_MAX)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, reason);
	check->request->value = (int32_t)(uint32_t)value;
	return CUDA_ERROR_NONE;
}

static cuda_error check_function_set_attribute(struct check *check)
{
	cuda_error error = check_function_attribute(check);

	return error ? error : check_int32(check, check->argument[2], "a value beyond 32 bits");
}

static cuda_error check_function_parameter(struct check *check)
{
	cuda_error error = check_handle(check, HANDLE_FUNCTION, check->argument[0]);

	if (error)
		return error;
	if (check->argument[1] > UINT32_MAX)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "no parameter has this index");
	check->request->index = (uint32_t)check->argument[1];
	return CUDA_ERROR_NONE;
}

static void load_launch(const uint64_t *argument, struct vgpu_launch *launch)
{
	memcpy(launch, argument, sizeof(*launch));
	launch->function = le32toh(launch->function);
	launch->stream = le32toh(launch->stream);
	for (int i = 0; i < 3; i++) {
		launch->grid[i] = le32toh(launch->grid[i]);
		launch->block[i] = le16toh(launch->block[i]);
	}
	launch->parameter_bytes = le16toh(launch->parameter_bytes);
	launch->shared_bytes = le32toh(launch->shared_bytes);
	launch->parameters = le64toh(launch->parameters);
}

static cuda_error check_dimensions(struct check *check, const struct vgpu_launch *launch)
{
	uint64_t threads = 1;

	for (int i = 0; i < 3; i++) {
		if (launch->grid[i] == 0)
			return refuse(check, CUDA_ERROR_INVALID_VALUE, "a grid of 0 blocks");
		if (launch->block[i] == 0)
			return refuse(check, CUDA_ERROR_INVALID_VALUE, "a block of 0 threads");
		if (launch->grid[i] > (i == 0 ? GRID_X_MAX : GRID_YZ_MAX))
			return refuse(check, CUDA_ERROR_INVALID_VALUE, "a grid beyond the limits");
		threads *= launch->block[i];
	}
	if (threads > check->channel->backend->info.max_threads_per_block)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "too many threads in a block");
	return CUDA_ERROR_NONE;
}

static cuda_error check_launch(struct check *check, const struct vgpu_submission *submission)
{
	struct channel_request *request = check->request;
	struct vgpu_launch *launch = &request->launch;
	cuda_error error;

	request->on_gpu = true;
	load_launch(submission->argument, launch);
	if (launch->reserved[0] || launch->reserved[1])
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "a reserved word that is not 0");
	error = check_handle(check, HANDLE_FUNCTION, launch->function);
	if (!error)
		error = check_stream(check, launch->stream, &request->stream);
	if (!error)
		error = check_dimensions(check, launch);
	if (error)
		return error;
	if (launch->parameter_bytes > VGPU_PARAMETERS_MAX)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "more than 4096 parameter bytes");
	if (launch->parameters % 8 != 0)
		return refuse(check, CUDA_ERROR_INVALID_VALUE,
			      "parameters that are not at a multiple of 8");
	return check_window(check, launch->parameters, launch->parameter_bytes);
}

static cuda_error check_stream_create(struct check *check)
{
	if (check->argument[0] & ~(uint64_t)STREAM_FLAGS_MASK)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "unknown flags of a stream");
	check->request->flags = (uint32_t)check->argument[0];
	return check_int32(check, check->argument[1], "a priority beyond 32 bits");
}

/* One that was created: the default stream cannot be destroyed. */
static cuda_error check_own_stream(struct check *check)
{
	return check_handle(check, HANDLE_STREAM, check->argument[0]);
}

static cuda_error check_any_stream(struct check *check)
{
	check->request->number = (uint32_t)check->argument[0];
	return check_stream(check, check->argument[0], &check->request->stream);
}

static cuda_error check_own_event(struct check *check)
{
	return check_handle(check, HANDLE_EVENT, check->argument[0]);
}

static cuda_error check_stream_event(struct check *check)
{
	cuda_error error = check_stream(check, check->argument[0], &check->request->stream);

	return error ? error : check_event(check, check->argument[1], &check->request->event);
}

static cuda_error check_event_create(struct check *check)
{
	if (check->argument[0] & ~(uint64_t)EVENT_FLAGS_MASK)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "unknown flags of an event");
	check->request->flags = (uint32_t)check->argument[0];
	return CUDA_ERROR_NONE;
}

static cuda_error check_event_record(struct check *check)
{
	cuda_error error = check_event(check, check->argument[0], &check->request->event);

	return error ? error : check_stream(check, check->argument[1], &check->request->stream);
}

static cuda_error check_event_elapsed(struct check *check)
{
	cuda_error error = check_event(check, check->argument[0], &check->request->event);

	return error ? error : check_event(check, check->argument[1], &check->request->end_event);
}

/*
 * Arguments beyond `arguments` must be 0. NO_REPLY is for what gives neither result nor state.
 * on_gpu: it starts work there, and so waits for the grant; MEM_ALLOC sets its memory to zero. What
 * only asks, keeps books or waits is never held up by others. Nor is loading a module: compiling
 * it can take the host's processor for seconds, and nobody else's work is to wait for that; what
 * goes to the GPU then is a copy of the code.
 */
struct operation {
	cuda_error (*check)(struct check *check);
	uint8_t arguments;
	bool no_reply;
	bool on_gpu;
};

#define KNOWN(opcode, count, may_be_silent, gpu, function)                                         \
	[opcode] = {                                                                               \
		.check = function, .arguments = count, .no_reply = may_be_silent, .on_gpu = gpu    \
	}

/* LAUNCH is not here: its arguments are a struct, and it is work for the GPU. */
static const struct operation operations[] = {
	KNOWN(VGPU_RING_NOP, 0, true, false, check_none),
	KNOWN(VGPU_RING_DEVICE_INFO, 2, false, false, check_device_info),
	KNOWN(VGPU_RING_DEVICE_ATTRIBUTE, 1, false, false, check_device_attribute),
	KNOWN(VGPU_RING_MEM_ALLOC, 1, false, true, check_alloc),
	KNOWN(VGPU_RING_MEM_FREE, 1, true, false, check_free),
	KNOWN(VGPU_RING_MEM_INFO, 0, false, false, check_none),
	KNOWN(VGPU_RING_MEM_SET, 5, true, true, check_mem_set),
	KNOWN(VGPU_RING_COPY_HTOD, 4, true, true, check_htod),
	KNOWN(VGPU_RING_COPY_DTOH, 4, true, true, check_dtoh),
	KNOWN(VGPU_RING_COPY_DTOD, 4, true, true, check_dtod),
	KNOWN(VGPU_RING_MODULE_LOAD, 2, false, false, check_module_load),
	KNOWN(VGPU_RING_MODULE_BUILTIN, 0, false, false, check_none),
	KNOWN(VGPU_RING_MODULE_UNLOAD, 1, true, false, check_module),
	KNOWN(VGPU_RING_MODULE_FUNCTION, 3, false, false, check_module_name),
	KNOWN(VGPU_RING_MODULE_GLOBAL, 3, false, false, check_module_name),
	KNOWN(VGPU_RING_FUNCTION_ATTRIBUTE, 2, false, false, check_function_attribute),
	KNOWN(VGPU_RING_FUNCTION_SET_ATTRIBUTE, 3, true, false, check_function_set_attribute),
	KNOWN(VGPU_RING_FUNCTION_PARAMETER, 2, false, false, check_function_parameter),
	KNOWN(VGPU_RING_STREAM_CREATE, 2, false, false, check_stream_create),
	KNOWN(VGPU_RING_STREAM_DESTROY, 1, true, false, check_own_stream),
	KNOWN(VGPU_RING_STREAM_QUERY, 1, false, false, check_any_stream),
	KNOWN(VGPU_RING_STREAM_SYNCHRONIZE, 1, false, false, check_any_stream),
	KNOWN(VGPU_RING_STREAM_WAIT_EVENT, 2, true, true, check_stream_event),
	KNOWN(VGPU_RING_EVENT_CREATE, 1, false, false, check_event_create),
	KNOWN(VGPU_RING_EVENT_DESTROY, 1, true, false, check_own_event),
	KNOWN(VGPU_RING_EVENT_RECORD, 2, true, true, check_event_record),
	KNOWN(VGPU_RING_EVENT_QUERY, 1, false, false, check_own_event),
	KNOWN(VGPU_RING_EVENT_SYNCHRONIZE, 1, false, false, check_own_event),
	KNOWN(VGPU_RING_EVENT_ELAPSED, 2, false, false, check_event_elapsed),
	KNOWN(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, false, false, check_none),
};

static cuda_error check_operation(struct check *check, const struct operation *operation,
				  const struct vgpu_submission *submission)
{
	for (int i = 0; i < 6; i++) {
		check->argument[i] = le64toh(submission->argument[i]);
		if (i >= operation->arguments && check->argument[i])
			return refuse(check, CUDA_ERROR_INVALID_VALUE,
				      "an argument that the operation does not have is not 0");
	}
	if (check->request->no_reply && !operation->no_reply)
		return refuse(check, CUDA_ERROR_INVALID_VALUE, "this operation needs a reply");
	check->request->on_gpu = operation->on_gpu;
	return operation->check(check);
}

cuda_error channel_validate(const struct channel *channel, const struct vgpu_submission *submission,
			    struct channel_request *request, const char **reason)
{
	const size_t count = sizeof(operations) / sizeof(operations[0]);
	struct check check = { .channel = channel, .request = request };
	uint16_t opcode = le16toh(submission->opcode), flags = le16toh(submission->flags);
	cuda_error error;

	*request = (struct channel_request){ .opcode = opcode,
					     .no_reply = flags & VGPU_SUBMIT_NO_REPLY };
	if (flags & ~VGPU_SUBMIT_NO_REPLY)
		error = refuse(&check, CUDA_ERROR_INVALID_VALUE, "unknown flags");
	else if (opcode == VGPU_RING_LAUNCH)
		error = check_launch(&check, submission);
	else if (opcode >= count || !operations[opcode].check)
		error = refuse(&check, CUDA_ERROR_NOT_SUPPORTED, "no operation has this number");
	else
		error = check_operation(&check, &operations[opcode], submission);
	request->on_gpu &= !error && !request->nothing;
	*reason = check.reason;
	return error;
}
