/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sequences of requests on the cpu backend, in the fuzzer's own process. Each step of the input is
 * either a request in raw bytes, or an operation whose pointers are taken from what earlier steps
 * allocated and moved a little, so that most of it gets past the first check.
 *
 * What must hold after every step: the ledger has not granted more than its quota, and has back
 * exactly what the backend no longer holds; every response is well-formed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mediatord/worker/execute.h"
#include "tests/mediatord/fuzz-input.h"
#include "tests/mediatord/request-maker.h"

#define POINTERS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_response(const struct execution *execution)
{
	const uint8_t *response = execution->response;
	uint32_t results, offset, length;

	if (execution->length < 32 || execution->length > VGPU_MAILBOX_BYTES)
		abort();
	results = vgpu_load32(response + 8);
	offset = vgpu_load32(response + 12);
	length = vgpu_load32(response + 16);
	if (vgpu_load32(response) != VGPU_PROTOCOL_VERSION ||
	    vgpu_load32(response + 4) != execution->error_code ||
	    results > (execution->length - 32) / 4 ||
	    !vgpu_range_ok(offset, length, execution->length) ||
	    (length && offset < 32 + 4 * results))
		abort();
	if (execution->error_code == VGPU_ERR_CUDA && results != 1)
		abort();
}

/* One of the pointers that were given, or any number. */
static uint64_t take_pointer(struct input *input, const uint64_t *pointers)
{
	uint64_t which = take(input, 1);

	if (which == 0xff)
		return take(input, 8);
	return pointers[which % POINTERS_MAX] + (which & 0x80 ? take(input, 2) : 0);
}

static struct made_request take_request(struct input *input, const uint64_t *pointers)
{
	static const uint8_t bytes[980];
	uint64_t first, second, arguments[4];
	struct made_request made;

	switch (take(input, 1) % 11) {
	case 0:
		return make_alloc(take(input, 3));
	case 1:
		return make_alloc(take(input, 8));
	case 2:
		return make_free(take_pointer(input, pointers));
	case 3:
		return make_htod(take_pointer(input, pointers), bytes,
				 (uint32_t)take(input, 2) % 981);
	case 4:
		return make_dtoh(take_pointer(input, pointers), (uint32_t)take(input, 2) % 1000);
	case 5:
		first = take_pointer(input, pointers);
		second = take_pointer(input, pointers);
		return make_dtod(first, second, take(input, 3));
	case 6:
	case 7:
		for (size_t i = 0; i < 3; i++)
			arguments[i] = take_pointer(input, pointers);
		arguments[3] = take(input, 3);
		made = make_kernel(arguments[3] % 2 ? "vadd_i32" : "vadd_f32", arguments,
				   sizeof(arguments), (uint32_t)take(input, 2),
				   (uint32_t)take(input, 2) % 1100);
		set_field(&made, FIELD_FLAGS, (uint32_t)take(input, 1) % 4);
		return made;
	case 8:
		return make_request(take(input, 1) % 4 ? VGPU_OP_SYNCHRONIZE
						       : VGPU_OP_CONTEXT_RESET,
				    0, NULL, 0);
	case 9:
		return make_request(VGPU_OP_ADD_I32, 2, NULL, 0);
	default:
		memset(&made, 0, sizeof(made));
		made.length = (uint32_t)take(input, 2) % 1040;
		if (made.length > input->size)
			made.length = (uint32_t)input->size;
		memcpy(made.bytes, input->data, made.length);
		input->data += made.length;
		input->size -= made.length;
		return made;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t held = 0, pointers[POINTERS_MAX] = { 0 };
	const struct memory_ledger ledger = { .reserve = reserve,
					      .release = release,
					      .opaque = &held };
	struct executor executor = { .ledger = &ledger, .quota_bytes = QUOTA };
	struct input input = { data, size };
	struct made_request reset = make_request(VGPU_OP_CONTEXT_RESET, 0, NULL, 0);
	struct execution execution;
	size_t next = 0;

	if (backend_cpu.open(0, 0, &executor.backend, NULL) < 0)
		abort();
	while (input.size > 0) {
		struct made_request made = take_request(&input, pointers);

		if (execute_request(&executor, made.bytes, made.length, held, &execution, NULL) < 0)
			abort();
		check_response(&execution);
		if (execution.error_code == VGPU_ERR_NONE &&
		    vgpu_load32(made.bytes + FIELD_OPCODE) == VGPU_OP_MEMORY_ALLOC)
			pointers[next++ % POINTERS_MAX] = vgpu_load64(execution.response + 32);
	}
	if (execute_request(&executor, reset.bytes, reset.length, held, &execution, NULL) < 0 ||
	    execution.error_code != VGPU_ERR_NONE || held != 0)
		abort();
	executor.backend->ops->close(&executor.backend);
	return 0;
}
