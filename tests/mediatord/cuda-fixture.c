/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/mediatord/cuda-fixture.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mediatord/worker/cuda_api.h"

struct double_control *fixture_double(void)
{
	static char path[4096];
	const char *build = getenv("top_builddir");
	void *library, *symbol;
	double_control_function *control;

	snprintf(path, sizeof(path), "%s/tests/mediatord/.libs/libcuda.so.1", build ? build : ".");
	/* Never unloaded: its counts are wanted after the backend unloads it. */
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		fail_msg("%s", dlerror());
	symbol = dlsym(library, DOUBLE_CONTROL);
	assert_non_null(symbol);
	memcpy(&control, &symbol, sizeof(control));
	cuda_api_library = path;
	return control();
}

static int reserve(void *opaque, uint64_t bytes, struct vgpu_error **err)
{
	struct fixture_ledger *ledger = opaque;

	(void)err;
	assert_true(bytes > 0);
	if (bytes > ledger->quota - ledger->held)
		return 0;
	ledger->held += bytes;
	return 1;
}

static int release(void *opaque, uint64_t bytes, struct vgpu_error **err)
{
	struct fixture_ledger *ledger = opaque;

	(void)err;
	assert_true(bytes > 0 && bytes <= ledger->held);
	ledger->held -= bytes;
	return 0;
}

void fixture_ledger_init(struct fixture_ledger *ledger, uint64_t quota)
{
	*ledger = (struct fixture_ledger){
		.quota = quota,
		.ledger = { .reserve = reserve, .release = release, .opaque = ledger },
	};
}

struct backend *fixture_open(struct fixture_ledger *ledger, uint64_t quota)
{
	struct vgpu_error *err = NULL;
	struct backend *backend = NULL;

	fixture_ledger_init(ledger, quota);
	if (backend_cuda.open(0, 0, &backend, &err) < 0)
		fail_msg("%s", err->message);
	backend->ledger = &ledger->ledger;
	return backend;
}
