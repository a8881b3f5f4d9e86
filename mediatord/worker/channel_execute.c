/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "mediatord/worker/channel.h"
#include "mediatord/worker/channel_work.h"

void channel_count_submission(struct channel *channel)
{
	jobs_count(&channel->grant->submissions, 1);
}

void channel_count_error(struct channel *channel)
{
	jobs_count(&channel->grant->errors, 1);
}

static int open_failed(const struct channel *channel, cuda_error error, const char *what,
		       struct vgpu_error **err)
{
	return vgpu_error_set(err, EIO, "%s: %s (%u)%s%s", what, cuda_error_name(error), error,
			      *channel->backend->detail ? ": " : "", channel->backend->detail);
}

/* The ledger: nobody need be asked about nothing, and the grant page says what is held. */
static int ledger_reserve(void *opaque, uint64_t bytes, struct vgpu_error **err)
{
	struct channel *channel = opaque;
	int granted;

	if (bytes == 0)
		return 1;
	granted = channel->mediator->reserve(channel->mediator->opaque, bytes, err);
	if (granted > 0)
		jobs_count(&channel->grant->memory_used_bytes, bytes);
	channel->over_quota |= granted == 0;
	return granted;
}

static int ledger_release(void *opaque, uint64_t bytes, struct vgpu_error **err)
{
	struct channel *channel = opaque;

	if (bytes == 0)
		return 0;
	jobs_count(&channel->grant->memory_used_bytes, -bytes);
	channel->released_bytes += bytes;
	return channel->mediator->release(channel->mediator->opaque, bytes, err);
}

int channel_open(struct channel *channel, struct vgpu_error **err)
{
	cuda_error error;

	channel->ledger = (struct memory_ledger){
		.reserve = ledger_reserve,
		.release = ledger_release,
		.opaque = channel,
	};
	channel->backend->ledger = &channel->ledger;

	jobs_init(&channel->jobs, channel->grant);
	for (int kind = 0; kind < HANDLE_KINDS; kind++)
		if (handle_table_open(&channel->handles[kind], (enum handle_kind)kind) < 0)
			return vgpu_error_set(err, ENOMEM, "no memory for the channel's tables");
	error = channel_context_first(channel);
	if (error)
		return open_failed(channel, error,
				   "cannot make a context on the GPU with the window", err);
	return 0;
}

void channel_close(struct channel *channel)
{
	allocation_clear(&channel->allocations, NULL);
	for (int kind = 0; kind < HANDLE_KINDS; kind++)
		handle_table_close(&channel->handles[kind]);
}

/* The VM's quota, or the GPU where it has none, and what of it is free. */
static void memory_info(const struct channel *channel, uint64_t *free_bytes, uint64_t *total_bytes)
{
	const struct vgpu_grant_page *grant = channel->grant;
	uint64_t quota = __atomic_load_n(&grant->quota_bytes, __ATOMIC_RELAXED);
	uint64_t used = __atomic_load_n(&grant->used_bytes, __ATOMIC_ACQUIRE);
	uint64_t seen = __atomic_load_n(&grant->released_bytes, __ATOMIC_RELAXED);
	/* What we gave back and the mediator has not heard of yet. */
	uint64_t unseen = channel->released_bytes > seen ? channel->released_bytes - seen : 0;

	used = used > unseen ? used - unseen : 0;
	*total_bytes = quota ? quota : channel->backend->info.memory_bytes;
	*free_bytes = used < *total_bytes ? *total_bytes - used : 0;
}

static void execute_device_info(const struct channel *channel,
				const struct channel_request *request,
				struct channel_result *result)
{
	const struct backend_info *info = &channel->backend->info;
	struct vgpu_device_record record = {
		.backend = htole32(info->id),
		.multiprocessors = htole32(info->multiprocessors),
		.max_threads_per_block = htole32(info->max_threads_per_block),
		.compute_capability = htole32(info->compute_capability),
	};
	uint64_t free_bytes, total_bytes, bytes = sizeof(record);

