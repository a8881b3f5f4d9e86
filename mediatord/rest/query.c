/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/rest/query.h"

#include <stddef.h>
#include <string.h>

#include "common/uuid.h"

/* Digits alone, and no more than max. */
static bool number(const char *text, int64_t max, int64_t *value)
{
	*value = 0;
	if (!*text || strlen(text) > 18 || strspn(text, "0123456789") != strlen(text))
		return false;
	for (; *text; text++)
		*value = *value * 10 + (*text - '0');
	return *value <= max;
}

const char *rest_query_set(struct rest_query *query, enum rest_route route, const char *key,
			   const char *value)
{
	int64_t limit;

	if (route != REST_VM_LIST && route != REST_SEAT_LIST && route != REST_AUDIT)
		return "this resource takes no parameters";
	if (!value)
		return "a parameter needs a value";
	if (strcmp(key, "limit") == 0 && query->limit == 0) {
		if (!number(value, REST_LIMIT_MAX, &limit) || limit == 0)
			return "limit must be 1 to 1000";
		query->limit = (uint32_t)limit;
		return NULL;
	}
	if (strcmp(key, "after") == 0 && !query->has_after) {
		query->has_after = true;
		if (route != REST_AUDIT)
			return vgpu_uuid_parse(value, query->after_uuid) == 0
				       ? NULL
				       : "after must be a uuid that next gave";
		return number(value, INT64_MAX, &query->after_number)
			       ? NULL
			       : "after must be the id of an entry";
	}
	return "this resource takes limit and after, each once";
}
