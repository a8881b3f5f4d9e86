/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/rest/router.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "common/uuid.h"

#define BAD_REQUEST	   400
#define NOT_FOUND	   404
#define METHOD_NOT_ALLOWED 405

#define METHODS_MAX 5

/* What comes between prefix and suffix. */
enum variable {
	NOTHING,
	UUID,
	NAME
};

struct resource {
	const char *prefix;
	enum variable variable;
	const char *suffix;
	const char *allow;
	struct {
		const char *name;
		enum rest_route route;
		enum rest_need need;
	} methods[METHODS_MAX];
};

/* HEAD is GET without the body of the answer (RFC 9110, 9.3.2). */
#define READ(route, need)                                                                          \
	{ "GET", route, need },                                                                    \
	{                                                                                          \
		"HEAD", route, need                                                                \
	}
#define ONLY_READ(route, need)                                                                     \
	"GET, HEAD",                                                                               \
	{                                                                                          \
		READ(route, need)                                                                  \
	}
#define ACTION(route)                                                                              \
	"POST",                                                                                    \
	{                                                                                          \
		{                                                                                  \
			"POST", route, REST_NEED_OPERATE                                           \
		}                                                                                  \
	}

static const struct resource resources[] = {
	{ "/v1/vms/",
	  UUID,
	  "",
	  "GET, HEAD, PUT, PATCH, DELETE",
	  { READ(REST_VM_GET, REST_NEED_READ),
	    { "PUT", REST_VM_PUT, REST_NEED_OPERATE },
	    { "PATCH", REST_VM_PATCH, REST_NEED_OPERATE },
	    { "DELETE", REST_VM_DELETE, REST_NEED_OPERATE } } },
	{ "/v1/vms/",
	  UUID,
	  "/domain",
	  "PUT, DELETE",
	  { { "PUT", REST_DOMAIN_PUT, REST_NEED_HOOK },
	    { "DELETE", REST_DOMAIN_DELETE, REST_NEED_HOOK } } },
	{ "/v1/vms/",
	  UUID,
	  "/domain/state",
	  "PUT",
	  { { "PUT", REST_DOMAIN_REPORT, REST_NEED_LOCAL } } },
	{ "/v1/vms/",
	  UUID,
	  "/cloudstack",
	  "GET, HEAD, PUT",
	  { READ(REST_CLOUDSTACK_GET, REST_NEED_READ),
	    { "PUT", REST_CLOUDSTACK_PUT, REST_NEED_OPERATE } } },
	{ "/v1/vms/", UUID, "/channels", ONLY_READ(REST_VM_CHANNELS, REST_NEED_READ) },
	{ "/v1/vms/", UUID, "/times", ONLY_READ(REST_VM_TIMES, REST_NEED_READ) },
	{ "/v1/vms/", UUID, "/pause", ACTION(REST_VM_PAUSE) },
	{ "/v1/vms/", UUID, "/resume", ACTION(REST_VM_RESUME) },
	{ "/v1/vms/", UUID, "/drain", ACTION(REST_VM_DRAIN) },
	{ "/v1/vms/", UUID, "/reset", ACTION(REST_VM_RESET) },
	{ "/v1/vms/", UUID, "/quarantine", ACTION(REST_VM_QUARANTINE) },
	{ "/v1/vms/", UUID, "/release", ACTION(REST_VM_RELEASE) },
	{ "/v1/vms", NOTHING, "", ONLY_READ(REST_VM_LIST, REST_NEED_READ) },
	{ "/v1/profiles/",
	  NAME,
	  "",
	  "GET, HEAD, PUT, PATCH, DELETE",
	  { READ(REST_PROFILE_GET, REST_NEED_READ),
	    { "PUT", REST_PROFILE_PUT, REST_NEED_OPERATE },
	    { "PATCH", REST_PROFILE_PATCH, REST_NEED_OPERATE },
	    { "DELETE", REST_PROFILE_DELETE, REST_NEED_OPERATE } } },
	{ "/v1/profiles", NOTHING, "", ONLY_READ(REST_PROFILE_LIST, REST_NEED_READ) },
	{ "/v1/pools", NOTHING, "", ONLY_READ(REST_POOL_LIST, REST_NEED_READ) },
	{ "/v1/gpus", NOTHING, "", ONLY_READ(REST_GPU_LIST, REST_NEED_READ) },
	{ "/v1/seats", NOTHING, "", ONLY_READ(REST_SEAT_LIST, REST_NEED_READ) },
	{ "/v1/events", NOTHING, "", "GET", { { "GET", REST_EVENTS, REST_NEED_READ } } },
	{ "/v1/tokens",
	  NOTHING,
	  "",
	  "GET, HEAD, POST",
	  { READ(REST_TOKEN_LIST, REST_NEED_LOCAL), { "POST", REST_TOKEN_ADD, REST_NEED_LOCAL } } },
	{ "/v1/tokens/", NAME, "", "DELETE", { { "DELETE", REST_TOKEN_DELETE, REST_NEED_LOCAL } } },
	{ "/v1/audit", NOTHING, "", ONLY_READ(REST_AUDIT, REST_NEED_OPERATE) },
	{ "/v1/backup", NOTHING, "", ACTION(REST_BACKUP) },
	{ "/v1/version", NOTHING, "", ONLY_READ(REST_VERSION, REST_NEED_READ) },
	{ "/v1/openapi.yaml", NOTHING, "", ONLY_READ(REST_OPENAPI, REST_NEED_NOTHING) },
	{ "/metrics", NOTHING, "", ONLY_READ(REST_METRICS, REST_NEED_READ) },
	{ "/ui", NOTHING, "", ONLY_READ(REST_UI, REST_NEED_NOTHING) },
	{ "/ui/", NOTHING, "", ONLY_READ(REST_UI_FILE, REST_NEED_NOTHING) },
	{ "/ui/", NAME, "", ONLY_READ(REST_UI_FILE, REST_NEED_NOTHING) },
	{ "/healthz", NOTHING, "", ONLY_READ(REST_HEALTH, REST_NEED_NOTHING) },
	{ "/readyz", NOTHING, "", ONLY_READ(REST_READY, REST_NEED_NOTHING) },
};

