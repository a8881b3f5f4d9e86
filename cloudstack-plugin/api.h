/* SPDX-License-Identifier: Apache-2.0 */
/* A client of CloudStack's API: signed requests, one at a time, over one connection. */
#ifndef VGPU_CLOUDSTACK_API_H
#define VGPU_CLOUDSTACK_API_H

#include <stdint.h>

#include "cloudstack-plugin/answer.h"
#include "cloudstack-plugin/sign.h"

/* The most parameters that a request has besides those that every one has. */
#define CS_PARAMS_MAX 40

/* Where the API is, and whose keys are used. The strings are borrowed. */
struct cs_server {
	const char *url;    /* "https://HOST/client/api" */
	const char *cacert; /* file of the certificates to trust, or NULL: the system's */
	const char *api_key;
	const char *secret_key;
	long timeout_ms;       /* for one answer; more than 0 */
	unsigned int pagesize; /* items a page; the API's default.page.size is the most */
};

struct cs_api;

/* What the client cost so far. */
struct cs_cost {
	unsigned int requests;
	uint64_t bytes; /* of answers' bodies */
};

/* Returns NULL where there is no memory. The server's strings must live as long. */
struct cs_api *cs_api_new(const struct cs_server *server);
void cs_api_free(struct cs_api **api);
#define CS_AUTO_API VGPU_CLEANUP(cs_api_free)

/*
 * Asks for a command and waits for its answer. Returns 0 and *payload, which the caller releases;
 * or -1 and err: cs_answer_read()'s, ETIMEDOUT, ECONNREFUSED and the like, EMSGSIZE where the
 * answer is too long, ENOMEM. Nothing is tried twice: cs_api_retry_after() says when that is
 * wanted.
 */
int cs_call(struct cs_api *api, const char *command, const struct cs_param *params, size_t count,
	    json_t **payload, struct vgpu_error **err);

/* As cs_call(), for what is done asynchronously: waits for the job, `limit_s` seconds at most. */
int cs_call_job(struct cs_api *api, const char *command, const struct cs_param *params,
		size_t count, unsigned int limit_s, struct vgpu_error **err);

/*
 * Gets all pages of a list of items called `name`. Returns 0 and *items, an array of objects that
 * the caller releases; or -1 and err: as cs_call(), EPROTO also where items are missing or too
 * many. Half a list is none.
 */
int cs_list(struct cs_api *api, const char *command, const struct cs_param *params, size_t count,
	    const char *name, json_t **items, struct vgpu_error **err);

/* Seconds that the last answer asked to wait for (Retry-After), at most an hour; 0: it did not. */
unsigned int cs_api_retry_after(const struct cs_api *api);

struct cs_cost cs_api_cost(const struct cs_api *api);

#endif
