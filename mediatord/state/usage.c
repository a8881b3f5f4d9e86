/* SPDX-License-Identifier: Apache-2.0 */
/* What VMs did, kept over restarts. */
#include <errno.h>
#include <string.h>

#include "common/uuid.h"
#include "mediatord/state/internal.h"

static int put_usage(struct state *state, const struct vm_usage *usage, struct vgpu_error **err)
{
	sqlite3_stmt *put = state->statements[STATE_PUT_USAGE];
	VGPU_AUTO_FREE char *counters = usage_encode(usage);
	char text[VGPU_UUID_TEXT];

	if (!counters)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	vgpu_uuid_format(usage->uuid, text);
	sqlite3_bind_text(put, 1, text, -1, SQLITE_STATIC);
	sqlite3_bind_text(put, 2, counters, -1, SQLITE_STATIC);
	return state_finish(state, put, err);
}

int state_put_usages(struct state *state, const struct vm_usage *usages, size_t count,
		     struct vgpu_error **err)
{
	int status;

	pthread_mutex_lock(&state->mutex);
	status = state_run(state, "BEGIN IMMEDIATE", err);
	for (size_t i = 0; status == 0 && i < count; i++)
		status = put_usage(state, &usages[i], err);
	if (status == 0)
		status = state_run(state, "COMMIT", err);
	if (status < 0)
		sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
	pthread_mutex_unlock(&state->mutex);
	return status;
}

/* What the statement's first row begins with, or nothing where there is none. */
static int read_usage(struct state *state, sqlite3_stmt *rows, struct vm_usage *usage,
		      struct vgpu_error **err)
{
	int code = sqlite3_step(rows);
	const char *text;

	if (code == SQLITE_DONE)
		return 0;
	if (code != SQLITE_ROW)
		return state_sqlite_error(state, code, "cannot read", err);
	text = (const char *)sqlite3_column_text(rows, 0);
	return usage_decode(text ? text : "", usage, err);
}

int state_get_usage(struct state *state, struct vm_usage *usage, struct vgpu_error **err)
{
	sqlite3_stmt *rows = NULL;
	char text[VGPU_UUID_TEXT];
	int code, status;

	memset(&usage->usage, 0, sizeof(usage->usage));
	memset(&usage->quarantine, 0, sizeof(usage->quarantine));
	vgpu_uuid_format(usage->uuid, text);
	pthread_mutex_lock(&state->mutex);
	code = sqlite3_prepare_v2(state->db, "SELECT counters FROM usage WHERE uuid = ?1", -1,
				  &rows, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_bind_text(rows, 1, text, -1, SQLITE_STATIC);
	status = code == SQLITE_OK ? read_usage(state, rows, usage, err)
				   : state_sqlite_error(state, code, "cannot read", err);
	sqlite3_finalize(rows);
	pthread_mutex_unlock(&state->mutex);
	return status;
}
