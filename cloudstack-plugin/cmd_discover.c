/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vgpu-cloudstack discover: CloudStack's agent asks for the host's GPUs. What its own script says
 * comes first, and the seats are put under their cards; each source that fails, hangs or says
 * nonsense costs no other. A device that is missing here CloudStack marks as broken, so where the
 * script fails its last good answer stands for it, with libvirt's word on who has what by now.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cloudstack-plugin/child.h"
#include "cloudstack-plugin/commands.h"
#include "cloudstack-plugin/merge.h"
#include "cloudstack-plugin/quiet.h"
#include "cloudstack-plugin/running.h"
#include "common/clock.h"
#include "common/json_auto.h"
#include "xml/file.h"

/* The agent waits 30 s; an answer takes less than 5. */
#define LIMIT_NS (4 * VGPU_NS_PER_SECOND)

const char help_discover[] =
	"Usage: vgpu-cloudstack discover [OPTION]...\n"
	"Prints the host's GPUs as CloudStack's gpudiscovery.sh does, with their seats.\n"
	"\n"
	"      --last FILE         instead of " VGPU_LAST_FILE "\n"
	"      --libvirt URI       instead of qemu:///system\n"
	"      --original PROGRAM  CloudStack's own gpudiscovery.sh, whose answer comes first\n"
	"      --seats FILE        instead of " VGPU_SEATS_FILE "\n"
	"      --sysfs DIR         instead of /sys/bus/pci/devices\n";

struct options {
	const char *seats, *original, *last, *uri, *sysfs;
};

static int run_original(void *opaque)
{
	const struct options *options = opaque;

	execl(options->original, options->original, (char *)NULL);
	return 127;
}

static int run_running(void *opaque)
{
	const struct options *options = opaque;

	return running_print(options->uri);
}

enum {
	ORIGINAL,
	RUNNING,
	CHILDREN
};

/* The original's last good answer, or one without any GPU. */
static json_t *last_answer(const char *path, const json_t *running)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE char *text = NULL;
	json_t *json = NULL;
	size_t length;

	if (file_read_path(path, CHILD_OUTPUT_MAX, &text, &length, &err) == 0)
		json = merge_read(text, length);
	if (!json) {
		quiet_say(LOG_WARNING, "discover: no earlier answer in %s", path);
		return json_pack("{s:[]}", "gpus");
	}
	if (running && merge_update_users(json_object_get(json, "gpus"), running) != 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

/* What the original says, or said. NULL: no memory. */
static json_t *original_answer(const struct child *child, const char *path, const json_t *running)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	json_t *json = child->succeeded ? merge_read(child->output, child->length) : NULL;

	if (json) {
		if (file_put(path, child->output, child->length, &err) < 0)
			quiet_say(LOG_WARNING, "discover: %s: %s", path, err->message);
		return json;
	}
	if (!child->name)
		return json_pack("{s:[]}", "gpus");
	quiet_say(LOG_WARNING, "discover: %s gave no list of GPUs; its last one is taken",
		  child->name);
	return last_answer(path, running);
}

static int print(json_t *answer)
{
	if (json_dumpf(answer, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF ||
	    fflush(stdout) == EOF)
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static int answer(const struct options *options, const struct child children[CHILDREN],
		  const struct seats *seats)
{
	VGPU_AUTO_JSON json_t *result = NULL;
	VGPU_AUTO_JSON json_t *running = NULL;
	json_t *gpus;

	if (children[RUNNING].succeeded)
		running = json_loadb(children[RUNNING].output, children[RUNNING].length, 0, NULL);
	if (!running)
		quiet_say(LOG_WARNING, "discover: libvirt does not say which domains run; who has "
				       "a seat is as the mediator knew it last");
	result = original_answer(&children[ORIGINAL], options->last, running);
	gpus = json_object_get(result, "gpus");
	if (!result || merge_missing_cards(gpus, seats, options->sysfs) < 0 ||
	    merge_seats(gpus, seats, running) < 0) {
		quiet_say(LOG_ERR, "discover: out of memory");
		return EXIT_FAILURE;
	}
	return print(result);
}

static int discover(const struct options *options)
{
	struct child children[CHILDREN] = { { .fd = -1 }, { .fd = -1 } };
	int64_t deadline_ns = vgpu_now_ns() + LIMIT_NS;
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	SEATS_AUTO struct seats seats = { .count = 0 };
	int status = EXIT_FAILURE;

	if (seats_load(&seats, options->seats, &err) < 0 && err->status != ENOENT) {
		/* Without them every seat would be broken to CloudStack. */
		quiet_say(LOG_ERR, "discover: the seats are not known: %s", err->message);
		return EXIT_FAILURE;
	}
	vgpu_error_free(&err);
	if (options->original && child_start(&children[ORIGINAL], options->original, run_original,
					     (void *)options, &err) < 0)
		quiet_say(LOG_ERR, "discover: %s", err->message);
	vgpu_error_free(&err);
	if (child_start(&children[RUNNING], "libvirt", run_running, (void *)options, &err) < 0)
		quiet_say(LOG_ERR, "discover: %s", err->message);
	children_wait(children, CHILDREN, deadline_ns);
	status = answer(options, children, &seats);
	for (int i = 0; i < CHILDREN; i++)
		child_clear(&children[i]);
	return status;
}

int command_discover(int argc, char **argv)
{
	struct options options = {
		.seats = VGPU_SEATS_FILE,
		.last = VGPU_LAST_FILE,
		.uri = "qemu:///system",
		.sysfs = "/sys/bus/pci/devices",
	};

	quiet_begin();
	for (; argc >= 3; argc -= 2, argv += 2) {
		if (strcmp(argv[1], "--seats") == 0)
			options.seats = argv[2];
		else if (strcmp(argv[1], "--original") == 0)
			options.original = argv[2];
		else if (strcmp(argv[1], "--last") == 0)
			options.last = argv[2];
		else if (strcmp(argv[1], "--sysfs") == 0)
			options.sysfs = argv[2];
		else if (strcmp(argv[1], "--libvirt") == 0)
			options.uri = argv[2];
		else
			break;
	}
	if (argc > 1) {
		quiet_say(LOG_ERR, "discover: \"%s\" is no option, or lacks its value", argv[1]);
		return EXIT_FAILURE;
	}
	return discover(&options);
}
