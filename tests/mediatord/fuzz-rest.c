/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what a client sends beside bodies: query strings, Last-Event-ID, Authorization, If-Match,
 * and merge patches of a VM. The first byte says which.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mediatord/events.h"
#include "mediatord/registry/layers.h"
#include "mediatord/rest/query.h"
#include "mediatord/token.h"
#include "mediatord/vm_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_query(char *text)
{
	struct rest_query query = { .limit = 0 };
	char *rest = text;

	for (char *pair; (pair = strsep(&rest, "&")) != NULL;) {
		char *value = pair;
		const char *key = strsep(&value, "=");

		if (!rest_query_set(&query, text[0] & 1 ? REST_VM_LIST : REST_AUDIT, key, value) &&
		    (query.limit > REST_LIMIT_MAX || query.after_number < 0))
			abort();
	}
}

static void fuzz_patch(const char *text, size_t length)
{
	static const char old[] = "{\"weight\":5,\"quotas\":{\"burst\":3}}";
	struct vm_layer layer, before;
	struct vm_field_name field;
	struct vgpu_error *err = NULL;
	char *encoded;

	if (vm_layer_decode(old, strlen(old), &layer, &field, NULL) < 0)
		abort();
	before = layer;
	if (vm_layer_patch(text, length, &layer, &field, &err) < 0) {
		if (err->status != 400 || memcmp(&layer, &before, sizeof(layer)) != 0)
			abort();
		vgpu_error_free(&err);
		return;
	}
	encoded = vm_layer_encode(&layer);
	if (!encoded || vm_layer_decode(encoded, strlen(encoded), &before, &field, NULL) < 0)
		abort();
	free(encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t secret[TOKEN_SECRET_BYTES];
	char name[64], *text;
	uint64_t id;

	if (size == 0)
		return 0;
	text = calloc(1, size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	switch (data[0] % 5) {
	case 0:
		fuzz_query(text);
		break;
	case 1:
		if (event_id_parse(text, &id) && id >= UINT64_C(1000000000000000000))
			abort();
		break;
	case 2:
		if (token_parse(text, name, secret) && (!name[0] || strlen(name) > 63))
			abort();
		break;
	case 3:
		etag_matches(text, "\"0123456789abcdef\"");
		break;
	default:
		fuzz_patch(text, size - 1);
		break;
	}
	free(text);
	return 0;
}
