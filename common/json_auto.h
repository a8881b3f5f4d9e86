/* SPDX-License-Identifier: Apache-2.0 */
/* An owning local of jansson's, as those of cleanup.h. */
#ifndef VGPU_COMMON_JSON_AUTO_H
#define VGPU_COMMON_JSON_AUTO_H

#include <jansson.h>

#include "common/cleanup.h"

static inline void vgpu_cleanup_json(json_t **json)
{
	int saved = errno;

	json_decref(*json);
	*json = NULL;
	errno = saved;
}

#define VGPU_AUTO_JSON VGPU_CLEANUP(vgpu_cleanup_json)

#endif
