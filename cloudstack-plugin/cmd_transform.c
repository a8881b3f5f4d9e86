/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vgpu-cloudstack transform: CloudStack's agent gives a domain's XML and starts the VM with what
 * comes back; with the XML as it was where the status is not 0. A seat that was not swapped names
 * no device that exists, so such a VM does not start: what goes wrong here gives no VM too much.
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
	"Usage: vgpu-cloudstack transform [--seats FILE] transform XML\n"
	"Prints a domain's XML, with a vGPU in place of the seat that CloudStack gave it. The "
	"second\n"
	"'transform' and the XML are what CloudStack's agent calls its hook with.\n"
	"\n"
	"      --seats FILE  instead of " VGPU_SEATS_FILE "\n";

/* Returns the exit status. */
static int print(const char *xml, size_t length)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (file_write(STDOUT_FILENO, xml, length, &err) == 0)
		return EXIT_SUCCESS;
	quiet_say(LOG_ERR, "transform: %s", err->message);
	return EXIT_FAILURE;
}

static int run(const char *path, const char *xml)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	SEATS_AUTO struct seats seats = { .count = 0 };
	VGPU_AUTO_FREE char *new = NULL;
	size_t length = strlen(xml), new_length;
	int changed;

	/* Most domains have nothing to swap, whatever the state of the seats. */
	if (!strstr(xml, "mdev"))
		return print(xml, length);
	if (seats_load(&seats, path, &err) < 0 && err->status != ENOENT) {
		quiet_say(LOG_ERR, "transform: the seats are not known: %s", err->message);
		return EXIT_FAILURE;
	}
	vgpu_error_free(&err);
	changed = transform(xml, length, &seats, &new, &new_length, &err);
	if (changed < 0) {
		quiet_say(LOG_ERR, "transform: the domain stays as it is: %s", err->message);
		return EXIT_FAILURE;
	}
	return changed ? print(new, new_length) : print(xml, length);
}

int command_transform(int argc, char **argv)
{
	const char *path = VGPU_SEATS_FILE;

	quiet_begin();
	if (argc >= 3 && strcmp(argv[1], "--seats") == 0) {
		path = argv[2];
		argc -= 2;
		argv += 2;
	}
	if (argc != 3 || strcmp(argv[1], "transform") != 0 || !*argv[2]) {
		quiet_say(LOG_ERR, "transform: not called as CloudStack's agent does, with "
				   "\"transform\" and a domain's XML");
		return EXIT_FAILURE;
	}
	return run(path, argv[2]);
}
