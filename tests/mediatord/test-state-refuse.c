/* SPDX-License-Identifier: Apache-2.0 */
/* A database that is damaged, newer or another program's is refused, and not a byte changed. */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "mediatord/state/state.h"
#include "tests/mediatord/plane-check.h"

static char bytes_before[1 << 20], bytes_after[1 << 20];

static size_t read_file(const char *path, char *bytes)
{
	VGPU_AUTO_CLOSE int fd = open(path, O_RDONLY);
	ssize_t length = read(fd, bytes, sizeof(bytes_before));

	assert_in_range(length, 0, sizeof(bytes_before) - 1);
	return (size_t)length;
}

static void write_file(const char *path, const char *bytes, size_t length)
{
	VGPU_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, bytes, length), length);
}

/* Opening must fail with this status and a text, and leave the file as it was. */
static void expect_refused(const char *path, int status, const char *says)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	size_t length = read_file(path, bytes_before);
	struct state *state;

	assert_int_equal(state_open(path, &state, &err), -1);
	assert_null(state);
	if (err->status != status || !strstr(err->message, says) || !strstr(err->message, path))
		fail_msg("status %d: %s", err->status, err->message);
	assert_int_equal(read_file(path, bytes_after), length);
	assert_memory_equal(bytes_before, bytes_after, length);
}

static void make_database(const char *path)
{
	struct state *state;

	assert_int_equal(state_open(path, &state, NULL), 0);
	for (uint8_t n = 1; n <= 100; n++) {
		struct state_vm vm = { .vm_id = n };

		memcpy(vm.uuid, plane_uuid(n), 16);
		vm.layers[VM_HAND_DOMAIN] = plane_layer("{\"name\": \"some name or other\"}");
		assert_int_equal(state_put(state, &vm, NULL), 0);
	}
	state_close(&state);
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void a_file_that_is_no_database(void **unused)
{
	static const char text[] = "This is a note that somebody wrote, and not a database. It is "
				   "long enough that SQLite reads a whole header from it: one "
				   "hundred bytes and some more.\n";
	char *folder = plane_folder(), path[128];

	(void)unused;
	plane_path(path, folder, "state.db");
	write_file(path, text, sizeof(text) - 1);
	expect_refused(path, EILSEQ, "not a database");
	plane_folder_remove(folder);
}

static void a_damaged_database(void **unused)
{
	char *folder = plane_folder(), path[128];
	size_t length;

	(void)unused;
	plane_path(path, folder, "state.db");
	make_database(path);
	length = read_file(path, bytes_before);
	assert_true(length >= 3 * 4096);
	/* Every page but the first, one after the other, overwritten in its middle. */
	for (size_t page = 4096; page + 4096 <= length; page += 4096) {
		memcpy(bytes_after, bytes_before, length);
		memset(bytes_after + page, 0xa5, 200);
		write_file(path, bytes_after, length);
		expect_refused(path, EILSEQ, "");
		/* expect_refused() read the damaged file into bytes_before: mend it. */
		memset(bytes_after, 0, sizeof(bytes_after));
		unlink(path);
		make_database(path);
		assert_int_equal(read_file(path, bytes_before), length);
	}
	/* Cut off. */
	write_file(path, bytes_before, length - 4096);
	expect_refused(path, EILSEQ, "");
	plane_folder_remove(folder);
}

/* Each page is whole, but a table and its index do not say the same. */
static void a_damaged_index(void **unused)
{
	char *folder = plane_folder(), path[128], uuid[VGPU_UUID_TEXT];
	size_t length, found = 0;

	(void)unused;
	plane_path(path, folder, "state.db");
	make_database(path);
	length = read_file(path, bytes_before);
	vgpu_uuid_format(plane_uuid(50), uuid);
	for (size_t at = 0; at + strlen(uuid) <= length; at++) {
		if (memcmp(bytes_before + at, uuid, strlen(uuid)) != 0)
			continue;
		found++;
		bytes_before[at] = 'x';
		write_file(path, bytes_before, length);
		expect_refused(path, EILSEQ, "the database is damaged");
		bytes_before[at] = uuid[0];
	}
	assert_int_equal(found, 2);
	plane_folder_remove(folder);
}

static void a_newer_schema(void **unused)
{
	char *folder = plane_folder(), path[128];

	(void)unused;
	plane_path(path, folder, "state.db");
	make_database(path);
	run_sql(path, "PRAGMA user_version = 1000");
	expect_refused(path, EPROTONOSUPPORT, "schema version 1000");
	plane_folder_remove(folder);
}

static void another_programs_database(void **unused)
{
	char *folder = plane_folder(), path[128];

	(void)unused;
	plane_path(path, folder, "state.db");
	run_sql(path, "CREATE TABLE bookmarks (url TEXT)");
	expect_refused(path, EILSEQ, "another program");
	run_sql(path, "PRAGMA application_id = 17");
	expect_refused(path, EILSEQ, "another program");
	plane_folder_remove(folder);
}

static void what_is_no_file(void **unused)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct state *state;

	(void)unused;
	assert_int_equal(state_open("/nonexistent/state.db", &state, &err), -1);
	assert_int_equal(err->status, ENOENT);
	vgpu_error_free(&err);
	assert_int_equal(state_open("/dev/null", &state, &err), -1);
	assert_int_equal(err->status, EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_is_no_database),
		cmocka_unit_test(a_damaged_database),
		cmocka_unit_test(a_damaged_index),
		cmocka_unit_test(a_newer_schema),
		cmocka_unit_test(another_programs_database),
		cmocka_unit_test(what_is_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
