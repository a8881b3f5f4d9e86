/* SPDX-License-Identifier: Apache-2.0 */
/* Between the HTTP side of REST and its handlers. */
#ifndef VGPU_MEDIATORD_REST_INTERNAL_H
#define VGPU_MEDIATORD_REST_INTERNAL_H

#include <stddef.h>

#include <jansson.h>

#include "mediatord/rest.h"
#include "mediatord/rest_router.h"

struct MHD_Daemon;

struct rest {
	const struct config *config;
	struct registry *registry;
	struct control *control;
	struct MHD_Daemon *daemon;
	char *socket_path; /* removed at the end, if it is still ours */
	unsigned long long socket_device, socket_inode;
};

/* A request, whole and checked as far as HTTP goes. */
struct rest_request {
	struct rest_target target;
	const char *body;
	size_t length;
};

struct rest_reply {
	unsigned int status;
	json_t *body; /* owned; NULL for 204, and where there was no memory for one */
	const char *content_type;
	const char *allow; /* for 405 */
	char location[64]; /* for 201; or "" */
};

/* Makes the reply a problem document. field may be "". */
void rest_problem(struct rest_reply *reply, unsigned int status, const char *detail,
		  const char *field);

typedef void rest_handler(struct rest *rest, const struct rest_request *request,
			  struct rest_reply *reply);

rest_handler rest_vm_list, rest_vm_get, rest_vm_put, rest_vm_delete, rest_domain_put,
	rest_domain_delete;

#endif
