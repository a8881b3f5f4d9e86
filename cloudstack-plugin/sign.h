/* SPDX-License-Identifier: Apache-2.0 */
/* How requests to CloudStack's API are signed, and how it signs what its webhooks send. */
#ifndef VGPU_CLOUDSTACK_SIGN_H
#define VGPU_CLOUDSTACK_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One parameter of a request, not escaped; the strings are borrowed. */
struct cs_param {
	const char *name;
	const char *value;
};

#define CS_WEBHOOK_SIGNATURE 32 /* bytes of an HMAC-SHA256 */

/*
 * Makes the form that asks for something: the parameters, sorted by name in byte order (in place),
 * escaped as Java's URLEncoder does but a blank, which is %20, and their signature, HMAC-SHA1 of
 * the lower-cased form. Names are of the API's own, in ASCII. The caller frees it; NULL: no memory,
 * or no HMAC of it.
 */
char *cs_sign(struct cs_param *params, size_t count, const char *secret);

/* Reads a header X-CS-Signature: base64. Returns whether it has the form of one. */
bool cs_webhook_signature(const char *header, uint8_t signature[CS_WEBHOOK_SIGNATURE]);

/* Whether that is the signature of a body; takes as long wherever they differ. */
bool cs_webhook_signed(const uint8_t signature[CS_WEBHOOK_SIGNATURE], const void *body,
		       size_t length, const char *secret);

#endif
