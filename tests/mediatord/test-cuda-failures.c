/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every call that the cuda backend makes to the driver fails once, in each of three ways. The
 * backend must give that error, or go on where it may, and leave nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mediatord/worker/cuda_api.h"
#include "tests/mediatord/cuda-fixture.h"

#define MIB (UINT64_C(1) << 20)

static struct double_control *control;

/* A life with every call of a backend in it. Ends at the first error, and returns it. */
static cuda_error live(struct backend *backend, uint8_t *window)
{
	const struct backend_ops *ops = &backend_cuda;
	uint64_t small, large, module, builtin, function, stream, start, end, footprint, offset,
		bytes;
	const uint64_t arguments[4] = { 0 };
	const char ptx[] = ".version 6.4\n.target sm_75\n.visible .entry own(.param .u64 a) { }";
	struct backend_launch launch = { .name = "vadd_f32",
					 .grid = { 2, 1, 1 },
					 .block = { 32, 1, 1 },
					 .arguments = (const uint8_t *)arguments,
					 .argument_bytes = 32 };
	uint8_t few[16] = { 1 };
	float milliseconds;
	int32_t value;
	cuda_error error;

#define TRY(call)                                                                                  \
	do {                                                                                       \
		error = ops->call;                                                                 \
		if (error)                                                                         \
			return error;                                                              \
	} while (0)
	TRY(context_take(backend));
	TRY(window_register(backend, window, 65536));
	TRY(device_attribute(backend, 16, &value));
	TRY(mem_alloc(backend, 100, &small));
	TRY(mem_alloc(backend, 3 * MIB, &large));
	TRY(copy_htod(backend, small, few, 16));
	TRY(copy_dtod(backend, large, small, 16));
	TRY(copy_dtoh(backend, few, large, 16));
	TRY(launch(backend, &launch));
	TRY(synchronize(backend));
	TRY(stream_create(backend, 1, 0, &stream));
	TRY(event_create(backend, 0, &start));
	TRY(event_create(backend, 0, &end));
	TRY(event_record(backend, start, stream));
	TRY(start_htod(backend, large, window, 65536, stream));
	TRY(mem_set(backend, large, 7, 10, 1, stream));
	TRY(mem_set(backend, large, 7, 10, 2, stream));
	TRY(mem_set(backend, large, 7, 10, 4, 0));
	TRY(start_dtod(backend, small, large, 100, stream));
	TRY(start_dtoh(backend, window, large, 65536, stream));
	TRY(event_record(backend, end, stream));
	TRY(stream_wait_event(backend, 0, end));
	TRY(module_load(backend, ptx, sizeof(ptx) - 1, &module));
	TRY(module_builtin(backend, &builtin));
	TRY(module_function(backend, builtin, "vadd_i32", &function));
	TRY(module_global(backend, module, "double_global", &offset, &bytes));
	TRY(function_attribute(backend, function, 1, &value));
	TRY(function_set_attribute(backend, function, 8, 1024));
	TRY(function_parameter(backend, function, 0, &offset, &bytes));
	TRY(start_kernel(backend, function, stream, &launch));
	while ((error = ops->stream_query(backend, stream)) == CUDA_ERROR_NOT_READY)
		;
	if (error)
		return error;
	TRY(event_query(backend, end));
	TRY(event_elapsed(backend, start, end, &milliseconds));
	while ((error = ops->context_query(backend)) == CUDA_ERROR_NOT_READY)
		;
	if (error)
		return error;
	TRY(event_destroy(backend, start));
	TRY(event_destroy(backend, end));
	TRY(module_unload(backend, module));
	TRY(module_unload(backend, builtin));
	TRY(mem_set(backend, large, 7, 10, 4, stream));
	TRY(stream_destroy(backend, stream));
	TRY(synchronize(backend));
	TRY(mem_free(backend, large, &footprint));
	TRY(reset(backend, &footprint));
	TRY(mem_alloc(backend, 1, &small));
	TRY(mem_alloc(backend, 1, &large));
	TRY(mem_free(backend, small, &footprint));
	TRY(mem_free(backend, large, &footprint));
	TRY(context_give_back(backend));
	TRY(context_take(backend));
	TRY(mem_alloc(backend, 1, &small));
#undef TRY
	return CUDA_ERROR_NONE;
}

/* Calls that the backend makes where nobody waits for their answer, or does without it. */
static bool may_fail(const char *name)
{
	static const char *const names[] = { "cuDeviceGetPCIBusId", "cuMemFree_v2",
					     "cuMemHostUnregister", "cuStreamDestroy_v2",
					     "cuLinkDestroy" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* One life in which the call of this number fails; 0: none does. */
static void attempt(uint64_t at, uint32_t fail_with, int sticky)
{
	static uint8_t window[65536];
	struct backend *backend = NULL;
	struct fixture_ledger ledger;
	struct vgpu_error *err = NULL;
	char number[16];
	cuda_error error;

	control = fixture_double();
	control->busy = 2;
	control->fail_at = at;
	control->fail_with = fail_with;
	control->sticky = sticky;
	if (backend_cuda.open(0, 0, &backend, &err) < 0) {
		/* The text names the error. */
		snprintf(number, sizeof(number), "(%u)", fail_with);
		if (!control->failed || !strstr(err->message, number))
			fail_msg("call %u, %s: \"%s\"", (unsigned int)at, control->failed,
				 err->message);
		vgpu_error_free(&err);
		return;
	}
	fixture_ledger_init(&ledger, 64 * MIB);
	backend->ledger = &ledger.ledger;
	error = live(backend, window);
	/* With none failed, it is one that closing makes. */
	if (at && control->failed
		    ? error != fail_with && (error || sticky || !may_fail(control->failed))
		    : error)
		fail_msg("call %u, %s: gave %u: %s", (unsigned int)at, control->failed, error,
			 backend->detail);
	backend_cuda.close(&backend);
}

static void fail_each(uint32_t fail_with, int sticky)
{
	uint64_t at = 0;

	/* How many there are depends on how often a wait polls: until none is left to fail. */
	do {
		attempt(at, fail_with, sticky);
		/* A context that the driver refuses to end is left, with all that is in it. */
		if (control->failed && !sticky && strcmp(control->failed, "cuCtxDestroy_v2") == 0)
			continue;
		if (control->contexts || control->allocations || control->streams ||
		    control->modules || control->events || control->registrations || control->links)
			fail_msg("call %u, %s: %u contexts are left", (unsigned int)at,
				 control->failed, control->contexts);
	} while (at++ == 0 || control->failed);
	assert_true(at > 100);
	print_message("%u calls failed, one by one\n", (unsigned int)at - 2);
}

static void out_of_memory(void **state)
{
	(void)state;
	fail_each(CUDA_ERROR_OUT_OF_MEMORY, 0);
}

static void a_fault_that_stays(void **state)
{
	(void)state;
	fail_each(CUDA_ERROR_ILLEGAL_ADDRESS, 1);
}

static void a_lost_device(void **state)
{
	(void)state;
	fail_each(CUDA_ERROR_UNKNOWN, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out_of_memory),
		cmocka_unit_test(a_fault_that_stays),
		cmocka_unit_test(a_lost_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
