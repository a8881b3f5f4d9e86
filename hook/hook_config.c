/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/hook_config.h"

#include <fcntl.h>
#include <string.h>

#include "xml/file.h"

#define CONFIG_BYTES_MAX ((size_t)64 << 10)

void hook_config_defaults(struct hook_config *config)
{
	*config = (struct hook_config){
		.control_socket = VGPU_CONTROL_SOCKET,
		.timeout_ms = HOOK_TIMEOUT_MS,
	};
}

static int set_policy(struct hook_config *config, const char *value, struct vgpu_error **err)
{
	config->best_effort = strcmp(value, "best-effort") == 0;
	if (!config->best_effort && strcmp(value, "required") != 0)
		return vgpu_error_set(err, EINVAL, "policy is \"%s\", not required or best-effort",
				      value);
	return 0;
}

static int set_control_socket(struct hook_config *config, const char *value,
			      struct vgpu_error **err)
{
	if (value[0] != '/')
		return vgpu_error_set(err, EINVAL, "control-socket \"%s\" is not an absolute path",
				      value);
	if (strlen(value) >= sizeof(config->control_socket))
		return vgpu_error_set(err, EINVAL,
				      "control-socket is longer than a socket's path can be "
				      "(%zu bytes)",
				      sizeof(config->control_socket) - 1);
	strcpy(config->control_socket, value);
	return 0;
}

static int set_timeout(struct hook_config *config, const char *value, struct vgpu_error **err)
{
	long number = -1;
	char *end = NULL;

	if (value[0] >= '0' && value[0] <= '9') {
		errno = 0;
		number = strtol(value, &end, 10);
		if (errno || number > HOOK_TIMEOUT_MS_MAX)
			number = HOOK_TIMEOUT_MS_MAX + 1;
	}
	if (number >= 0 && strcmp(end, "s") == 0)
		number *= 1000;
	else if (number < 0 || strcmp(end, "ms") != 0)
		return vgpu_error_set(err, EINVAL,
				      "timeout \"%s\" is not a number with ms or s behind it",
				      value);
	if (number < HOOK_TIMEOUT_MS_MIN || number > HOOK_TIMEOUT_MS_MAX)
		return vgpu_error_set(err, EINVAL, "timeout \"%s\" is not from %d ms to %d ms",
				      value, HOOK_TIMEOUT_MS_MIN, HOOK_TIMEOUT_MS_MAX);
	config->timeout_ms = number;
	return 0;
}

static const struct key {
	const char *name;
	int (*set)(struct hook_config *config, const char *value, struct vgpu_error **err);
} keys[] = {
	{ "policy", set_policy },
	{ "control-socket", set_control_socket },
	{ "timeout", set_timeout },
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

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
static int read_line(struct hook_config *config, char *line, unsigned int *seen,
		     struct vgpu_error **err)
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
	for (size_t i = 0; i < KEYS; i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (*seen >> i & 1)
			return vgpu_error_set(err, EINVAL, "%s was set before", name);
		*seen |= 1u << i;
		return keys[i].set(config, value, err);
	}
	return vgpu_error_set(err, EINVAL, "unknown key \"%s\"", name);
}

int hook_config_parse(struct hook_config *config, const char *text, size_t length, const char *name,
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
		if (read_line(config, line, &seen, err) < 0) {
			vgpu_error_prefix(err, "%s:%d", name, number);
			return -1;
		}
	}
	return 0;
}

int hook_config_load(struct hook_config *config, const char *path, bool may_lack,
		     struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *text = NULL;
	VGPU_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t length;

	if (fd < 0 && errno == ENOENT && may_lack)
		return 0;
	if (fd < 0)
		return vgpu_error_errno(err, errno, "%s: cannot open", path);
	if (file_read(fd, CONFIG_BYTES_MAX, &text, &length, err) < 0) {
		vgpu_error_prefix(err, "%s", path);
		return -1;
	}
	return hook_config_parse(config, text, length, path, err);
}
