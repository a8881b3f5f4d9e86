/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/token.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "common/clock.h"
#include "common/log.h"

#define TOKENS_MAX	    1000u
#define REQUESTS_PER_SECOND 2000u /* of one token */
#define WRONG_PER_SECOND    20u	  /* of all who show a wrong one */

struct entry {
	struct state_token stored;
	struct vgpu_log_limit requests;
};

struct tokens {
	struct state *state;
	pthread_mutex_t change; /* held while the disk is waited for */
	pthread_mutex_t lock;	/* guards what follows, for moments */
	struct entry *entries;
	size_t count;
	struct vgpu_log_limit wrong;
};

static const char *const roles[TOKEN_ROLES] = {
	[TOKEN_READ] = "read",
	[TOKEN_OPERATE] = "operate",
	[TOKEN_HOOK] = "hook",
};

const char *token_role_name(unsigned int role)
{
	return role < TOKEN_ROLES ? roles[role] : NULL;
}

bool token_role_parse(const char *name, enum token_role *role)
{
	for (unsigned int i = 0; i < TOKEN_ROLES; i++)
		if (strcmp(name, roles[i]) == 0) {
			*role = (enum token_role)i;
			return true;
		}
	return false;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

bool token_parse(const char *authorization, char name[64], uint8_t secret[TOKEN_SECRET_BYTES])
{
	static const char scheme[] = "Bearer ";
	const char *dot;
	size_t length;

	if (strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return false;
	authorization += sizeof(scheme) - 1;
	dot = strrchr(authorization, '.');
	length = dot ? (size_t)(dot - authorization) : 0;
	if (length == 0 || length > 63 || strlen(dot + 1) != 2 * (size_t)TOKEN_SECRET_BYTES)
		return false;
	for (size_t i = 0; i < TOKEN_SECRET_BYTES; i++) {
		int high = hex_digit(dot[1 + 2 * i]), low = hex_digit(dot[2 + 2 * i]);

		if (high < 0 || low < 0)
			return false;
		secret[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(name, authorization, length);
	name[length] = '\0';
	return true;
}

static int hash(const uint8_t salt[STATE_SALT_BYTES], const uint8_t secret[TOKEN_SECRET_BYTES],
		uint8_t result[STATE_HASH_BYTES])
{
	uint8_t both[STATE_SALT_BYTES + TOKEN_SECRET_BYTES];

	memcpy(both, salt, STATE_SALT_BYTES);
	memcpy(both + STATE_SALT_BYTES, secret, TOKEN_SECRET_BYTES);
	return gnutls_hash_fast(GNUTLS_DIG_SHA256, both, sizeof(both), result);
}

/* The lock is held. */
static struct entry *find(const struct tokens *tokens, const char *name)
{
	for (size_t i = 0; i < tokens->count; i++)
		if (strcmp(tokens->entries[i].stored.name, name) == 0)
			return &tokens->entries[i];
	return NULL;
}

/* The lock is held, or nobody else is there. */
static int append(struct tokens *tokens, const struct state_token *token)
{
	struct entry *grown =
		reallocarray(tokens->entries, tokens->count + 1, sizeof(*tokens->entries));

	if (!grown)
		return -1;
	tokens->entries = grown;
	grown[tokens->count++] = (struct entry){
		.stored = *token,
		.requests = { .burst = REQUESTS_PER_SECOND, .period_ns = VGPU_NS_PER_SECOND },
	};
	return 0;
}

static int load_one(const struct state_token *token, void *opaque, struct vgpu_error **err)
{
	if (!token_role_name(token->role))
		return vgpu_error_set(err, EILSEQ, "token %s has an unknown role", token->name);
	return append(opaque, token) < 0 ? vgpu_error_set(err, ENOMEM, "out of memory") : 0;
}

int tokens_open(struct state *state, struct tokens **tokens, struct vgpu_error **err)
{
	VGPU_CLEANUP(tokens_close) struct tokens *made = calloc(1, sizeof(*made));

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->state = state;
	made->wrong = (struct vgpu_log_limit){ .burst = WRONG_PER_SECOND,
					       .period_ns = VGPU_NS_PER_SECOND };
	pthread_mutex_init(&made->change, NULL);
	pthread_mutex_init(&made->lock, NULL);
	if (state_each_token(state, load_one, made, err) < 0)
		return -1;
	*tokens = vgpu_steal_pointer(&made);
	return 0;
}

void tokens_close(struct tokens **tokens)
{
	if (!*tokens)
		return;
	free((*tokens)->entries);
	pthread_mutex_destroy(&(*tokens)->change);
	pthread_mutex_destroy(&(*tokens)->lock);
	free(*tokens);
	*tokens = NULL;
}

/* Whether one more may come, of a token (NULL: of all the wrong ones) that was looked at. */
static bool is_allowed(struct tokens *tokens, const char *name)
{
	struct entry *entry;
	bool allowed;

	pthread_mutex_lock(&tokens->lock);
	entry = name ? find(tokens, name) : NULL;
	allowed = vgpu_log_allowed(entry ? &entry->requests : &tokens->wrong, vgpu_now_ns());
	pthread_mutex_unlock(&tokens->lock);
	return allowed;
}

enum token_verdict tokens_check(struct tokens *tokens, const char *authorization,
				enum token_role *role, char name[64])
{
	/* Who names no token is compared with one that nobody has. */
	struct state_token known = { .name = "" };
	uint8_t secret[TOKEN_SECRET_BYTES], result[STATE_HASH_BYTES];
	const struct entry *entry;
	bool there;

	name[0] = '\0';
	if (!authorization || !token_parse(authorization, name, secret))
		return TOKEN_NONE;
	pthread_mutex_lock(&tokens->lock);
	entry = find(tokens, name);
	there = entry;
	if (entry)
		known = entry->stored;
	pthread_mutex_unlock(&tokens->lock);
	if (hash(known.salt, secret, result) < 0 ||
	    gnutls_memcmp(result, known.hash, sizeof(result)) != 0 || !there) {
		name[0] = '\0';
		return is_allowed(tokens, NULL) ? TOKEN_WRONG : TOKEN_TOO_OFTEN;
	}
	/* Only now: who knows no more than a token's name must not use up its rate. */
	if (!is_allowed(tokens, name))
		return TOKEN_TOO_OFTEN;
	if (known.expires && known.expires <= (int64_t)time(NULL))
		return TOKEN_EXPIRED;
	*role = (enum token_role)known.role;
	return TOKEN_GOOD;
}

static int add(struct tokens *tokens, struct state_token *token, struct vgpu_error **err)
{
	bool there, full;
	int status;

	pthread_mutex_lock(&tokens->lock);
	there = find(tokens, token->name);
	full = tokens->count >= TOKENS_MAX;
	pthread_mutex_unlock(&tokens->lock);
	if (there)
		return vgpu_error_set(err, EEXIST, "there is a token \"%s\"", token->name);
	if (full)
		return vgpu_error_set(err, EDQUOT, "there are %u tokens: delete some", TOKENS_MAX);
	if (state_add_token(tokens->state, token, err) < 0)
		return -1;
	pthread_mutex_lock(&tokens->lock);
	status = append(tokens, token);
	pthread_mutex_unlock(&tokens->lock);
	if (status == 0)
		return 0;
	state_delete_token(tokens->state, token->name, NULL);
	return vgpu_error_set(err, ENOMEM, "out of memory");
}

int tokens_add(struct tokens *tokens, const char *name, enum token_role role, int64_t seconds,
	       char text[TOKEN_TEXT_BYTES], struct vgpu_error **err)
{
	struct state_token token = { .role = role, .created = (int64_t)time(NULL) };
	uint8_t secret[TOKEN_SECRET_BYTES];
	int status, length;

	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret) ||
	    getrandom(token.salt, sizeof(token.salt), 0) != sizeof(token.salt) ||
	    hash(token.salt, secret, token.hash) < 0)
		return vgpu_error_set(err, EIO, "cannot make a secret");
	snprintf(token.name, sizeof(token.name), "%s", name);
	token.expires = seconds ? token.created + seconds : 0;
	pthread_mutex_lock(&tokens->change);
	status = add(tokens, &token, err);
	pthread_mutex_unlock(&tokens->change);
	length = snprintf(text, TOKEN_TEXT_BYTES, "%s.", token.name);
	for (size_t i = 0; i < sizeof(secret); i++)
		snprintf(text + length + 2 * i, 3, "%02x", secret[i]);
	return status;
}

int tokens_delete(struct tokens *tokens, const char *name, struct vgpu_error **err)
{
	struct entry *entry;
	int status;

	pthread_mutex_lock(&tokens->change);
	pthread_mutex_lock(&tokens->lock);
	entry = find(tokens, name);
	pthread_mutex_unlock(&tokens->lock);
	status = entry ? state_delete_token(tokens->state, name, err)
		       : vgpu_error_set(err, ENOENT, "there is no token \"%s\"", name);
	pthread_mutex_lock(&tokens->lock);
	if (status == 0)
		*entry = tokens->entries[--tokens->count];
	pthread_mutex_unlock(&tokens->lock);
	pthread_mutex_unlock(&tokens->change);
	return status;
}

void tokens_each(struct tokens *tokens, void (*each)(const struct state_token *token, void *opaque),
		 void *opaque)
{
	pthread_mutex_lock(&tokens->lock);
	for (size_t i = 0; i < tokens->count; i++)
		each(&tokens->entries[i].stored, opaque);
	pthread_mutex_unlock(&tokens->lock);
}
