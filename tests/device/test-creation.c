/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* What a device can be made of, and its window. */
#include "tests/device/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void ignore_interrupt(void *opaque, unsigned int vector)
{
	(void)opaque;
	(void)vector;
}

static int64_t stopped_clock(void *opaque)
{
	(void)opaque;
	return 1;
}

static void ignore_watch(void *opaque, int fd, bool read, bool write)
{
	(void)opaque;
	(void)fd;
	(void)read;
	(void)write;
}

static void ignore_timer(void *opaque, int64_t deadline_ns)
{
	(void)opaque;
	(void)deadline_ns;
}

static void ignore_log(void *opaque, int level, const char *line)
{
	(void)opaque;
	(void)level;
	(void)line;
}

/* Tries to make a device; returns the error's text, or "" where it worked. */
static const char *try_making(const char *path, uint64_t window_bytes, unsigned int vectors)
{
	static const struct vgpu_core_ops ops = {
		.interrupt = ignore_interrupt,
		.now_ns = stopped_clock,
		.watch = ignore_watch,
		.timer = ignore_timer,
		.log = ignore_log,
	};
	struct vgpu_core_config config = { path, window_bytes, vectors };
	static char text[512];
	struct vgpu_core *core = NULL;
	struct vgpu_error *err = NULL;

	text[0] = '\0';
	if (vgpu_core_new(&config, &ops, NULL, &core, &err) < 0) {
		assert_null(core);
		assert_int_equal(err->status, EINVAL);
		snprintf(text, sizeof(text), "%s", err->message);
		vgpu_error_free(&err);
		return text;
	}
	assert_non_null(core);
	vgpu_core_free(&core);
	assert_null(core);
	return text;
}

static void window_sizes_have_bounds(void **state)
{
	const uint64_t mib = UINT64_C(1) << 20;
	static const uint64_t bad[] = { 0,
					1,
					4096,
					0x80000,
					0x100001,
					0x180000,
					UINT64_C(3) << 30,
					UINT64_C(128) << 30,
					UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(strstr(try_making("/nowhere", bad[i], 1), "power of two"));
	/* Sparse: 64 GiB cost nothing. */
	for (uint64_t size = VGPU_WINDOW_SIZE_MIN; size <= VGPU_WINDOW_SIZE_MAX; size *= 4)
		assert_string_equal(try_making("/nowhere", size, 1), "");
	assert_string_equal(try_making("/nowhere", 65536 * mib, 1), "");
}

static void paths_have_a_longest_length(void **state)
{
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];

	(void)state;
	assert_non_null(strstr(try_making("", VGPU_WINDOW_SIZE_MIN, 1), "empty"));
	assert_non_null(strstr(try_making(NULL, VGPU_WINDOW_SIZE_MIN, 1), "empty"));
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_non_null(strstr(try_making(path, VGPU_WINDOW_SIZE_MIN, 1), "108 bytes"));
	path[sizeof(path) - 2] = '\0';
	assert_string_equal(try_making(path, VGPU_WINDOW_SIZE_MIN, 1), "");
}

static void vectors_have_a_maximum(void **state)
{
	(void)state;
	assert_string_equal(try_making("/nowhere", VGPU_WINDOW_SIZE_MIN, 0), "");
	assert_string_equal(try_making("/nowhere", VGPU_WINDOW_SIZE_MIN, VGPU_MSIX_VECTORS), "");
	assert_non_null(strstr(try_making("/nowhere", VGPU_WINDOW_SIZE_MIN, VGPU_MSIX_VECTORS + 1),
			       "at most 33"));
}

static void the_window_cannot_change_its_size(void **state)
{
	struct fixture *fixture = *state;
	int fd = vgpu_core_window_fd(fixture->core);
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_size, VGPU_WINDOW_SIZE_MIN);
	assert_int_equal(status.st_blocks, 0);
	assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 4096), -1);
	assert_int_equal(ftruncate(fd, 2 * (off_t)VGPU_WINDOW_SIZE_MIN), -1);
}

static void freeing_nothing_is_fine(void **state)
{
	struct vgpu_core *core = NULL;

	(void)state;
	vgpu_core_free(&core);
	assert_null(core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_sizes_have_bounds),
		cmocka_unit_test(paths_have_a_longest_length),
		cmocka_unit_test(vectors_have_a_maximum),
		cmocka_unit_test_setup_teardown(the_window_cannot_change_its_size, fixture_setup,
						fixture_teardown),
		cmocka_unit_test(freeing_nothing_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
