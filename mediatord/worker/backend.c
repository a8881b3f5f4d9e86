/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/backend.h"

#include <stdarg.h>
#include <stdio.h>

static const struct backend_ops *const backends[] = {
	&backend_cpu,
	&backend_cuda,
};

const struct backend_ops *backend_find(uint32_t id)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
		if (backends[i]->id == id)
			return backends[i];
	return NULL;
}

void backend_explain(struct backend *backend, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(backend->detail, sizeof(backend->detail), format, args);
	va_end(args);
}