	memory_info(channel, &free_bytes, &total_bytes);
	record.memory_bytes = htole64(total_bytes);
	record.memory_free = htole64(free_bytes);
	memcpy(record.name, info->gpu_name, strnlen(info->gpu_name, sizeof(record.name) - 1));
	if (bytes > request->bytes)
		bytes = request->bytes;
	memcpy(request->window, &record, bytes);
	result->value[0] = bytes;
}

static int execute_alloc(struct channel *channel, const struct channel_request *request,
			 struct channel_result *result, struct vgpu_error **err)
{
	struct backend *backend = channel->backend;
	struct allocation allocation = { .bytes = request->bytes, .extent = request->bytes };
	uint64_t footprint = backend->ops->footprint(backend, request->bytes);
	int granted;

	result->status = CUDA_ERROR_OUT_OF_MEMORY;
	if (footprint == UINT64_MAX || channel->allocations.count == ALLOCATIONS_MAX)
		return 0;
	granted = ledger_reserve(channel, footprint, err);
	if (granted <= 0)
		return granted;
	result->status = backend->ops->mem_alloc(backend, request->bytes, &allocation.start);
	if (result->status)
		return ledger_release(channel, footprint, err);
	if (!allocation_add(&channel->allocations, &allocation)) {
		result->status = CUDA_ERROR_OUT_OF_MEMORY;
		/* Where even this fails, the memory is there and stays counted. */
		if (backend->ops->mem_free(backend, allocation.start, &footprint))
			return 0;
		return ledger_release(channel, footprint, err);
	}
	result->value[0] = allocation.start;
	return 0;
}

static int execute_free(struct channel *channel, const struct channel_request *request,
			struct channel_result *result, struct vgpu_error **err)
{
	struct backend *backend = channel->backend;
	uint64_t footprint;

	result->status = backend->ops->mem_free(backend, request->pointer, &footprint);
	if (result->status)
		return 0;
	allocation_remove(&channel->allocations, request->allocation);
	return ledger_release(channel, footprint, err);
}

/* Takes a backend's new object into a table; destroy() is for where the table is full. */
static void number_object(struct channel *channel, enum handle_kind kind, uint64_t object,
			  cuda_error (*destroy)(struct backend *, uint64_t),
			  struct channel_result *result)
{
	if (result->status)
		return;
	result->value[0] = handle_add(&channel->handles[kind], object);
	if (result->value[0])
		return;
	if (destroy)
		destroy(channel->backend, object);
	result->status = CUDA_ERROR_OUT_OF_MEMORY;
}

/* An image that nobody changes, with the zero byte that ends PTX. */
static void execute_module_load(struct channel *channel, const struct channel_request *request,
				struct channel_result *result)
{
	const struct backend_ops *ops = channel->backend->ops;
	VGPU_AUTO_FREE char *image = malloc(request->bytes + 1);
	uint64_t module = 0;

	if (!image) {
		result->status = CUDA_ERROR_OUT_OF_MEMORY;
		return;
	}
	memcpy(image, request->window, request->bytes);
	image[request->bytes] = '\0';
	result->status = ops->module_load(channel->backend, image, request->bytes, &module);
	number_object(channel, HANDLE_MODULE, module, ops->module_unload, result);
}

static void execute_module_builtin(struct channel *channel, struct channel_result *result)
{
	const struct backend_ops *ops = channel->backend->ops;
	uint64_t module = 0;

	result->status = ops->module_builtin(channel->backend, &module);
	number_object(channel, HANDLE_MODULE, module, ops->module_unload, result);
}

static void execute_module_unload(struct channel *channel, const struct channel_request *request,
				  struct channel_result *result)
{
	struct handle_table *functions = &channel->handles[HANDLE_FUNCTION];
	struct handle *function;
	uint32_t slot = 0;

	result->status = channel->backend->ops->module_unload(channel->backend, request->object);
	if (result->status)
		return;
	while ((function = handle_next(functions, &slot)))
		if (function->module == request->number)
			handle_remove(functions, function);
	while (request->handle->globals) {
		struct allocation *global = request->handle->globals;

		request->handle->globals = global->next;
		allocation_remove(&channel->allocations, global);
	}
	handle_remove(&channel->handles[HANDLE_MODULE], request->handle);
}

