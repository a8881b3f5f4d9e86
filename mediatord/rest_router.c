/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/rest_router.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "common/uuid.h"

#define BAD_REQUEST	   400
#define NOT_FOUND	   404
#define METHOD_NOT_ALLOWED 405

#define METHODS_MAX 4

struct resource {
	const char *prefix; /* all of the path, or what comes before the uuid */
	bool has_uuid;
	const char *suffix; /* what comes after the uuid */
	const char *allow;
	struct {
		const char *name;
		enum rest_route route;
	} methods[METHODS_MAX];
};

/* HEAD is GET without the body of the answer (RFC 9110, 9.3.2). */
static const struct resource resources[] = {
	{ "/healthz", false, "", "GET, HEAD", { { "GET", REST_HEALTH }, { "HEAD", REST_HEALTH } } },
	{ "/v1/vms",
	  false,
	  "",
	  "GET, HEAD",
	  { { "GET", REST_VM_LIST }, { "HEAD", REST_VM_LIST } } },
	{ "/v1/vms/",
	  true,
	  "",
	  "GET, HEAD, PUT, DELETE",
	  { { "GET", REST_VM_GET },
	    { "HEAD", REST_VM_GET },
	    { "PUT", REST_VM_PUT },
	    { "DELETE", REST_VM_DELETE } } },
	{ "/v1/vms/",
	  true,
	  "/domain",
	  "PUT, DELETE",
	  { { "PUT", REST_DOMAIN_PUT }, { "DELETE", REST_DOMAIN_DELETE } } },
};

/*
 * Whether the path has the form of the resource; the part where the uuid belongs goes to *uuid and
 * *length.
 */
static bool path_matches(const struct resource *resource, const char *path, const char **uuid,
			 size_t *length)
{
	size_t prefix = strlen(resource->prefix);

	if (!resource->has_uuid)
		return strcmp(path, resource->prefix) == 0;
	if (strncmp(path, resource->prefix, prefix) != 0)
		return false;
	*uuid = path + prefix;
	*length = strcspn(*uuid, "/");
	return *length > 0 && strcmp(*uuid + *length, resource->suffix) == 0;
}

int rest_route(const char *method, const char *path, struct rest_target *target)
{
	*target = (struct rest_target){ 0 };
	for (size_t i = 0; i < sizeof(resources) / sizeof(*resources); i++) {
		const struct resource *resource = &resources[i];
		char uuid[VGPU_UUID_TEXT] = "";
		const char *text = NULL;
		size_t length = 0;

		if (!path_matches(resource, path, &text, &length))
			continue;
		if (resource->has_uuid) {
			if (length != sizeof(uuid) - 1)
				return BAD_REQUEST;
			memcpy(uuid, text, length);
			if (vgpu_uuid_parse(uuid, target->uuid) < 0)
				return BAD_REQUEST;
		}
		for (size_t m = 0; m < METHODS_MAX && resource->methods[m].name; m++) {
			if (strcmp(method, resource->methods[m].name) == 0) {
				target->route = resource->methods[m].route;
				return 0;
			}
		}
		target->allow = resource->allow;
		return METHOD_NOT_ALLOWED;
	}
	return NOT_FOUND;
}
