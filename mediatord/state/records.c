/* SPDX-License-Identifier: Apache-2.0 */
/* What is stored beside the VMs: profiles, tokens, the audit log. And the whole in a copy. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "mediatord/state/internal.h"

/* So many pages of a backup are copied before others may write again. */
#define BACKUP_PAGES 256

struct each_profile {
	int (*each)(const struct state_profile *profile, void *opaque, struct vgpu_error **err);
	void *opaque;
};

static int profile_row(struct state *state, sqlite3_stmt *row, void *opaque,
		       struct vgpu_error **err)
{
	VGPU_AUTO_ERROR struct vgpu_error *why = NULL;
	const struct each_profile *each = opaque;
	const char *body = (const char *)sqlite3_column_text(row, 1);
	int length = sqlite3_column_bytes(row, 1);
	struct state_profile profile = { .name = (const char *)sqlite3_column_text(row, 0) };
	struct vm_field_name field;

	if (!profile.name || !body ||
	    vm_layer_decode(body, (size_t)length, &profile.values, &field, &why) < 0)
		return vgpu_error_set(err, EILSEQ, "%s: profile %s: %s", state->path,
				      profile.name ? profile.name : "",
				      why ? why->message : "missing");
	return each->each(&profile, each->opaque, err);
}

int state_each_profile(struct state *state,
		       int (*each)(const struct state_profile *profile, void *opaque,
				   struct vgpu_error **err),
		       void *opaque, struct vgpu_error **err)
{
	struct each_profile with = { .each = each, .opaque = opaque };

	return state_rows(state, "SELECT name, body FROM profile ORDER BY name", profile_row, &with,
			  err);
}

int state_put_profile(struct state *state, const struct state_profile *profile,
		      struct vgpu_error **err)
{
	sqlite3_stmt *put = state->statements[STATE_PUT_PROFILE];
	VGPU_AUTO_FREE char *body = vm_layer_encode(&profile->values);
	int status;