/* The number of a function that was asked for before, or 0. */
static uint32_t known_function(const struct channel *channel, uint32_t module, uint64_t object)
{
	const struct handle_table *functions = &channel->handles[HANDLE_FUNCTION];
	const struct handle *function;
	uint32_t slot = 0;

	while ((function = handle_next(functions, &slot)))
		if (function->module == module && function->object == object)
			return handle_number(functions, function);
	return 0;
}

static void execute_module_function(struct channel *channel, const struct channel_request *request,
				    const char *name, struct channel_result *result)
{
	struct handle_table *functions = &channel->handles[HANDLE_FUNCTION];
	uint64_t object = 0;

	result->status = channel->backend->ops->module_function(channel->backend, request->object,
								name, &object);
	if (result->status)
		return;
	result->value[0] = known_function(channel, request->number, object);
	if (result->value[0])
		return;
	number_object(channel, HANDLE_FUNCTION, object, NULL, result);
	if (!result->status)
		handle_find(functions, result->value[0])->module = request->number;
}

static void execute_module_global(struct channel *channel, const struct channel_request *request,
				  const char *name, struct channel_result *result)
{
	struct allocation global = { .module = request->number, .next = request->handle->globals };
	struct allocation *known, *added;
	uint64_t start = 0, bytes = 0;

	result->status = channel->backend->ops->module_global(channel->backend, request->object,
							      name, &start, &bytes);
	if (result->status)
		return;
	result->value[0] = start;
	result->value[1] = bytes;
	if (bytes == 0)
		return;
	known = allocation_overlapping(&channel->allocations, start, bytes);
	if (known && known->module == request->number && known->start == start)
		return;
	global.start = start;
	global.bytes = global.extent = bytes;
	added = allocation_add(&channel->allocations, &global);
	if (added)
		request->handle->globals = added;
	else
		*result = (struct channel_result){ .status = CUDA_ERROR_OUT_OF_MEMORY };
}

/* Names steer: they are copied, and then looked at. */
static void execute_by_name(struct channel *channel, const struct channel_request *request,
			    struct channel_result *result)
{
	char name[CHANNEL_NAME_MAX + 1];

	memcpy(name, request->window, request->bytes);
	name[request->bytes] = '\0';
	if (strlen(name) != request->bytes)
		result->status = CUDA_ERROR_INVALID_VALUE;
	else if (request->opcode == VGPU_RING_MODULE_FUNCTION)
		execute_module_function(channel, request, name, result);
	else
		execute_module_global(channel, request, name, result);
}

/* Functions and the device. */
static cuda_error execute_query(struct channel *channel, const struct channel_request *request,
				struct channel_result *result)
{
	struct backend *backend = channel->backend;
	const struct backend_ops *ops = backend->ops;
	int32_t value = 0;
	cuda_error error;

	switch (request->opcode) {
	case VGPU_RING_DEVICE_ATTRIBUTE:
		error = ops->device_attribute(backend, request->attribute, &value);
		break;
	case VGPU_RING_FUNCTION_ATTRIBUTE:
		error = ops->function_attribute(backend, request->object, request->attribute,
						&value);
		break;
	case VGPU_RING_FUNCTION_SET_ATTRIBUTE:
		return ops->function_set_attribute(backend, request->object, request->attribute,
						   request->value);
	default: /* FUNCTION_PARAMETER */
		return ops->function_parameter(backend, request->object, request->index,
					       &result->value[0], &result->value[1]);
	}
	if (!error)
		result->value[0] = (uint64_t)(int64_t)value;
	return error;
}

static void execute_stream(struct channel *channel, const struct channel_request *request,
			   struct channel_result *result)
{
	struct backend *backend = channel->backend;
	const struct backend_ops *ops = backend->ops;
	uint64_t stream = 0;

