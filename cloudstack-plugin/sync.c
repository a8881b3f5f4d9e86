/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/sync.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cloudstack-plugin/offering.h"
#include "common/log.h"
#include "common/rest_client.h"
#include "common/text.h"
#include "common/uuid.h"

#define REPLY_MAX  ((size_t)1 << 20)
#define NAME_SHOWN 64

/* What CloudStack has of a host, all of it. */
struct site {
	json_t *vms;	   /* an array */
	json_t *offerings; /* by id */
};

static void site_clear(struct site *site)
{
	json_decref(site->vms);
	json_decref(site->offerings);
}

/* A name of CloudStack's that fits a line. */
static const char *shown(const char *text, char name[NAME_SHOWN])
{
	vgpu_text_cut(name, NAME_SHOWN, text ? text : "?");
	vgpu_text_one_line(name);
	return name;
}

/* Finds the host's id. Returns it, borrowed from *hosts, or NULL and err. */
static const char *find_host(struct cs_api *api, const char *host, json_t **hosts,
			     struct vgpu_error **err)
{
	uint8_t uuid[16];
	const struct cs_param params[] = {
		{ "type", "Routing" },
		{ vgpu_uuid_parse(host, uuid) == 0 ? "id" : "name", host },
	};
	const char *found = NULL;
	json_t *item;
	size_t i;

	if (cs_list(api, "listHosts", params, 2, "host", hosts, err) < 0)
		return NULL;
	/* The name that was asked for may be part of others. */
	json_array_foreach (*hosts, i, item) {
		const char *id = cs_text(item, "id"), *name = cs_text(item, "name");

		if (!id || !name || (strcasecmp(name, host) != 0 && strcasecmp(id, host) != 0))
			continue;
		if (found) {
			vgpu_error_set(err, EEXIST,
				       "CloudStack has several hosts \"%s\": set host "
				       "to the id of this one",
				       host);
			return NULL;
		}
		found = id;
	}
	if (!found)
		vgpu_error_set(err, ENOENT,
			       "CloudStack has no host \"%s\" that the key may see: set host to "
			       "its name or id there",
			       host);
	return found;
}

static int get_offerings(struct cs_api *api, json_t *offerings, struct vgpu_error **err)
{
	/* Of all domains, also those that nobody can choose any more but VMs still have. */
	const struct cs_param params[] = {
		{ "listall", "true" },
		{ "isrecursive", "true" },
		{ "state", "all" },
	};
	VGPU_AUTO_JSON json_t *items = NULL;
	json_t *item;
	size_t i;

	if (cs_list(api, "listServiceOfferings", params, 3, "serviceoffering", &items, err) < 0)
		return -1;
	json_array_foreach (items, i, item)
		if (cs_text(item, "id") &&
		    json_object_set(offerings, cs_text(item, "id"), item) < 0)
			return vgpu_error_set(err, ENOMEM, "out of memory");
	return 0;
}

static int get_site(struct cs_api *api, const char *host, struct site *site,
		    struct vgpu_error **err)
{
	VGPU_AUTO_JSON json_t *hosts = NULL;
	const char *id = find_host(api, host, &hosts, err);
	const struct cs_param params[] = {
		{ "hostid", id },
		{ "listall", "true" },
		{ "projectid", "-1" }, /* projects', too */
		{ "details", "servoff" },
	};
	VGPU_AUTO_JSON json_t *items = NULL;
	json_t *item;
	size_t i;

	if (!id ||
	    cs_list(api, "listVirtualMachines", params, 4, "virtualmachine", &items, err) < 0)
		return -1;
	/* Who may not filter by host is answered with others' VMs. */
	json_array_foreach (items, i, item)
		if (cs_text(item, "hostid") && strcmp(cs_text(item, "hostid"), id) == 0 &&
		    json_array_append(site->vms, item) < 0)
			return vgpu_error_set(err, ENOMEM, "out of memory");
	if (json_array_size(site->vms) == 0)
		return 0;
	return get_offerings(api, site->offerings, err);
}

