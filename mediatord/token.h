/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer tokens: who comes over TCP shows one. A token is "NAME.SECRET", a name and 64 hexadecimal
 * digits; what is kept of the secret is a salted hash. As it has 256 random bits, guessing costs
 * more than any slow hash could add.
 */
#ifndef VGPU_MEDIATORD_TOKEN_H
#define VGPU_MEDIATORD_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "mediatord/state/state.h"

#define TOKEN_SECRET_BYTES 32u
/* With its name, its dot and a terminator. */
#define TOKEN_TEXT_BYTES (64u + 2 * TOKEN_SECRET_BYTES + 1)

/* What a token lets its bearer do. */
enum token_role {
	TOKEN_READ,    /* look */
	TOKEN_OPERATE, /* look, and change */
	TOKEN_HOOK,    /* look, and say that domains begin and end */
	TOKEN_ROLES
};

/* NULL for no role. */
const char *token_role_name(unsigned int role);
/* Returns false where there is none of that name. */
bool token_role_parse(const char *name, enum token_role *role);

/*
 * Reads the value of an Authorization header, which comes from a client. Returns false where it is
 * no bearer token of ours.
 */
bool token_parse(const char *authorization, char name[64], uint8_t secret[TOKEN_SECRET_BYTES]);

struct tokens;

/* Reads the tokens in state, which stays the caller's. Returns 0 and *tokens, or -1 and err. */
int tokens_open(struct state *state, struct tokens **tokens, struct vgpu_error **err);
void tokens_close(struct tokens **tokens);

enum token_verdict {
	TOKEN_GOOD,
	TOKEN_NONE,  /* no header, or none of our form */
	TOKEN_WRONG, /* no such token, or another secret */
	TOKEN_EXPIRED,
	TOKEN_TOO_OFTEN, /* so many requests a second, or wrong tokens of anybody */
};

/*
 * Who shows this Authorization header (NULL: none). How long it takes does not tell a wrong secret
 * from a wrong name. Any thread. *name is set for a good and for an expired one.
 */
enum token_verdict tokens_check(struct tokens *tokens, const char *authorization,
				enum token_role *role, char name[64]);

/*
 * Makes a token that lasts for so many seconds (0: for ever), and stores it. Returns 0 and its
 * text, which is nowhere else; or -1 and err (EEXIST: there is one of that name; EDQUOT: there are
 * too many).
 */
int tokens_add(struct tokens *tokens, const char *name, enum token_role role, int64_t seconds,
	       char text[TOKEN_TEXT_BYTES], struct vgpu_error **err);

/* Returns 0, or -1 and err (ENOENT). */
int tokens_delete(struct tokens *tokens, const char *name, struct vgpu_error **err);

/* Calls each for every token; it must not call a function of this header. */
void tokens_each(struct tokens *tokens, void (*each)(const struct state_token *token, void *opaque),
		 void *opaque);

#endif
