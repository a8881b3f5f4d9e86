/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/uuid.h"
#include "mediatord/state/internal.h"

#define BUSY_TIMEOUT_MS 5000
#define APPLICATION_ID	0x76475055 /* "vGPU": tells our database from another program's */

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
	/* One step: in brackets, lest it look like a missing comma. */
	("ALTER TABLE vm ADD COLUMN hold INTEGER NOT NULL DEFAULT 0 CHECK (hold BETWEEN 0 AND 3);"
	 "CREATE TABLE profile ("
	 " name TEXT PRIMARY KEY NOT NULL,"
	 " body TEXT NOT NULL"
	 ") WITHOUT ROWID;"
	 "CREATE TABLE token ("
	 " name TEXT PRIMARY KEY NOT NULL,"
	 " role INTEGER NOT NULL,"
	 " salt BLOB NOT NULL CHECK (length(salt) = 16),"
	 " hash BLOB NOT NULL CHECK (length(hash) = 32),"
	 " created INTEGER NOT NULL,"
	 " expires INTEGER NOT NULL"
	 ") WITHOUT ROWID;"
	 "CREATE TABLE audit ("
	 " id INTEGER PRIMARY KEY AUTOINCREMENT,"
	 " time INTEGER NOT NULL,"
	 " who TEXT NOT NULL,"
	 " what TEXT NOT NULL,"
	 " status INTEGER NOT NULL"
	 ");"),
	"ALTER TABLE vm ADD COLUMN cloudstack TEXT NOT NULL DEFAULT '{}';",
	"CREATE TABLE seat ("
	" uuid TEXT PRIMARY KEY NOT NULL CHECK (length(uuid) = 36),"
	" gpu TEXT NOT NULL,"
	" profile TEXT NOT NULL,"
	" number INTEGER NOT NULL,"
	" gpu_index INTEGER NOT NULL,"
	" pci_address TEXT NOT NULL,"
	" gpu_name TEXT NOT NULL,"
	" gpu_memory INTEGER NOT NULL,"
	" UNIQUE (gpu, profile, number)"
	") WITHOUT ROWID;",
	"ALTER TABLE seat ADD COLUMN away_since INTEGER NOT NULL DEFAULT 0;",
};
#define SCHEMA_VERSION ((int)(sizeof(migrations) / sizeof(*migrations)))
_Static_assert(VM_HOLDS == 4, "column hold's check");

static const char *const layer_columns[VM_HANDS] = {
	[VM_HAND_DOMAIN] = "domain",
	[VM_HAND_CLOUDSTACK] = "cloudstack",
	[VM_HAND_OPERATOR] = "operator",
};

static const char *const writes[STATE_STATEMENTS] = {
	[STATE_PUT_VM] =
		("INSERT INTO vm (uuid, vm_id, attached, domain, cloudstack, operator, hold)"
		 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (uuid) DO UPDATE SET"
		 " vm_id = ?2, attached = ?3, domain = ?4, cloudstack = ?5,"
		 " operator = ?6, hold = ?7"),
	[STATE_DELETE_VM] = "DELETE FROM vm WHERE uuid = ?1",
	[STATE_PUT_PROFILE] = "INSERT OR REPLACE INTO profile (name, body) VALUES (?1, ?2)",
	[STATE_DELETE_PROFILE] = "DELETE FROM profile WHERE name = ?1",
	[STATE_PUT_SEAT] = ("INSERT INTO seat (uuid, gpu, profile, number, gpu_index, pci_address,"
			    " gpu_name, gpu_memory, away_since)"
			    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
			    " ON CONFLICT (uuid) DO UPDATE SET gpu_index = ?5, pci_address = ?6,"
			    " gpu_name = ?7, gpu_memory = ?8, away_since = ?9"),
	[STATE_FORGET_SEATS] = "DELETE FROM seat WHERE away_since > 0 AND away_since < ?1",
	[STATE_PUT_USAGE] = ("INSERT INTO usage (uuid, counters)"
			     " SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM vm WHERE uuid = ?1)"
			     " ON CONFLICT (uuid) DO UPDATE SET counters = ?2"),
	[STATE_ADD_TOKEN] = ("INSERT INTO token (name, role, salt, hash, created, expires)"
			     " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"),
	[STATE_DELETE_TOKEN] = "DELETE FROM token WHERE name = ?1",
	[STATE_ADD_AUDIT] = "INSERT INTO audit (time, who, what, status) VALUES (?1, ?2, ?3, ?4)",
	[STATE_TRIM_AUDIT] = "DELETE FROM audit WHERE id <= ?1",
};

/* The columns of the n-th layer, and of what comes behind all, in the statements. */
#define LAYER_COLUMN(hand) (3 + (hand))
#define HOLD_COLUMN	   LAYER_COLUMN(VM_HANDS)
_Static_assert(VM_HAND_DOMAIN == 0 && VM_HAND_CLOUDSTACK == 1 && VM_HAND_OPERATOR == 2 &&
		       VM_HANDS == 3,
	       "columns' order");

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

int state_sqlite_error(struct state *state, int code, const char *what, struct vgpu_error **err)
{
	return vgpu_error_set(err, sqlite_errno(state->db, code), "%s: %s: %s", state->path, what,
			      state->db ? sqlite3_errmsg(state->db) : sqlite3_errstr(code));
}