/*
 * Whether the path has the form of the resource; the part between prefix and suffix goes to *text
 * and *length.
 */
static bool path_matches(const struct resource *resource, const char *path, const char **text,
			 size_t *length)
{
	size_t prefix = strlen(resource->prefix);

	if (resource->variable == NOTHING)
		return strcmp(path, resource->prefix) == 0;
	if (strncmp(path, resource->prefix, prefix) != 0)
		return false;
	*text = path + prefix;
	*length = strcspn(*text, "/");
	return *length > 0 && strcmp(*text + *length, resource->suffix) == 0;
}

static bool take_uuid(const char *text, size_t length, struct rest_target *target)
{
	char uuid[VGPU_UUID_TEXT] = "";

	target->bad = "uuid";
	if (length != sizeof(uuid) - 1)
		return false;
	memcpy(uuid, text, length);
	return vgpu_uuid_parse(uuid, target->uuid) == 0;
}

static bool take_name(const char *text, size_t length, struct rest_target *target)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._-";

	target->bad = "name";
	if (length > REST_NAME_MAX || strspn(text, good) < length)
		return false;
	/* Clients take these out of a path (RFC 3986, 5.2.4). */
	if (strncmp(text, "..", length) == 0)
		return false;
	memcpy(target->name, text, length);
	return true;
}

int rest_route(const char *method, const char *path, struct rest_target *target)
{
	*target = (struct rest_target){ 0 };
	for (size_t i = 0; i < sizeof(resources) / sizeof(*resources); i++) {
		const struct resource *resource = &resources[i];
		const char *text = NULL;
		size_t length = 0;

		if (!path_matches(resource, path, &text, &length))
			continue;
		if ((resource->variable == UUID && !take_uuid(text, length, target)) ||
		    (resource->variable == NAME && !take_name(text, length, target)))
			return BAD_REQUEST;
		target->bad = NULL;
		for (size_t m = 0; m < METHODS_MAX && resource->methods[m].name; m++) {
			if (strcmp(method, resource->methods[m].name) == 0) {
				target->route = resource->methods[m].route;
				target->need = resource->methods[m].need;
				return 0;
			}
		}
		target->allow = resource->allow;
		return METHOD_NOT_ALLOWED;
	}
	return NOT_FOUND;
}
