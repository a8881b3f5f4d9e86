/* SPDX-License-Identifier: Apache-2.0 */
/* Which resource a request is for, and what may be done with it. Pure. */
#ifndef VGPU_MEDIATORD_REST_ROUTER_H
#define VGPU_MEDIATORD_REST_ROUTER_H

#include <stdint.h>

enum rest_route {
	REST_HEALTH,
	REST_VM_LIST,
	REST_VM_GET,
	REST_VM_PUT,
	REST_VM_DELETE,
	REST_DOMAIN_PUT,
	REST_DOMAIN_DELETE,
	REST_ROUTES
};

struct rest_target {
	enum rest_route route;
	uint8_t uuid[16];  /* of the VM that the path names; 0 otherwise */
	const char *allow; /* the methods of the resource, where the answer is 405 */
};

/*
 * Finds what method and path ask for. The path is as it was sent, without the query: nothing in it
 * needs percent-encoding. Returns 0, or the HTTP status that answers: 404 for an unknown path, 400
 * for a path with something that is no uuid in its place, 405 for a method that the resource does
 * not have.
 */
int rest_route(const char *method, const char *path, struct rest_target *target);

#endif