int state_run(struct state *state, const char *sql, struct vgpu_error **err)
{
	int code = sqlite3_exec(state->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : state_sqlite_error(state, code, sql, err);
}

/* The integer that a statement's first row begins with. */
static int get_number(struct state *state, const char *sql, int *number, struct vgpu_error **err)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(state->db, sql, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code != SQLITE_ROW) {
		state_sqlite_error(state, code, sql, err);
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
	int code = sqlite3_prepare_v2(state->db, "PRAGMA integrity_check(1)", -1, &statement, NULL);
	const char *answer = NULL;
	int status = 0;

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		answer = (const char *)sqlite3_column_text(statement, 0);
	if (code != SQLITE_ROW)
		status = state_sqlite_error(state, code, "check", err);
	else if (!answer || strcmp(answer, "ok") != 0)
		status = vgpu_error_set(err, EILSEQ, "%s: the database is damaged: %s", state->path,
					answer ? answer : "no answer from integrity_check");
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
		if (state_run(state, "BEGIN IMMEDIATE", err) < 0)
			return -1;
		if (state_run(state, migrations[version], err) < 0 ||
		    state_run(state, sql, err) < 0) {
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
		return state_sqlite_error(state, code, "cannot open", err);
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
	for (size_t i = 0; i < STATE_STATEMENTS; i++)
		sqlite3_finalize(state->statements[i]);
	sqlite3_close(state->db);
	memset(state->statements, 0, sizeof(state->statements));
	state->db = NULL;
}

static int prepare(struct state *state, const char *sql, sqlite3_stmt **statement,
		   struct vgpu_error **err)
{
	int code =
		sqlite3_prepare_v3(state->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);

	return code == SQLITE_OK ? 0 : state_sqlite_error(state, code, "prepare", err);
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
	    state_run(state, "PRAGMA synchronous = FULL", err) < 0 ||
	    state_run(state, "PRAGMA foreign_keys = ON", err) < 0 ||
	    migrate(state, version, err) < 0)
		return -1;
	for (size_t i = 0; i < STATE_STATEMENTS; i++)
		if (prepare(state, writes[i], &state->statements[i], err) < 0)
			return -1;
	return 0;
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

/* Decodes one row of SELECT uuid, vm_id, attached, the layers, hold. */
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
	if (sqlite3_column_int(row, HOLD_COLUMN) < 0 ||
	    sqlite3_column_int(row, HOLD_COLUMN) >= VM_HOLDS)
		return vgpu_error_set(err, EILSEQ, "%s: VM %s has an impossible hold", state->path,
				      uuid);
	vm->hold = (enum vm_hold)sqlite3_column_int(row, HOLD_COLUMN);
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

int state_rows(struct state *state, const char *sql, state_row *row, void *opaque,
	       struct vgpu_error **err)
{
	sqlite3_stmt *rows = NULL;
	int code, status = 0;

	pthread_mutex_lock(&state->mutex);
	code = sqlite3_prepare_v2(state->db, sql, -1, &rows, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(rows);
	while (code == SQLITE_ROW && status == 0) {
		status = row(state, rows, opaque, err);
		if (status == 0)
			code = sqlite3_step(rows);
	}
	if (status == 0 && code != SQLITE_DONE)
		status = state_sqlite_error(state, code, "cannot read", err);
	sqlite3_finalize(rows);
	pthread_mutex_unlock(&state->mutex);
	return status;
}

struct each_vm {
	int (*each)(const struct state_vm *vm, void *opaque, struct vgpu_error **err);
	void *opaque;
};

static int vm_row(struct state *state, sqlite3_stmt *row, void *opaque, struct vgpu_error **err)
{
	const struct each_vm *each = opaque;
	struct state_vm vm;

	return decode_row(state, row, &vm, err) < 0 ? -1 : each->each(&vm, each->opaque, err);
}

int state_each(struct state *state,
	       int (*each)(const struct state_vm *vm, void *opaque, struct vgpu_error **err),
	       void *opaque, struct vgpu_error **err)
{
	struct each_vm with = { .each = each, .opaque = opaque };

	return state_rows(state,
			  "SELECT uuid, vm_id, attached, domain, cloudstack, operator, hold FROM vm"
			  " ORDER BY uuid",
			  vm_row, &with, err);
}

int state_finish(struct state *state, sqlite3_stmt *statement, struct vgpu_error **err)
{
	int code = sqlite3_step(statement);
	int status = 0;

	if (code != SQLITE_DONE)
		status = state_sqlite_error(state, code, "cannot write", err);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return status;
}

int state_put(struct state *state, const struct state_vm *vm, struct vgpu_error **err)
{
	sqlite3_stmt *put = state->statements[STATE_PUT_VM];
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
	sqlite3_bind_text(put, 1, uuid, -1, SQLITE_STATIC);
	sqlite3_bind_int64(put, 2, vm->vm_id);
	sqlite3_bind_int(put, 3, vm->attached);
	sqlite3_bind_int(put, 1 + HOLD_COLUMN, (int)vm->hold);
	for (int hand = 0; hand < VM_HANDS; hand++)
		sqlite3_bind_text(put, 1 + LAYER_COLUMN(hand), layers[hand], -1, SQLITE_STATIC);
	status = complete ? state_finish(state, put, err)
			  : vgpu_error_set(err, ENOMEM, "out of memory");
	pthread_mutex_unlock(&state->mutex);
	for (int hand = 0; hand < VM_HANDS; hand++)
		free(layers[hand]);
	return status;
}

int state_delete_named(struct state *state, enum state_statement which, const char *name,
		       struct vgpu_error **err)
{
	sqlite3_stmt *statement = state->statements[which];
	int status;

	pthread_mutex_lock(&state->mutex);
	sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
	status = state_finish(state, statement, err);
	pthread_mutex_unlock(&state->mutex);
	return status;
}

int state_delete(struct state *state, const uint8_t uuid[16], struct vgpu_error **err)
{
	char text[VGPU_UUID_TEXT];

	vgpu_uuid_format(uuid, text);
	return state_delete_named(state, STATE_DELETE_VM, text, err);
}
