/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind '?' in a request. Pure. */
#ifndef VGPU_MEDIATORD_REST_QUERY_H
#define VGPU_MEDIATORD_REST_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "mediatord/rest/router.h"

#define REST_LIMIT_MAX 1000u

struct rest_query {
	uint32_t limit; /* of a list; 0: none was given */
	bool has_after; /* of what was given next: */
	uint8_t after_uuid[16];
	int64_t after_number;
};

/*
 * Takes one parameter of a route's query; nothing in it needs percent-encoding. value is NULL where
 * there is no '='. Returns NULL, or what is wrong with it.
 */
const char *rest_query_set(struct rest_query *query, enum rest_route route, const char *key,
			   const char *value);

#endif
