/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether what came to the webhook's address is CloudStack's, new and of now. Pure: the time comes
 * in. An event is no more than a reason to look, so nothing of it is believed but that it happened.
 */
#ifndef VGPU_CLOUDSTACK_WEBHOOK_CHECK_H
#define VGPU_CLOUDSTACK_WEBHOOK_CHECK_H

#include <stdint.h>

#include "cloudstack-plugin/sign.h"

#define WEBHOOK_BODY_MAX ((size_t)64 << 10)
#define WEBHOOK_LATE_S	 900 /* before or behind our clock */
#define WEBHOOK_REMEMBER 1024

/* The signatures that were taken lately, the oldest overwritten first; zeroed at start. */
struct webhook_memory {
	uint8_t seen[WEBHOOK_REMEMBER][CS_WEBHOOK_SIGNATURE];
	unsigned int next, count;
};

/* Reads the time that an event has, as "2026-01-31 12:00:00 +0000". Returns 0, or -1. */
int webhook_event_time(const char *body, size_t length, int64_t *seconds);

/*
 * Returns the HTTP status to answer with, and *reason (static): 200, 401 where the signature is
 * none or another's, 400 where the body has no eventDateTime, 410 where that is too long ago or in
 * the future, 409 where the same came before. `signature` is the header's value or NULL.
 */
unsigned int webhook_check(struct webhook_memory *memory, const char *signature, const char *body,
			   size_t length, const char *secret, int64_t now_s, const char **reason);

#endif
