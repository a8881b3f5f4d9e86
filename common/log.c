/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/text.h"

#ifndef VGPU_JOURNAL_SOCKET /* a test has one of its own */
#define VGPU_JOURNAL_SOCKET "/run/systemd/journal/socket"
#endif

#define TEXT_BYTES   1024
#define PACKET_BYTES 4096

static const char *log_program = "vgpu";
static atomic_int log_level = VGPU_LOG_INFO;
static bool log_to_journal;
static int journal_fd = -1;

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

const char *vgpu_log_level_name(int level)
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

void vgpu_log_open_journal(void)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX,
					     .sun_path = VGPU_JOURNAL_SOCKET };
	int fd;

	if (!log_to_journal || journal_fd >= 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		fd = -1;
	}
	journal_fd = fd;
}

void vgpu_log_close_journal(void)
{
	if (journal_fd >= 0)
		close(journal_fd);
	journal_fd = -1;
}

/* Adds "NAME=value" as a line, if there is room for all of it. */
static void add_field(char packet[PACKET_BYTES], size_t *length, const char *name,
		      const char *value)
{
	int n = snprintf(packet + *length, PACKET_BYTES - *length, "%s=%s", name, value);

	if (n < 0 || (size_t)n + 1 >= PACKET_BYTES - *length) {
		packet[*length] = '\0';
		return;
	}
	vgpu_text_one_line(packet + *length);
	*length += (size_t)n;
	packet[(*length)++] = '\n';
}

/* systemd's native journal protocol. Returns whether the journal has taken it. */
static bool send_to_journal(int level, const struct vgpu_log_field *fields, const char *text)
{
	char packet[PACKET_BYTES];
	char priority[16];
	size_t length = 0;

	if (journal_fd < 0)
		return false;
	snprintf(priority, sizeof(priority), "%d", level);
	add_field(packet, &length, "MESSAGE", text);
	add_field(packet, &length, "PRIORITY", priority);
	add_field(packet, &length, "SYSLOG_IDENTIFIER", log_program);
	for (; fields && fields->name; fields++)
		add_field(packet, &length, fields->name, fields->value);
	/* A journal that is full or gone must not stop us: its stream takes the line, or nobody. */
	return send(journal_fd, packet, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length;
}

static void write_to_stderr(int level, const char *text)
{
	char line[TEXT_BYTES + 64];
	ssize_t written;
	int n;

	if (log_to_journal)
		n = snprintf(line, sizeof(line), "<%d>%s\n", level, text);
	else
		n = snprintf(line, sizeof(line), "%s: %s: %s\n", log_program,
			     vgpu_log_level_name(level), text);
	/* A log line that cannot be written has nowhere to be reported. */
	written = write(STDERR_FILENO, line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
	(void)written;
}

void vgpu_log_fields(int level, const struct vgpu_log_field *fields, const char *format, ...)
{
	int saved = errno;
	char text[TEXT_BYTES];
	va_list args;

	if (level > log_level)
		return;
	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	va_end(args);
	vgpu_text_one_line(text);
	if (!send_to_journal(level, fields, text))
		write_to_stderr(level, text);
	errno = saved;
}

int vgpu_log_level_from_name(const char *name)
{
	static const int levels[] = { VGPU_LOG_ERROR, VGPU_LOG_WARNING, VGPU_LOG_INFO,
				      VGPU_LOG_DEBUG };

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(name, vgpu_log_level_name(levels[i])) == 0)
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
