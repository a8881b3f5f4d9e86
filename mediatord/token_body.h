/* SPDX-License-Identifier: Apache-2.0 */
/* The body of POST /v1/tokens. */
#ifndef VGPU_MEDIATORD_TOKEN_BODY_H
#define VGPU_MEDIATORD_TOKEN_BODY_H

#include <stdint.h>

#include "mediatord/body.h"
#include "mediatord/rest/router.h"
#include "mediatord/token.h"

#define TOKEN_SECONDS_MAX INT64_C(316224000) /* ten years */

/* The token that is asked for. */
struct token_body {
	char name[REST_NAME_MAX + 1];
	enum token_role role;
	int64_t seconds; /* that it lasts; 0: for ever */
};

/* Decodes it, as strictly as all bodies. Returns 0, or -1 with err (400) and *field. */
int token_body_decode(const char *text, size_t length, struct token_body *wanted,
		      struct vm_field_name *field, struct vgpu_error **err);

#endif
