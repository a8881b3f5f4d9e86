/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

#include "cloudstack-plugin/quiet.h"
#include "common/text.h"

void quiet_begin(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	/* Without /dev/null it is better closed than the document's. */
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		close(STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
	openlog("vgpu-cloudstack", LOG_PID, LOG_DAEMON);
}

void quiet_say(int priority, const char *format, ...)
{
	char line[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	vgpu_text_one_line(line);
	syslog(priority, "%s", line);
}
