/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-cloudstack offerings apply */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cloudstack-plugin/api.h"
#include "cloudstack-plugin/commands.h"
#include "cloudstack-plugin/offerings.h"
#include "cloudstack-plugin/sync_config.h"
#include "common/text.h"

#define FILE_MAX    ((size_t)1 << 20)
#define JOB_LIMIT_S 60
#define KEY_BYTES   64

const char help_offerings[] =
	"Usage: vgpu-cloudstack offerings apply [OPTION]... FILE\n"
	"Shows what is to be done so that CloudStack has the service offerings that FILE, in "
	"JSON,\n"
	"describes; and does it with --yes. What is there as it should be is left alone.\n"
	"\n"
	"  --config FILE  instead of " SYNC_CONFIG "; its key must be an\n"
	"                 administrator's, who may create offerings\n"
	"  --yes          do it\n"
	"  --help         print this and exit\n";

struct work {
	struct cs_api *api;
	bool yes;
	unsigned int changes;
};

/* On one line, whatever CloudStack says. */
__attribute__((format(printf, 3, 4))) static void print_line(const char *mark, const char *name,
							     const char *format, ...)
{
	VGPU_AUTO_FREE char *line = NULL;
	va_list arguments;
	char text[512];

	va_start(arguments, format);
	if (vasprintf(&line, format, arguments) < 0)
		line = NULL;
	va_end(arguments);
	vgpu_text_cut(text, sizeof(text), line ? line : "out of memory");
	vgpu_text_one_line(text);
	printf("%s %s: %s\n", mark, name, text);
}

static int create(struct work *work, const json_t *wanted, struct vgpu_error **err)
{
	struct cs_param params[CS_PARAMS_MAX];
	char keys[CS_PARAMS_MAX][KEY_BYTES];
	const char *display = json_string_value(json_object_get(wanted, "displaytext"));
	const char *name = json_string_value(json_object_get(wanted, "name"));
	VGPU_AUTO_JSON json_t *payload = NULL;
	size_t count = 0, index = 0;
	const char *key;
	json_t *value;

	params[count++] = (struct cs_param){ "name", name };
	params[count++] = (struct cs_param){ "displaytext", display ? display : name };
	json_object_foreach (json_object_get(wanted, "parameters"), key, value)
		params[count++] = (struct cs_param){ key, json_string_value(value) };
	json_object_foreach (json_object_get(wanted, "details"), key, value) {
		snprintf(keys[count], KEY_BYTES, "serviceofferingdetails[%zu].key", index);
		params[count] = (struct cs_param){ keys[count], key };
		count++;
		snprintf(keys[count], KEY_BYTES, "serviceofferingdetails[%zu].value", index);
		params[count] = (struct cs_param){ keys[count], json_string_value(value) };
		count++;
		index++;
	}
	return cs_call(work->api, "createServiceOffering", params, count, &payload, err);
}

static int set_detail(struct work *work, const struct offering_step *step, struct vgpu_error **err)
{
	const struct cs_param params[] = {
		{ "resourcetype", "ServiceOffering" },
		{ "resourceid", step->id },
		{ "details[0].key", step->name },
		{ "details[0].value", step->is },
	};

	return cs_call_job(work->api, "addResourceDetail", params, 4, JOB_LIMIT_S, err);
}

static int remove_detail(struct work *work, const struct offering_step *step,
			 struct vgpu_error **err)
{
	const struct cs_param params[] = {
		{ "resourcetype", "ServiceOffering" },
		{ "resourceid", step->id },
		{ "key", step->name },
	};

	return cs_call_job(work->api, "removeResourceDetail", params, 3, JOB_LIMIT_S, err);
}

