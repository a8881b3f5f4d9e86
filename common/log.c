/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/text.h"

static const char *log_program = "vgpu";
static atomic_int log_level = VGPU_LOG_INFO;
static bool log_to_journal;

/* JOURNAL_STREAM holds "device:inode" of the stream that systemd connected (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

void vgpu_log_init(const char *program, int level)
{
	log_program = program;
	log_level = level;
	log_to_journal = stderr_is_journal();
}

void vgpu_log_set_level(int level)
{
	log_level = level;
}

static const char *level_name(int level)
{
	switch (level) {
	case VGPU_LOG_ERROR:
		return "error";
	case VGPU_LOG_WARNING:
		return "warning";
	case VGPU_LOG_INFO:
		return "info";
	default:
		return "debug";
	}
}

void vgpu_log(int level, const char *format, ...)
{
	int saved = errno;
	char line[1024];
	size_t prefix, length;
	ssize_t written;
	va_list args;
	int n;

	if (level > log_level)
		return;
	if (log_to_journal)
		n = snprintf(line, sizeof(line), "<%d>", level);
	else
		n = snprintf(line, sizeof(line), "%s: %s: ", log_program, level_name(level));
	prefix = (size_t)n;
	va_start(args, format);
	n = vsnprintf(line + prefix, sizeof(line) - prefix - 1, format, args);
	va_end(args);
	if (n < 0)
		line[prefix] = '\0';
	vgpu_text_one_line(line + prefix);
	length = strlen(line);
	line[length++] = '\n';
	/* A log line that cannot be written has nowhere to be reported. */
	written = write(STDERR_FILENO, line, length);
	(void)written;
	errno = saved;
}

int vgpu_log_level_from_name(const char *name)
{
	static const int levels[] = { VGPU_LOG_ERROR, VGPU_LOG_WARNING, VGPU_LOG_INFO,
				      VGPU_LOG_DEBUG };

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(name, level_name(levels[i])) == 0)
			return levels[i];
	return -1;
}

bool vgpu_log_allowed(struct vgpu_log_limit *limit, long long now_ns)
{
	if (limit->said == 0 || now_ns - limit->start_ns >= limit->period_ns) {
		limit->start_ns = now_ns;
		limit->said = 0;
	}
	if (limit->said >= limit->burst)
		return false;
	limit->said++;
	return true;
}