	if (!body)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	pthread_mutex_lock(&state->mutex);
	sqlite3_bind_text(put, 1, profile->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(put, 2, body, -1, SQLITE_STATIC);
	status = state_finish(state, put, err);
	pthread_mutex_unlock(&state->mutex);
	return status;
}

int state_delete_profile(struct state *state, const char *name, struct vgpu_error **err)
{
	return state_delete_named(state, STATE_DELETE_PROFILE, name, err);
}

struct each_token {
	int (*each)(const struct state_token *token, void *opaque, struct vgpu_error **err);
	void *opaque;
};

static int token_row(struct state *state, sqlite3_stmt *row, void *opaque, struct vgpu_error **err)
{
	const struct each_token *each = opaque;
	const char *name = (const char *)sqlite3_column_text(row, 0);
	struct state_token token = {
		.role = (uint32_t)sqlite3_column_int(row, 1),
		.created = sqlite3_column_int64(row, 4),
		.expires = sqlite3_column_int64(row, 5),
	};

	if (!name || strlen(name) >= sizeof(token.name) ||
	    sqlite3_column_bytes(row, 2) != STATE_SALT_BYTES ||
	    sqlite3_column_bytes(row, 3) != STATE_HASH_BYTES)
		return vgpu_error_set(err, EILSEQ, "%s: token %s is damaged", state->path,
				      name ? name : "");
	memcpy(token.name, name, strlen(name) + 1);
	memcpy(token.salt, sqlite3_column_blob(row, 2), sizeof(token.salt));
	memcpy(token.hash, sqlite3_column_blob(row, 3), sizeof(token.hash));
	return each->each(&token, each->opaque, err);
}

int state_each_token(struct state *state,
		     int (*each)(const struct state_token *token, void *opaque,
				 struct vgpu_error **err),
		     void *opaque, struct vgpu_error **err)
{
	struct each_token with = { .each = each, .opaque = opaque };

	return state_rows(state,
			  "SELECT name, role, salt, hash, created, expires FROM token"
			  " ORDER BY name",
			  token_row, &with, err);
}

int state_add_token(struct state *state, const struct state_token *token, struct vgpu_error **err)
{
	sqlite3_stmt *add = state->statements[STATE_ADD_TOKEN];
	int status;

	pthread_mutex_lock(&state->mutex);
	sqlite3_bind_text(add, 1, token->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(add, 2, token->role);
	sqlite3_bind_blob(add, 3, token->salt, sizeof(token->salt), SQLITE_STATIC);
	sqlite3_bind_blob(add, 4, token->hash, sizeof(token->hash), SQLITE_STATIC);
	sqlite3_bind_int64(add, 5, token->created);
	sqlite3_bind_int64(add, 6, token->expires);
	status = state_finish(state, add, err);
	pthread_mutex_unlock(&state->mutex);
	return status;
}

int state_delete_token(struct state *state, const char *name, struct vgpu_error **err)
{
	return state_delete_named(state, STATE_DELETE_TOKEN, name, err);
}

/* With the mutex held. */
static int add_audit(struct state *state, const struct state_audit *audit, struct vgpu_error **err)
{
	sqlite3_stmt *add = state->statements[STATE_ADD_AUDIT];
	sqlite3_stmt *trim = state->statements[STATE_TRIM_AUDIT];
	sqlite3_int64 id;

	sqlite3_bind_int64(add, 1, audit->time);
	sqlite3_bind_text(add, 2, audit->who, -1, SQLITE_STATIC);
	sqlite3_bind_text(add, 3, audit->what, -1, SQLITE_STATIC);
	sqlite3_bind_int64(add, 4, audit->status);
	if (state_finish(state, add, err) < 0)
		return -1;
	id = sqlite3_last_insert_rowid(state->db);
	/* A hundred at a time: not every entry costs two transactions. */
	if (id <= STATE_AUDIT_MAX || id % 100 != 0)
		return 0;
	sqlite3_bind_int64(trim, 1, id - STATE_AUDIT_MAX);
	return state_finish(state, trim, err);
}

int state_add_audit(struct state *state, const struct state_audit *audit, struct vgpu_error **err)
{
	int status;

	pthread_mutex_lock(&state->mutex);
	status = state_run(state, "PRAGMA synchronous = NORMAL", err);
	if (status == 0)
		status = add_audit(state, audit, err);
	/* Never without: what follows may be an operator's change. */
	if (state_run(state, "PRAGMA synchronous = FULL", status == 0 ? err : NULL) < 0)
		status = -1;
	pthread_mutex_unlock(&state->mutex);
	return status;
}

struct each_audit {
	int (*each)(const struct state_audit *audit, void *opaque, struct vgpu_error **err);
	void *opaque;
};

static int audit_row(struct state *state, sqlite3_stmt *row, void *opaque, struct vgpu_error **err)
{
	const struct each_audit *each = opaque;
	const char *who = (const char *)sqlite3_column_text(row, 2);
	const char *what = (const char *)sqlite3_column_text(row, 3);
	struct state_audit audit = {
		.id = sqlite3_column_int64(row, 0),
		.time = sqlite3_column_int64(row, 1),
		.who = who ? who : "",
		.what = what ? what : "",
		.status = (uint32_t)sqlite3_column_int(row, 4),
	};

	(void)state;
	return each->each(&audit, each->opaque, err);
}

int state_each_audit(struct state *state, int64_t after, uint32_t limit,
		     int (*each)(const struct state_audit *audit, void *opaque,
				 struct vgpu_error **err),
		     void *opaque, struct vgpu_error **err)
{
	struct each_audit with = { .each = each, .opaque = opaque };
	char sql[160];

	snprintf(sql, sizeof(sql),
		 "SELECT id, time, who, what, status FROM audit WHERE id > %" PRId64
		 " ORDER BY id LIMIT %" PRIu32,
		 after, limit);
	return state_rows(state, sql, audit_row, &with, err);
}

/* Copies all pages to a database that was opened. Returns SQLite's code. */
static int copy_pages(struct state *state, sqlite3 *copy)
{
	sqlite3_backup *backup;
	int code;

	pthread_mutex_lock(&state->mutex);
	backup = sqlite3_backup_init(copy, "main", state->db, "main");
	pthread_mutex_unlock(&state->mutex);
	if (!backup)
		return sqlite3_errcode(copy);
	do {
		pthread_mutex_lock(&state->mutex);
		code = sqlite3_backup_step(backup, BACKUP_PAGES);
		pthread_mutex_unlock(&state->mutex);
	} while (code == SQLITE_OK);
	pthread_mutex_lock(&state->mutex);
	sqlite3_backup_finish(backup);
	pthread_mutex_unlock(&state->mutex);
	return code;
}

int state_backup(struct state *state, const char *path, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int fd =
		open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	sqlite3 *copy = NULL;
	int code;

	if (fd < 0)
		return vgpu_error_errno(err, errno, "cannot make %s", path);
	code = sqlite3_open_v2(path, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code == SQLITE_OK)
		code = copy_pages(state, copy);
	/* One file, whole by itself: the copy has the original's WAL mode in its header. */
	if (code == SQLITE_DONE)
		code = sqlite3_exec(copy, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	sqlite3_close(copy);
	if (code == SQLITE_OK && fsync(fd) == 0)
		return 0;
	unlink(path);
	return code == SQLITE_OK
		       ? vgpu_error_errno(err, errno, "cannot write %s", path)
		       : vgpu_error_set(err, code == SQLITE_FULL ? ENOSPC : EIO,
					"cannot write %s: %s", path, sqlite3_errstr(code));
}
