/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "common/uuid.h"

#define BUSY_TIMEOUT_MS 5000
#define APPLICATION_ID	0x76475055 /* "vGPU": tells our database from another program's */

struct state {
	pthread_mutex_t mutex;
	sqlite3 *db;
	sqlite3_stmt *put;
	sqlite3_stmt *delete;
	sqlite3_stmt *put_usage;
	char *path;
};

/*
 * Step n brings a database of version n to n + 1; user_version holds the version. Steps are never
 * changed once released, only added.
 */
static const char *const migrations[] = {
	"CREATE TABLE vm ("
	" uuid TEXT PRIMARY KEY NOT NULL CHECK (length(uuid) = 36),"
	" vm_id INTEGER NOT NULL UNIQUE CHECK (vm_id > 0),"
	" attached INTEGER NOT NULL CHECK (attached IN (0, 1)),"
	" domain TEXT NOT NULL,"
	" operator TEXT NOT NULL"
	") WITHOUT ROWID;",
	"CREATE TABLE usage ("
	" uuid TEXT PRIMARY KEY NOT NULL REFERENCES vm (uuid) ON DELETE CASCADE,"
	" counters TEXT NOT NULL"
	") WITHOUT ROWID;",
};
#define SCHEMA_VERSION ((int)(sizeof(migrations) / sizeof(*migrations)))

static const char *const layer_columns[VM_HANDS] = {
	[VM_HAND_DOMAIN] = "domain",
	[VM_HAND_OPERATOR] = "operator",
};

/* The column that the n-th layer has in the statements below. */
#define LAYER_COLUMN(hand) (3 + (hand))
_Static_assert(VM_HAND_DOMAIN == 0 && VM_HAND_OPERATOR == 1 && VM_HANDS == 2, "columns' order");

/*
 * What the system said when SQLite could not write. SQLite calls only ENOSPC a full disk and keeps
 * a quota's or a limit's errno with the file, which in WAL mode is the log.
 */
static int write_errno(sqlite3 *db)
{
	sqlite3_file *file = NULL;
	int last = 0;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) == SQLITE_OK &&
	    file && file->pMethods)
		file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &last);
	return last;
}

/* Turns the failure of the last call on db into an errno value. */
static int sqlite_errno(sqlite3 *db, int code)
{
	int system_errno = sqlite3_system_errno(db);

	switch (code & 0xff) {
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return EILSEQ;
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_CONSTRAINT:
		return code == SQLITE_CONSTRAINT_UNIQUE ? EEXIST : EINVAL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_PERM:
		return EACCES;
	default:
		if (code == SQLITE_IOERR_WRITE && write_errno(db))
			system_errno = write_errno(db);
		if (system_errno == EFBIG || system_errno == EDQUOT || system_errno == ENOSPC)
			return ENOSPC;
		return system_errno ? system_errno : EIO;
	}
}

static int sqlite_error(struct state *state, int code, const char *what, struct vgpu_error **err)
{
	return vgpu_error_set(err, sqlite_errno(state->db, code), "%s: %s: %s", state->path, what,
			      state->db ? sqlite3_errmsg(state->db) : sqlite3_errstr(code));
}

static int run(struct state *state, const char *sql, struct vgpu_error **err)
{
	int code = sqlite3_exec(state->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : sqlite_error(state, code, sql, err);
}

/* The integer that a statement's first row begins with. */
static int get_number(struct state *state, const char *sql, int *number, struct vgpu_error **err)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(state->db, sql, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code != SQLITE_ROW) {
		sqlite_error(state, code, sql, err);
		sqlite3_finalize(statement);
		return -1;
	}
	*number = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return 0;
}

static int check_integrity(struct state *state, struct vgpu_error **err)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(state->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
	const char *answer = NULL;
	int status = 0;

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		answer = (const char *)sqlite3_column_text(statement, 0);
	if (code != SQLITE_ROW)
		status = sqlite_error(state, code, "check", err);
	else if (!answer || strcmp(answer, "ok") != 0)
		status = vgpu_error_set(err, EILSEQ, "%s: the database is damaged: %s", state->path,
					answer ? answer : "no answer from quick_check");
	sqlite3_finalize(statement);
	return status;
}

