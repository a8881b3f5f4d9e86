/* SPDX-License-Identifier: Apache-2.0 */
/* Which resource a request is for, what may be done with it, and who may. Pure. */
#ifndef VGPU_MEDIATORD_REST_ROUTER_H
#define VGPU_MEDIATORD_REST_ROUTER_H

#include <stdint.h>

enum rest_route {
	REST_HEALTH,
	REST_READY,
	REST_METRICS,
	REST_VERSION,
	REST_OPENAPI,
	REST_VM_LIST,
	REST_VM_GET,
	REST_VM_PUT,
	REST_VM_PATCH,
	REST_VM_DELETE,
	REST_VM_CHANNELS,
	REST_VM_TIMES,
	REST_VM_PAUSE,
	REST_VM_RESUME,
	REST_VM_DRAIN,
	REST_VM_RESET,
	REST_VM_QUARANTINE,
	REST_VM_RELEASE,
	REST_CLOUDSTACK_GET,
	REST_CLOUDSTACK_PUT,
	REST_DOMAIN_PUT,
	REST_DOMAIN_DELETE,
	REST_DOMAIN_REPORT,
	REST_PROFILE_LIST,
	REST_PROFILE_GET,
	REST_PROFILE_PUT,
	REST_PROFILE_PATCH,
	REST_PROFILE_DELETE,
	REST_POOL_LIST,
	REST_GPU_LIST,
	REST_SEAT_LIST,
	REST_EVENTS,
	REST_TOKEN_LIST,
	REST_TOKEN_ADD,
	REST_TOKEN_DELETE,
	REST_AUDIT,
	REST_BACKUP,
	REST_UI,
	REST_UI_FILE,
	REST_ROUTES
};

/* What a client must be to have a route. */
enum rest_need {
	REST_NEED_NOTHING,
	REST_NEED_READ,	   /* any token */
	REST_NEED_HOOK,	   /* the role hook or operate */
	REST_NEED_OPERATE, /* the role operate */
	REST_NEED_LOCAL,   /* the control socket: no token is enough */
};

#define REST_NAME_MAX 63

struct rest_target {
	enum rest_route route;
	enum rest_need need;
	uint8_t uuid[16];	      /* of the VM that the path names; 0 otherwise */
	char name[REST_NAME_MAX + 1]; /* that the path has, of a profile or token; or "" */
	const char *allow;	      /* the methods of the resource, where the answer is 405 */
	const char *bad;	      /* "uuid" or "name", where that is why the answer is 400 */
};

/*
 * Finds what method and path ask for. The path is as it was sent, without the query: nothing in it
 * needs percent-encoding. Returns 0, or the HTTP status that answers: 404 for an unknown path, 400
 * for a path with something that is no uuid or no name in its place, 405 for a method that the
 * resource does not have.
 */
int rest_route(const char *method, const char *path, struct rest_target *target);

#endif
