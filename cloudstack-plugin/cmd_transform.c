/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vgpu-cloudstack transform: CloudStack's agent gives a domain's XML and starts the VM with what
 * comes back; with the XML as it was where the status is not 0. A seat that was not swapped names
 * no device that exists, so such a VM does not start: what goes wrong here gives no VM too much.
 * One that is to have a vGPU by its metadata alone would start without: it gets an empty answer,
 * with which the agent starts nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cloudstack-plugin/commands.h"
#include "cloudstack-plugin/quiet.h"
#include "cloudstack-plugin/transform.h"
#include "xml/file.h"

const char help_transform[] =
	"Usage: vgpu-cloudstack transform [OPTION]... transform XML\n"
	"Prints a domain's XML, with a vGPU in place of the seat that CloudStack gave it. The "
	"second\n"
	"'transform' and the XML are what CloudStack's agent calls its hook with.\n"
	"\n"
	"      --profiles FILE  instead of " VGPU_PROFILES_FILE "\n"
	"      --seats FILE     instead of " VGPU_SEATS_FILE "\n";

/* Returns the exit status. */
static int print(const char *xml, size_t length)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (file_write(STDOUT_FILENO, xml, length, &err) == 0)
		return EXIT_SUCCESS;
	quiet_say(LOG_ERR, "transform: %s", err->message);
	return EXIT_FAILURE;
}

static int run(const char *seats_path, const char *profiles_path, const char *xml)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	PROFILES_AUTO struct profiles profiles = { .file = NULL };
	SEATS_AUTO struct seats seats = { .count = 0 };
	VGPU_AUTO_FREE char *new = NULL;
	size_t length = strlen(xml), new_length;
	bool mdev = strstr(xml, "mdev"), needed;
	bool named = strstr(xml, OFFERING_NAMESPACE) || strstr(xml, VGPU_DOMAIN_NAMESPACE);
	int changed;

	/* Most domains have nothing to swap, whatever the state of the files. */
	if (named && profiles_load(&profiles, profiles_path, &err) < 0) {
		quiet_say(LOG_ERR, "transform: the offerings' profiles are not known: %s",
			  err->message);
		if (!mdev)
			return EXIT_FAILURE;
		vgpu_error_free(&err);
	}
	if (!mdev && !profiles.file)
		return print(xml, length);
	if (seats_load(&seats, seats_path, &err) < 0 && err->status != ENOENT) {
		quiet_say(LOG_ERR, "transform: the seats are not known: %s", err->message);
		return EXIT_FAILURE;
	}
	vgpu_error_free(&err);
	changed = transform(xml, length, &seats, &profiles, &new, &new_length, &needed, &err);
	if (changed < 0) {
		quiet_say(LOG_ERR, "transform: the domain %s: %s",
			  needed ? "does not start" : "stays as it is", err->message);
		return needed ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	return changed ? print(new, new_length) : print(xml, length);
}

int command_transform(int argc, char **argv)
{
	const char *seats = VGPU_SEATS_FILE, *profiles = VGPU_PROFILES_FILE;

	quiet_begin();
	for (; argc >= 3; argc -= 2, argv += 2) {
		if (strcmp(argv[1], "--seats") == 0)
			seats = argv[2];
		else if (strcmp(argv[1], "--profiles") == 0)
			profiles = argv[2];
		else
			break;
	}
	if (argc != 3 || strcmp(argv[1], "transform") != 0 || !*argv[2]) {
		quiet_say(LOG_ERR, "transform: not called as CloudStack's agent does, with "
				   "\"transform\" and a domain's XML");
		return EXIT_FAILURE;
	}
	return run(seats, profiles, argv[2]);
}