/*
 * Looks at the file without changing a byte of it (opening it in WAL mode would write): who made
 * it, how new it is, whether it is whole. *version is the schema's; -1 for a new, empty database.
 */
static int inspect(struct state *state, int *version, struct vgpu_error **err)
{
	int application, tables;

	if (get_number(state, "PRAGMA application_id", &application, err) < 0 ||
	    get_number(state, "PRAGMA user_version", version, err) < 0 ||
	    get_number(state, "SELECT count(*) FROM sqlite_schema", &tables, err) < 0)
		return -1;
	if (application == 0 && *version == 0 && tables == 0) {
		*version = -1;
		return 0;
	}
	if (application != APPLICATION_ID)
		return vgpu_error_set(err, EILSEQ,
				      "%s: this is another program's SQLite database; name another "
				      "file in 'state'",
				      state->path);
	if (*version > SCHEMA_VERSION)
		return vgpu_error_set(err, EPROTONOSUPPORT,
				      "%s: the database has schema version %d, but this program "
				      "knows versions up to %d; use the newer program that made it",
				      state->path, *version, SCHEMA_VERSION);
	return check_integrity(state, err);
}

static int migrate(struct state *state, int version, struct vgpu_error **err)
{
	char sql[80];

	for (version = version < 0 ? 0 : version; version < SCHEMA_VERSION; version++) {
		snprintf(sql, sizeof(sql),
			 "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
			 APPLICATION_ID, version + 1);
		if (run(state, "BEGIN IMMEDIATE", err) < 0)
			return -1;
		if (run(state, migrations[version], err) < 0 || run(state, sql, err) < 0) {
			sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
			return -1;
		}
	}
	return 0;
}

