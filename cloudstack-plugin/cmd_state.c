/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vgpu-cloudstack state: CloudStack's agent says that a VM starts or stops. That is a hint and no
 * more: it says nothing when a guest powers off or crashes, so nothing rests on it. libvirt's hook
 * and the reconciler know.
 */
#include <string.h>
#include <syslog.h>

#include "cloudstack-plugin/commands.h"
#include "cloudstack-plugin/quiet.h"

const char help_state[] = "Usage: vgpu-cloudstack state onStart|onStop NAME\n"
			  "Notes in syslog that CloudStack's agent starts or stops a VM.\n";

int command_state(int argc, char **argv)
{
	quiet_begin();
	if (argc == 3 && (strcmp(argv[1], "onStart") == 0 || strcmp(argv[1], "onStop") == 0))
		quiet_say(LOG_INFO, "CloudStack: %s %s", argv[1], argv[2]);
	return 0;
}