	switch (request->opcode) {
	case VGPU_RING_STREAM_CREATE:
		result->status =
			ops->stream_create(backend, request->flags, request->value, &stream);
		number_object(channel, HANDLE_STREAM, stream, ops->stream_destroy, result);
		break;
	case VGPU_RING_STREAM_DESTROY:
		result->status = ops->stream_destroy(backend, request->object);
		if (!result->status)
			handle_remove(&channel->handles[HANDLE_STREAM], request->handle);
		break;
	case VGPU_RING_STREAM_QUERY:
		if (channel->context)
			result->status = ops->stream_query(backend, request->stream);
		break;
	default: /* STREAM_WAIT_EVENT */
		result->status = ops->stream_wait_event(backend, request->stream, request->event);
		break;
	}
}

static void execute_event(struct channel *channel, const struct channel_request *request,
			  struct channel_result *result)
{
	struct backend *backend = channel->backend;
	const struct backend_ops *ops = backend->ops;
	uint64_t event = 0;
	float milliseconds = 0;
	uint32_t bits;

	switch (request->opcode) {
	case VGPU_RING_EVENT_CREATE:
		result->status = ops->event_create(backend, request->flags, &event);
		number_object(channel, HANDLE_EVENT, event, ops->event_destroy, result);
		break;
	case VGPU_RING_EVENT_DESTROY:
		result->status = ops->event_destroy(backend, request->object);
		if (!result->status)
			handle_remove(&channel->handles[HANDLE_EVENT], request->handle);
		break;
	case VGPU_RING_EVENT_RECORD:
		result->status = ops->event_record(backend, request->event, request->stream);
		break;
	case VGPU_RING_EVENT_QUERY:
		result->status = ops->event_query(backend, request->object);
		break;
	default: /* EVENT_ELAPSED */
		result->status = ops->event_elapsed(backend, request->event, request->end_event,
						    &milliseconds);
		if (!result->status) {
			memcpy(&bits, &milliseconds, sizeof(bits));
			result->value[0] = bits;
		}
		break;
	}
}

bool channel_poll(struct channel *channel, const struct channel_wait *wait,
		  struct channel_result *result)
{
	struct backend *backend = channel->backend;
	enum handle_kind kind =
		wait->opcode == VGPU_RING_EVENT_SYNCHRONIZE ? HANDLE_EVENT : HANDLE_STREAM;
	const struct handle *handle = NULL;

	*result = (struct channel_result){ .status = CUDA_ERROR_NONE };
	if (wait->number) {
		handle = handle_find(&channel->handles[kind], wait->number);
		/* Destroyed meanwhile, by the tenant's other hand. */
		if (!handle) {
			result->status = CUDA_ERROR_INVALID_HANDLE;
			return true;
		}
	}
	if (!channel->context)
		result->status = CUDA_ERROR_NONE;
	else if (wait->opcode == VGPU_RING_CONTEXT_SYNCHRONIZE)
		result->status = backend->ops->context_query(backend);
	else if (kind == HANDLE_EVENT)
		result->status = backend->ops->event_query(backend, handle->object);
	else
		result->status = backend->ops->stream_query(backend, handle ? handle->object : 0);
	if (result->status == CUDA_ERROR_NOT_READY)
		return false;
	if (wait->opcode == VGPU_RING_CONTEXT_SYNCHRONIZE && jobs_on_gpu(&channel->jobs))
		jobs_idle(&channel->jobs, vgpu_now_ns());
	if (channel->kept) {
		result->status = channel->kept;
		result->value[0] = channel->kept_limit;
		channel->kept = CUDA_ERROR_NONE;
	}
	return true;
}

static bool is_synchronisation(uint16_t opcode)
{
	return opcode == VGPU_RING_STREAM_SYNCHRONIZE || opcode == VGPU_RING_EVENT_SYNCHRONIZE ||
	       opcode == VGPU_RING_CONTEXT_SYNCHRONIZE;
}