static int open_db(struct state *state, int flags, struct vgpu_error **err)
{
	int code = sqlite3_open_v2(state->path, &state->db, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (code != SQLITE_OK)
		return sqlite_error(state, code, "cannot open", err);
	sqlite3_extended_result_codes(state->db, 1);
	sqlite3_busy_timeout(state->db, BUSY_TIMEOUT_MS);
	/* A damaged or hostile file must not make SQLite run functions of its schema. */
	sqlite3_db_config(state->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(state->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* Closing a database that is refused must not write to it; see state_open_checked(). */
	sqlite3_db_config(state->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return 0;
}

static void close_db(struct state *state)
{
	sqlite3_finalize(state->put);
	sqlite3_finalize(state->delete);
	sqlite3_finalize(state->put_usage);
	sqlite3_close(state->db);
	state->put = NULL;
	state->delete = NULL;
	state->put_usage = NULL;
	state->db = NULL;
}

static int prepare(struct state *state, const char *sql, sqlite3_stmt **statement,
		   struct vgpu_error **err)
{
	int code =
		sqlite3_prepare_v3(state->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);

	return code == SQLITE_OK ? 0 : sqlite_error(state, code, "prepare", err);
}

/* The file, mode 0600 before SQLite sees it: what SQLite makes beside it has the same mode. */
static int make_file(struct state *state, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int fd = open(state->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return vgpu_error_errno(err, errno, "cannot open the database %s", state->path);
	if (!S_ISREG(st.st_mode))
		return vgpu_error_set(err, EINVAL, "%s is not a regular file", state->path);
	return 0;
}

static int state_open_checked(struct state *state, struct vgpu_error **err)
{
	int version, on;

	if (make_file(state, err) < 0 || open_db(state, SQLITE_OPEN_READWRITE, err) < 0 ||
	    inspect(state, &version, err) < 0)
		return -1;
	sqlite3_db_config(state->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	/* A filesystem that cannot have WAL keeps the older journal, which is as durable. */
	if (get_number(state, "PRAGMA journal_mode = WAL", &on, err) < 0 ||
	    run(state, "PRAGMA synchronous = FULL", err) < 0 ||
	    run(state, "PRAGMA foreign_keys = ON", err) < 0 || migrate(state, version, err) < 0)
		return -1;
	if (prepare(state,
		    "INSERT INTO vm (uuid, vm_id, attached, domain, operator)"
		    " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (uuid) DO UPDATE SET"
		    " vm_id = ?2, attached = ?3, domain = ?4, operator = ?5",
		    &state->put, err) < 0)
		return -1;
	if (prepare(state,
		    "INSERT INTO usage (uuid, counters)"
		    " SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM vm WHERE uuid = ?1)"
		    " ON CONFLICT (uuid) DO UPDATE SET counters = ?2",
		    &state->put_usage, err) < 0)
		return -1;
	return prepare(state, "DELETE FROM vm WHERE uuid = ?1", &state->delete, err);
}

int state_open(const char *path, struct state **state, struct vgpu_error **err)
{
	struct state *s = calloc(1, sizeof(*s));

	*state = NULL;
	if (!s)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	pthread_mutex_init(&s->mutex, NULL);
	s->path = strdup(path);
	if (!s->path) {
		state_close(&s);
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	if (state_open_checked(s, err) < 0) {
		state_close(&s);
		return -1;
	}
	*state = s;
	return 0;
}

void state_close(struct state **state)
{
	struct state *s = *state;

	*state = NULL;
	if (!s)
		return;
	close_db(s);
	pthread_mutex_destroy(&s->mutex);
	free(s->path);
	free(s);
}

/* Decodes one row of SELECT uuid, vm_id, attached, domain, operator. */
static int decode_row(struct state *state, sqlite3_stmt *row, struct state_vm *vm,
		      struct vgpu_error **err)
{
	const char *uuid = (const char *)sqlite3_column_text(row, 0);
	sqlite3_int64 vm_id = sqlite3_column_int64(row, 1);

	*vm = (struct state_vm){ .attached = sqlite3_column_int(row, 2) != 0 };
	if (!uuid || vgpu_uuid_parse(uuid, vm->uuid) < 0)
		return vgpu_error_set(err, EILSEQ, "%s: \"%s\" is not a uuid", state->path,
				      uuid ? uuid : "");
	if (vm_id < 1 || vm_id > VM_ID_MAX)
		return vgpu_error_set(err, EILSEQ, "%s: VM %s has an impossible vm_id", state->path,
				      uuid);
	vm->vm_id = (uint32_t)vm_id;
	for (int hand = 0; hand < VM_HANDS; hand++) {
		const char *text = (const char *)sqlite3_column_text(row, LAYER_COLUMN(hand));
		int length = sqlite3_column_bytes(row, LAYER_COLUMN(hand));
		VGPU_AUTO_ERROR struct vgpu_error *why = NULL;
		struct vm_field_name field;

		if (!text ||
		    vm_layer_decode(text, (size_t)length, &vm->layers[hand], &field, &why) < 0)
			return vgpu_error_set(err, EILSEQ, "%s: VM %s, values of the %s: %s",
					      state->path, uuid, layer_columns[hand],
					      why ? why->message : "missing");
	}
	return 0;
}

int state_each(struct state *state,
	       int (*each)(const struct state_vm *vm, void *opaque, struct vgpu_error **err),
	       void *opaque, struct vgpu_error **err)
{
	sqlite3_stmt *rows = NULL;
	int code, status = 0;

	pthread_mutex_lock(&state->mutex);
	code = sqlite3_prepare_v2(state->db,
				  "SELECT uuid, vm_id, attached, domain, operator FROM vm"
				  " ORDER BY uuid",
				  -1, &rows, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(rows);
	while (code == SQLITE_ROW && status == 0) {
		struct state_vm vm;

		status = decode_row(state, rows, &vm, err);
		if (status == 0)
			status = each(&vm, opaque, err);
		if (status == 0)
			code = sqlite3_step(rows);
	}
	if (status == 0 && code != SQLITE_DONE)
		status = sqlite_error(state, code, "cannot read", err);
	sqlite3_finalize(rows);
	pthread_mutex_unlock(&state->mutex);
	return status;
}

/* Runs a prepared statement to its end; it is its own transaction. */
static int finish(struct state *state, sqlite3_stmt *statement, struct vgpu_error **err)
{
	int code = sqlite3_step(statement);
	int status = 0;

	if (code != SQLITE_DONE)
		status = sqlite_error(state, code, "cannot write", err);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return status;
}

int state_put(struct state *state, const struct state_vm *vm, struct vgpu_error **err)
{
	char *layers[VM_HANDS] = { NULL };
	char uuid[VGPU_UUID_TEXT];
	bool complete = true;
	int status;

	vgpu_uuid_format(vm->uuid, uuid);
	for (int hand = 0; hand < VM_HANDS; hand++) {
		layers[hand] = vm_layer_encode(&vm->layers[hand]);
		complete = complete && layers[hand];
	}
	pthread_mutex_lock(&state->mutex);
	sqlite3_bind_text(state->put, 1, uuid, -1, SQLITE_STATIC);
	sqlite3_bind_int64(state->put, 2, vm->vm_id);
	sqlite3_bind_int(state->put, 3, vm->attached);
	for (int hand = 0; hand < VM_HANDS; hand++)
		sqlite3_bind_text(state->put, 1 + LAYER_COLUMN(hand), layers[hand], -1,
				  SQLITE_STATIC);
	status = complete ? finish(state, state->put, err)
			  : vgpu_error_set(err, ENOMEM, "out of memory");
	pthread_mutex_unlock(&state->mutex);
	for (int hand = 0; hand < VM_HANDS; hand++)
		free(layers[hand]);
	return status;
}

int state_delete(struct state *state, const uint8_t uuid[16], struct vgpu_error **err)
{
	char text[VGPU_UUID_TEXT];
	int status;

	vgpu_uuid_format(uuid, text);
	pthread_mutex_lock(&state->mutex);
	sqlite3_bind_text(state->delete, 1, text, -1, SQLITE_STATIC);
	status = finish(state, state->delete, err);
	pthread_mutex_unlock(&state->mutex);
	return status;
}

static int put_usage(struct state *state, const uint8_t uuid[16], const struct usage *usage,
		     struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *counters = usage_encode(usage);
	char text[VGPU_UUID_TEXT];

	if (!counters)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	vgpu_uuid_format(uuid, text);
	sqlite3_bind_text(state->put_usage, 1, text, -1, SQLITE_STATIC);
	sqlite3_bind_text(state->put_usage, 2, counters, -1, SQLITE_STATIC);
	return finish(state, state->put_usage, err);
}

int state_put_usages(struct state *state, const struct vm_usage *usages, size_t count,
		     struct vgpu_error **err)
{
	int status;

	pthread_mutex_lock(&state->mutex);
	status = run(state, "BEGIN IMMEDIATE", err);
	for (size_t i = 0; status == 0 && i < count; i++)
		status = put_usage(state, usages[i].uuid, &usages[i].usage, err);
	if (status == 0)
		status = run(state, "COMMIT", err);
	if (status < 0)
		sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
	pthread_mutex_unlock(&state->mutex);
	return status;
}

/* What the statement's first row begins with, or nothing where there is none. */
static int read_usage(struct state *state, sqlite3_stmt *rows, struct usage *usage,
		      struct vgpu_error **err)
{
	int code = sqlite3_step(rows);
	const char *text;

	if (code == SQLITE_DONE)
		return 0;
	if (code != SQLITE_ROW)
		return sqlite_error(state, code, "cannot read", err);
	text = (const char *)sqlite3_column_text(rows, 0);
	return usage_decode(text ? text : "", usage, err);
}

int state_get_usage(struct state *state, const uint8_t uuid[16], struct usage *usage,
		    struct vgpu_error **err)
{
	sqlite3_stmt *rows = NULL;
	char text[VGPU_UUID_TEXT];
	int code, status;

	*usage = (struct usage){ 0 };
	vgpu_uuid_format(uuid, text);
	pthread_mutex_lock(&state->mutex);
	code = sqlite3_prepare_v2(state->db, "SELECT counters FROM usage WHERE uuid = ?1", -1,
				  &rows, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_bind_text(rows, 1, text, -1, SQLITE_STATIC);
	status = code == SQLITE_OK ? read_usage(state, rows, usage, err)
				   : sqlite_error(state, code, "cannot read", err);
	sqlite3_finalize(rows);
	pthread_mutex_unlock(&state->mutex);
	return status;
}
