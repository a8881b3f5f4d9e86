/* SPDX-License-Identifier: Apache-2.0 */
/* The handler of /v1/seats. */
#include <stdio.h>

#include "common/uuid.h"
#include "mediatord/rest/internal.h"
#include "mediatord/registry/seats_file.h"

void rest_seat_list(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	const struct rest_query *query = &request->query;
	uint32_t limit = query->limit ? query->limit : REST_LIMIT_MAX;
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE struct registry_seat *seats = NULL;
	char last[VGPU_UUID_TEXT], next[96];
	json_t *list;
	size_t count;
	bool more;

	if (registry_seats(rest->registry, query->has_after ? query->after_uuid : NULL, limit,
			   &seats, &count, &more, &err) < 0) {
		rest_error(reply, err, NULL);
		return;
	}
	list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, seat_to_json(&seats[i]));
	reply->status = MHD_HTTP_OK;
	reply->body = json_pack("{s:o}", "seats", list);
	if (!more)
		return;
	vgpu_uuid_format(seats[count - 1].stored.uuid, last);
	snprintf(next, sizeof(next), "/v1/seats?after=%s&limit=%u", last, limit);
	json_object_set_new(reply->body, "next", json_string(next));
}