/* Shows a step, and takes it where that is wanted. */
static int step_taken(void *opaque, const struct offering_step *step, struct vgpu_error **err)
{
	const char *name = json_string_value(json_object_get(step->wanted, "name"));
	struct work *work = opaque;

	work->changes += step->kind != OFFERING_DIFFERS;
	switch (step->kind) {
	case OFFERING_CREATE:
		print_line("+", name, "create");
		return work->yes ? create(work, step->wanted, err) : 0;
	case OFFERING_SET:
		print_line("~", name, "%s: %s -> %s", step->name, step->was ? step->was : "nothing",
			   step->is);
		return work->yes ? set_detail(work, step, err) : 0;
	case OFFERING_REMOVE:
		print_line("-", name, "%s: was %s", step->name, step->was);
		return work->yes ? remove_detail(work, step, err) : 0;
	case OFFERING_DIFFERS:
		print_line("!", name, "%s is %s and not %s: CloudStack cannot change it",
			   step->name, step->was, step->is);
		return 0;
	}
	return 0;
}

static json_t *read_file(const char *path, struct vgpu_error **err)
{
	VGPU_AUTO_FCLOSE FILE *file = fopen(path, "re");
	VGPU_AUTO_FREE char *text = malloc(FILE_MAX + 1);
	json_t *offerings = NULL;
	size_t length;

	if (!file || !text) {
		vgpu_error_errno(err, errno, "%s: cannot open", path);
		return NULL;
	}
	length = fread(text, 1, FILE_MAX + 1, file);
	if (ferror(file) || length > FILE_MAX)
		vgpu_error_set(err, EINVAL, "it cannot be read, or has more than %zu bytes",
			       FILE_MAX);
	else
		offerings = offerings_read(text, length, err);
	if (!offerings)
		vgpu_error_prefix(err, "%s", path);
	return offerings;
}

static int apply(const struct sync_config *config, const json_t *offerings, bool yes,
		 struct vgpu_error **err)
{
	const struct cs_server server = sync_config_server(config);
	/* A disabled one is there too: another of its name would be one too many. */
	const struct cs_param params[] = {
		{ "listall", "true" },
		{ "isrecursive", "true" },
		{ "state", "all" },
	};
	CS_AUTO_API struct cs_api *api = cs_api_new(&server);
	VGPU_AUTO_JSON json_t *there = NULL;
	struct work work = { .api = api, .yes = yes };
	json_t *wanted;
	size_t i;

	if (!api)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	if (cs_list(api, "listServiceOfferings", params, 3, "serviceoffering", &there, err) < 0)
		return -1;
	json_array_foreach ((json_t *)offerings, i, wanted)
		if (offerings_plan(wanted, there, step_taken, &work, err) != 0)
			return -1;
	if (work.changes == 0)
		puts("Nothing is to be done.");
	else if (!yes)
		puts("Nothing was done: --yes does it.");
	return 0;
}

int command_offerings(int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "yes", no_argument, NULL, 'y' },
		{ NULL, 0, NULL, 0 },
	};
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	SYNC_AUTO_CONFIG struct sync_config config = { 0 };
	VGPU_AUTO_JSON json_t *offerings = NULL;
	const char *path = SYNC_CONFIG;
	int option, status = EX_OK;
	bool yes = false, good = true;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'c')
			path = optarg;
		else if (option == 'y')
			yes = true;
		else
			good = false;
	}
	if (!good || argc - optind != 2 || strcmp(argv[optind], "apply") != 0) {
		fputs("vgpu-cloudstack: see vgpu-cloudstack help offerings\n", stderr);
		return EX_USAGE;
	}
	offerings = read_file(argv[optind + 1], &err);
	if (!offerings)
		status = EX_DATAERR;
	else if (sync_config_load(&config, path, &err) < 0)
		status = EX_CONFIG;
	else if (apply(&config, offerings, yes, &err) < 0)
		status = err->status == EAGAIN ? EX_TEMPFAIL : EX_UNAVAILABLE;
	if (status != EX_OK)
		fprintf(stderr, "vgpu-cloudstack: %s\n", err->message);
	return fflush(stdout) == EOF ? EX_IOERR : status;
}