/* What a VM's offering says. Returns it, to be released, or NULL: nothing that can be believed. */
static json_t *values_of(const struct site *site, const json_t *vm)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	const char *id = cs_text(vm, "serviceofferingid");
	const json_t *offering = id ? json_object_get(site->offerings, id) : NULL;
	const json_t *details = json_object_get(offering, "serviceofferingdetails");
	char name[NAME_SHOWN], label[NAME_SHOWN];
	json_t *values = NULL;

	shown(cs_text(vm, "instancename"), label);
	if (!offering) {
		vgpu_log_warning("VM %s: its service offering is not listed; its values stay",
				 label);
		return NULL;
	}
	if (details && !json_is_object(details))
		vgpu_error_set(&err, EPROTO, "its details are no object");
	else
		values = offering_values(details, &err);
	if (!values)
		vgpu_log_warning("VM %s: service offering %s: %s; its values stay", label,
				 shown(cs_text(offering, "name"), name), err->message);
	return values;
}

/* Whether the mediator has these values already: PUT would be written down as a change. */
static bool has(const struct rest_reply *reply, const json_t *values)
{
	VGPU_AUTO_JSON json_t *there = json_loadb(reply->body, reply->length, 0, NULL);

	if (json_is_object(there) && json_object_size(json_object_get(there, "quotas")) == 0)
		json_object_del(there, "quotas");
	return json_equal(there, values);
}

/* Sends a VM's values where they are others. Returns 0, or -1 and err where the mediator cannot be
 * asked. */
static int tell(const struct sync_target *target, const char *uuid, const char *label,
		const json_t *values, struct sync_result *result, struct vgpu_error **err)
{
	const struct rest_server server = {
		.socket = target->socket,
		.timeout_ms = target->timeout_ms,
		.reply_max = REPLY_MAX,
	};
	char path[sizeof("/v1/vms//cloudstack") + VGPU_UUID_TEXT];
	VGPU_AUTO_FREE char *body = json_dumps(values, JSON_COMPACT);
	const struct rest_request get = { .method = "GET", .path = path };
	const struct rest_request put = { .method = "PUT", .path = path, .body = body };
	REST_AUTO_REPLY struct rest_reply reply = { 0 };
	VGPU_AUTO_FREE char *problem = NULL;

	if (!body)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	snprintf(path, sizeof(path), "/v1/vms/%s/cloudstack", uuid);
	if (rest_call(&server, &get, &reply, err) < 0)
		return -1;
	if (rest_success(&reply) && has(&reply, values)) {
		result->same++;
		return 0;
	}
	if (rest_success(&reply)) {
		rest_reply_clear(&reply);
		if (rest_call(&server, &put, &reply, err) < 0)
			return -1;
	}
	if (rest_success(&reply)) {
		vgpu_log_info("VM %s: its service offering says %s", label, body);
		result->told++;
		return 0;
	}
	if (reply.status == 404) {
		result->unregistered++;
		return 0;
	}
	problem = rest_reply_problem(&reply);
	if (reply.status >= 500)
		return vgpu_error_set(err, EAGAIN, "the mediator: %s", problem ? problem : "?");
	vgpu_log_warning("VM %s: the mediator refuses what its service offering says: %s", label,
			 problem ? problem : "out of memory");
	result->refused++;
	return 0;
}

static int sync_vm(const struct site *site, const struct sync_target *target, const json_t *vm,
		   struct sync_result *result, struct vgpu_error **err)
{
	const char *id = cs_text(vm, "id");
	VGPU_AUTO_JSON json_t *values = NULL;
	VGPU_AUTO_FREE char *body = NULL;
	char uuid[VGPU_UUID_TEXT], label[NAME_SHOWN];
	uint8_t bytes[16];

	result->vms++;
	values = id && vgpu_uuid_parse(id, bytes) == 0 ? values_of(site, vm) : NULL;
	if (!values) {
		result->skipped++;
		return 0;
	}
	vgpu_uuid_format(bytes, uuid);
	shown(cs_text(vm, "instancename"), label);
	if (!target->dry_run)
		return tell(target, uuid, label, values, result, err);
	body = json_dumps(values, JSON_COMPACT | JSON_SORT_KEYS);
	if (!body)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	printf("%s %s %s\n", uuid, label, body);
	return 0;
}

int sync_run(struct cs_api *api, const struct sync_target *target, struct sync_result *result,
	     struct vgpu_error **err)
{
	VGPU_CLEANUP(site_clear)
	struct site site = { .vms = json_array(), .offerings = json_object() };
	json_t *vm;
	size_t i;

	*result = (struct sync_result){ 0 };
	if (!site.vms || !site.offerings)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	if (get_site(api, target->host, &site, err) < 0)
		return -1;
	json_array_foreach (site.vms, i, vm)
		if (sync_vm(&site, target, vm, result, err) < 0)
			return -1;
	return 0;
}