static int execute_operation(struct channel *channel, const struct channel_request *request,
			     struct channel_result *result, struct vgpu_error **err)
{
	switch (request->opcode) {
	case VGPU_RING_NOP:
		break;
	case VGPU_RING_DEVICE_INFO:
		execute_device_info(channel, request, result);
		break;
	case VGPU_RING_MEM_ALLOC:
		return execute_alloc(channel, request, result, err);
	case VGPU_RING_MEM_FREE:
		return execute_free(channel, request, result, err);
	case VGPU_RING_MEM_INFO:
		memory_info(channel, &result->value[0], &result->value[1]);
		break;
	case VGPU_RING_MEM_SET:
	case VGPU_RING_COPY_HTOD:
	case VGPU_RING_COPY_DTOH:
	case VGPU_RING_COPY_DTOD:
	case VGPU_RING_LAUNCH:
		result->status =
			request->nothing ? CUDA_ERROR_NONE : channel_start(channel, request);
		break;
	case VGPU_RING_MODULE_LOAD:
		execute_module_load(channel, request, result);
		break;
	case VGPU_RING_MODULE_BUILTIN:
		execute_module_builtin(channel, result);
		break;
	case VGPU_RING_MODULE_UNLOAD:
		execute_module_unload(channel, request, result);
		break;
	case VGPU_RING_MODULE_FUNCTION:
	case VGPU_RING_MODULE_GLOBAL:
		execute_by_name(channel, request, result);
		break;
	case VGPU_RING_STREAM_CREATE:
	case VGPU_RING_STREAM_DESTROY:
	case VGPU_RING_STREAM_QUERY:
	case VGPU_RING_STREAM_WAIT_EVENT:
		execute_stream(channel, request, result);
		break;
	case VGPU_RING_EVENT_CREATE:
	case VGPU_RING_EVENT_DESTROY:
	case VGPU_RING_EVENT_RECORD:
	case VGPU_RING_EVENT_QUERY:
	case VGPU_RING_EVENT_ELAPSED:
		execute_event(channel, request, result);
		break;
	default:
		result->status = execute_query(channel, request, result);
		break;
	}
	return CHANNEL_DONE;
}

/* What failed has no results but, of a limit that was in its way, which one. */
static void result_failed(const struct channel *channel, struct channel_result *result)
{
	bool quota = channel->over_quota && result->status == CUDA_ERROR_OUT_OF_MEMORY;

	*result = (struct channel_result){ .status = result->status };
	if (quota)
		result->value[0] = VGPU_MEMORY_QUOTA;
}

static int execute(struct channel *channel, const struct channel_request *request,
		   struct channel_result *result, struct channel_wait *wait,
		   struct vgpu_error **err)
{
	int outcome;

	if (is_synchronisation(request->opcode)) {
		*wait = (struct channel_wait){ request->opcode, request->number };
		return channel_poll(channel, wait, result) ? CHANNEL_DONE : CHANNEL_WAITS;
	}
	outcome = execute_operation(channel, request, result, err);
	if (result->status)
		result_failed(channel, result);
	return outcome;
}

int channel_execute(struct channel *channel, struct channel_request *request, int64_t now_ns,
		    struct channel_result *result, struct channel_wait *wait,
		    struct vgpu_error **err)
{
	int outcome;

	*result = (struct channel_result){ .status = CUDA_ERROR_NONE };
	channel->backend->detail[0] = '\0';
	channel->over_quota = false;
	if (!request->on_gpu)
		return execute(channel, request, result, wait, err);
	jobs_begin(&channel->jobs, now_ns);
	outcome = execute(channel, request, result, wait, err);
	if (outcome == CHANNEL_DONE && !result->status)
		return channel_started(channel, request, now_ns) ? CHANNEL_MORE : CHANNEL_DONE;
	jobs_failed(&channel->jobs);
	return outcome;
}

void channel_failed(struct channel *channel, const struct channel_request *request,
		    const struct channel_result *result)
{
	if (result->status != CUDA_ERROR_NOT_READY)
		channel_count_error(channel);
	if (request->no_reply && !channel->kept) {
		channel->kept = result->status;
		channel->kept_limit = result->value[0];
	}
}
