/* SPDX-License-Identifier: Apache-2.0 */
/* The seats, as they are stored: made once, and kept for a while where GPU or profile are away. */
#include <errno.h>
#include <string.h>

#include "common/uuid.h"
#include "mediatord/state/internal.h"

struct each_seat {
	int (*each)(const struct state_seat *seat, void *opaque, struct vgpu_error **err);
	void *opaque;
};

/* Returns whether the column's text fits. */
static bool copy_text(sqlite3_stmt *row, int column, char *to, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	if (!text || strlen(text) >= size)
		return false;
	strcpy(to, text);
	return true;
}

static int seat_row(struct state *state, sqlite3_stmt *row, void *opaque, struct vgpu_error **err)
{
	const struct each_seat *each = opaque;
	const char *uuid = (const char *)sqlite3_column_text(row, 0);
	struct state_seat seat = {
		.number = (uint32_t)sqlite3_column_int64(row, 3),
		.gpu_index = (uint32_t)sqlite3_column_int64(row, 4),
		.gpu_memory_bytes = (uint64_t)sqlite3_column_int64(row, 7),
		.away_since_s = sqlite3_column_int64(row, 8),
	};

	if (!uuid || vgpu_uuid_parse(uuid, seat.uuid) < 0 ||
	    !copy_text(row, 1, seat.gpu, sizeof(seat.gpu)) ||
	    !copy_text(row, 2, seat.profile, sizeof(seat.profile)) ||
	    !copy_text(row, 5, seat.pci_address, sizeof(seat.pci_address)) ||
	    !copy_text(row, 6, seat.gpu_name, sizeof(seat.gpu_name)))
		return vgpu_error_set(err, EILSEQ, "%s: seat %s is damaged", state->path,
				      uuid ? uuid : "");
	return each->each(&seat, each->opaque, err);
}

int state_each_seat(struct state *state,
		    int (*each)(const struct state_seat *seat, void *opaque,
				struct vgpu_error **err),
		    void *opaque, struct vgpu_error **err)
{
	struct each_seat with = { .each = each, .opaque = opaque };

	return state_rows(state,
			  "SELECT uuid, gpu, profile, number, gpu_index, pci_address, gpu_name,"
			  " gpu_memory, away_since FROM seat ORDER BY uuid",
			  seat_row, &with, err);
}

static int put_seat(struct state *state, const struct state_seat *seat, struct vgpu_error **err)
{
	sqlite3_stmt *put = state->statements[STATE_PUT_SEAT];
	char uuid[VGPU_UUID_TEXT];

	vgpu_uuid_format(seat->uuid, uuid);
	sqlite3_bind_text(put, 1, uuid, -1, SQLITE_STATIC);
	sqlite3_bind_text(put, 2, seat->gpu, -1, SQLITE_STATIC);
	sqlite3_bind_text(put, 3, seat->profile, -1, SQLITE_STATIC);
	sqlite3_bind_int64(put, 4, seat->number);
	sqlite3_bind_int64(put, 5, seat->gpu_index);
	sqlite3_bind_text(put, 6, seat->pci_address, -1, SQLITE_STATIC);
	sqlite3_bind_text(put, 7, seat->gpu_name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(put, 8, (sqlite3_int64)seat->gpu_memory_bytes);
	sqlite3_bind_int64(put, 9, seat->away_since_s);
	return state_finish(state, put, err);
}

static int forget_seats(struct state *state, int64_t before_s, struct vgpu_error **err)
{
	sqlite3_stmt *forget = state->statements[STATE_FORGET_SEATS];

	sqlite3_bind_int64(forget, 1, before_s);
	return state_finish(state, forget, err);
}

int state_put_seats(struct state *state, const struct state_seat *seats, size_t count,
		    int64_t before_s, struct vgpu_error **err)
{
	int status;

	pthread_mutex_lock(&state->mutex);
	status = state_run(state, "BEGIN IMMEDIATE", err);
	for (size_t i = 0; status == 0 && i < count; i++)
		status = put_seat(state, &seats[i], err);
	if (status == 0)
		status = forget_seats(state, before_s, err);
	if (status == 0)
		status = state_run(state, "COMMIT", err);
	if (status < 0)
		sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
	pthread_mutex_unlock(&state->mutex);
	return status;
}
