/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/hook_config.h"

#include <fcntl.h>
#include <string.h>

#include "common/settings.h"
#include "xml/file.h"

#define CONFIG_BYTES_MAX ((size_t)64 << 10)

void hook_config_defaults(struct hook_config *config)
{
	*config = (struct hook_config){
		.control_socket = VGPU_CONTROL_SOCKET,
		.timeout_ms = HOOK_TIMEOUT_MS,
	};
}

static int set_policy(void *opaque, const char *value, struct vgpu_error **err)
{
	struct hook_config *config = opaque;

	config->best_effort = strcmp(value, "best-effort") == 0;
	if (!config->best_effort && strcmp(value, "required") != 0)
		return vgpu_error_set(err, EINVAL, "policy is \"%s\", not required or best-effort",
				      value);
	return 0;
}

static int set_control_socket(void *opaque, const char *value, struct vgpu_error **err)
{
	struct hook_config *config = opaque;

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

static int set_timeout(void *opaque, const char *value, struct vgpu_error **err)
{
	struct hook_config *config = opaque;
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

static const struct settings_key keys[] = {
	{ "policy", set_policy },
	{ "control-socket", set_control_socket },
	{ "timeout", set_timeout },
};

int hook_config_parse(struct hook_config *config, const char *text, size_t length, const char *name,
		      struct vgpu_error **err)
{
	return settings_parse(text, length, name, keys, sizeof(keys) / sizeof(keys[0]), config,
			      err);
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
