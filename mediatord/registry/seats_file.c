/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/registry/seats_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/json_auto.h"
#include "common/uuid.h"
#include "mediatord/problem.h"

static json_t *vm_to_json(const struct registry_seat *seat)
{
	char uuid[VGPU_UUID_TEXT];

	if (!seat->used)
		return json_null();
	vgpu_uuid_format(seat->vm, uuid);
	return json_pack("{s:s, s:o}", "uuid", uuid, "name", problem_text_to_json(seat->vm_name));
}

static json_t *bytes_or_null(uint64_t bytes)
{
	return bytes ? json_integer((json_int_t)bytes) : json_null();
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? problem_text_to_json(text) : json_null();
}

json_t *seat_to_json(const struct registry_seat *seat)
{
	const struct state_seat *stored = &seat->stored;
	char uuid[VGPU_UUID_TEXT];

	vgpu_uuid_format(stored->uuid, uuid);
	return json_pack("{s:s, s:o, s:i, s:o, s:b, s:b, s:{s:o, s:i, s:o, s:o, s:o}, s:o}", "uuid",
			 uuid, "profile", problem_text_to_json(stored->profile), "number",
			 (int)stored->number, "memory_bytes", bytes_or_null(seat->memory_bytes),
			 "offered", (int)seat->offered, "present", (int)seat->present, "gpu", "id",
			 problem_text_to_json(stored->gpu), "index", (int)stored->gpu_index, "name",
			 text_or_null(stored->gpu_name), "pci_address",
			 text_or_null(stored->pci_address), "memory_bytes",
			 bytes_or_null(stored->gpu_memory_bytes), "vm", vm_to_json(seat));
}

char *seats_file_text(const char *link_dir, const struct registry_seat *seats, size_t count)
{
	VGPU_AUTO_JSON json_t *list = json_array();
	VGPU_AUTO_JSON json_t *file = NULL;

	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(list, seat_to_json(&seats[i])) < 0)
			return NULL;
	file = json_pack("{s:i, s:s, s:O}", "format", SEATS_FILE_FORMAT, "link_dir", link_dir,
			 "seats", list);
	return file ? json_dumps(file, JSON_INDENT(1)) : NULL;
}

static int write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t written = write(fd, text, left);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		text += written;
		left -= (size_t)written;
	}
	return fsync(fd);
}

int seats_file_write(const char *state, const char *text, struct vgpu_error **err)
{
	const char *slash = strrchr(state, '/');
	int length = slash ? (int)(slash - state) : 0;
	VGPU_AUTO_FREE char *path = NULL, *new = NULL;
	VGPU_AUTO_CLOSE int fd = -1;

	if (asprintf(&path, "%.*s/" SEATS_FILE_NAME, length, state) < 0)
		path = NULL;
	if (!path || asprintf(&new, "%s.new", path) < 0) {
		new = NULL;
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write_all(fd, text) < 0 || rename(new, path) < 0)
		return vgpu_error_errno(err, errno, "cannot write %s", path);
	return 0;
}
