/* SPDX-License-Identifier: Apache-2.0 */
/* What CloudStack's API answers. Pure: bytes in, JSON or an error out; the other side is hostile.
 */
#ifndef VGPU_CLOUDSTACK_ANSWER_H
#define VGPU_CLOUDSTACK_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "common/error.h"
#include "common/json_auto.h"

/*
 * Takes the object that `{"<command>response": {...}}` holds. Returns 0 and *payload, which the
 * caller releases; or -1 and err: EPROTO where it is no such answer, and where the API refused,
 * with its own words, EACCES (401: the key, or its signature), EPERM (the key's role), EAGAIN (429,
 * 503: too many requests, or not now), or EREMOTEIO.
 */
int cs_answer_read(long http_status, const char *text, size_t length, json_t **payload,
		   struct vgpu_error **err);

/* What a list's page holds. */
struct cs_page {
	json_t *items; /* an array, borrowed from the payload; NULL: there is none */
	size_t length;
	size_t total; /* of all pages */
};

/* Reads a page of items called `name`. Returns 0, or -1 and err (EPROTO). */
int cs_page_read(const json_t *payload, const char *name, struct cs_page *page,
		 struct vgpu_error **err);

/* A string of an object that is neither empty nor longer than a kilobyte, or NULL. */
const char *cs_text(const json_t *object, const char *name);

#endif
