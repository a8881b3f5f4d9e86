/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of state.h share. */
#ifndef VGPU_MEDIATORD_STATE_INTERNAL_H
#define VGPU_MEDIATORD_STATE_INTERNAL_H

#include <pthread.h>

#include <sqlite3.h>

#include "mediatord/state/state.h"

/* All that writes, prepared once. */
enum state_statement {
	STATE_PUT_VM,
	STATE_DELETE_VM,
	STATE_PUT_PROFILE,
	STATE_DELETE_PROFILE,
	STATE_PUT_SEAT,
	STATE_FORGET_SEATS,
	STATE_PUT_USAGE,
	STATE_ADD_TOKEN,
	STATE_DELETE_TOKEN,
	STATE_ADD_AUDIT,
	STATE_TRIM_AUDIT,
	STATE_STATEMENTS
};

struct state {
	pthread_mutex_t mutex; /* of what follows, the path excepted */
	sqlite3 *db;
	sqlite3_stmt *statements[STATE_STATEMENTS];
	char *path;
};

/* Says why the last call on the database failed. Returns -1. */
int state_sqlite_error(struct state *state, int code, const char *what, struct vgpu_error **err);

/* With the mutex held: runs a statement without parameters. Returns 0, or -1 and err. */
int state_run(struct state *state, const char *sql, struct vgpu_error **err);

/* One row of a SELECT; not 0 ends the walk. */
typedef int state_row(struct state *state, sqlite3_stmt *row, void *opaque,
		      struct vgpu_error **err);

/* Calls row for every one that sql selects. Takes the mutex. */
int state_rows(struct state *state, const char *sql, state_row *row, void *opaque,
	       struct vgpu_error **err);

/* With the mutex held: runs a prepared statement to its end; it is its own transaction. */
int state_finish(struct state *state, sqlite3_stmt *statement, struct vgpu_error **err);

/* Runs a statement whose only parameter is a name. Takes the mutex. */
int state_delete_named(struct state *state, enum state_statement which, const char *name,
		       struct vgpu_error **err);

#endif
