/* SPDX-License-Identifier: Apache-2.0 */
#include "common/settings.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define BYTES_MAX ((size_t)64 << 10)

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
	static const char blanks[] = " \t\r";
	size_t length;

	text += strspn(text, blanks);
	length = strlen(text);
	while (length > 0 && strchr(blanks, text[length - 1]))
		length--;
	text[length] = '\0';
	return text;
}

/* One line, without its line break; seen has a bit for each key that came before. */
static int read_line(char *line, const struct settings_key *keys, size_t count, void *opaque,
		     unsigned int *seen, struct vgpu_error **err)
{
	const char *name, *value;
	char *equals;

	line = trim(line);
	if (!*line || *line == '#')
		return 0;
	equals = strchr(line, '=');
	if (!equals)
		return vgpu_error_set(err, EINVAL, "\"%s\" is not KEY = VALUE", line);
	*equals = '\0';
	name = trim(line);
	value = trim(equals + 1);
	for (size_t i = 0; i < count && i < SETTINGS_KEYS_MAX; i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (*seen >> i & 1)
			return vgpu_error_set(err, EINVAL, "%s was set before", name);
		*seen |= 1u << i;
		return keys[i].set(opaque, value, err);
	}
	return vgpu_error_set(err, EINVAL, "unknown key \"%s\"", name);
}

int settings_parse(const char *text, size_t length, const char *name,
		   const struct settings_key *keys, size_t count, void *opaque,
		   struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *copy = strndup(text, length);
	unsigned int seen = 0;
	char *rest = copy;
	char *line;

	if (!copy)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	if (memchr(text, '\0', length))
		return vgpu_error_set(err, EINVAL, "%s: not a text file", name);
	for (int number = 1; (line = strsep(&rest, "\n")); number++) {
		if (read_line(line, keys, count, opaque, &seen, err) < 0) {
			vgpu_error_prefix(err, "%s:%d", name, number);
			return -1;
		}
	}
	return 0;
}

static int check_secret(const char *path, const struct stat *st, struct vgpu_error **err)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return vgpu_error_set(err, EACCES, "%s belongs to user %u; it must be root's", path,
				      (unsigned int)st->st_uid);
	if (st->st_mode & (S_IWGRP | S_IRWXO))
		return vgpu_error_set(err, EACCES,
				      "%s has mode %04o, so that others may read or change the "
				      "secret; chmod 0600 it",
				      path, (unsigned int)st->st_mode & 07777);
	return 0;
}

int settings_load(const char *path, bool secret, const struct settings_key *keys, size_t count,
		  void *opaque, struct vgpu_error **err)
{
	/* Without blocking, should it be a FIFO. */
	VGPU_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	VGPU_AUTO_FREE char *text = malloc(BYTES_MAX + 1);
	size_t length = 0;
	struct stat st;
	ssize_t got;

	if (!text)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	if (fd < 0 || fstat(fd, &st) < 0)
		return vgpu_error_errno(err, errno, "%s: cannot open", path);
	if (!S_ISREG(st.st_mode))
		return vgpu_error_set(err, EINVAL, "%s is not a regular file", path);
	if (secret && check_secret(path, &st, err) < 0)
		return -1;
	do {
		got = read(fd, text + length, BYTES_MAX + 1 - length);
		if (got < 0)
			return vgpu_error_errno(err, errno, "%s: cannot read", path);
		length += (size_t)got;
	} while (got > 0 && length <= BYTES_MAX);
	if (length > BYTES_MAX)
		return vgpu_error_set(err, EFBIG, "%s has more than %zu bytes", path, BYTES_MAX);
	return settings_parse(text, length, path, keys, count, opaque, err);
}
