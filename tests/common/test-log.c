/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines as standard error and the journal get them; the journal is this test's own socket. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"

#define JOURNAL "journal.sock" /* as common/log.c was built for this test */

static char folder[] = "/tmp/vgpu-log-XXXXXX";
static char text[8192];

static int setup(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	unlink(JOURNAL);
	unlink("stderr");
	return rmdir(folder);
}

/* What `say` writes to standard error, which is the journal's stream or is not. */
static const char *stderr_of(bool journal, void (*say)(void))
{
	int old = dup(STDERR_FILENO);
	int fd = open("stderr", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct stat status;
	char stream[64];
	ssize_t length;

	assert_true(old >= 0 && fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino);
	if (journal)
		setenv("JOURNAL_STREAM", stream, 1);
	else
		unsetenv("JOURNAL_STREAM");
	dup2(fd, STDERR_FILENO);
	vgpu_log_init("test", VGPU_LOG_INFO);
	say();
	dup2(old, STDERR_FILENO);
	close(old);
	length = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	assert_true(length >= 0);
	text[length] = '\0';
	return text;
}

static void say_two(void)
{
	vgpu_log_warning("the name is %s", "a\nb");
	vgpu_log_debug("too detailed");
}

static void without_a_journal_lines_name_program_and_level(void **state)
{
	(void)state;
	assert_string_equal(stderr_of(false, say_two), "test: warning: the name is a?b\n");
}

static void the_journals_stream_gets_the_level_as_a_number(void **state)
{
	(void)state;
	assert_string_equal(stderr_of(true, say_two), "<4>the name is a?b\n");
}

static void say_with_fields(void)
{
	const struct vgpu_log_field fields[] = {
		{ "VGPU_VM", "0f1e" },
		{ "VGPU_VM_NAME", "a\nPRIORITY=0" },
		{ NULL, NULL },
	};

	vgpu_log_open_journal();
	vgpu_log_fields(VGPU_LOG_ERROR, fields, "it is %s", "lost\nMESSAGE=not");
}

static void where_the_journal_has_no_socket_its_stream_gets_the_line(void **state)
{
	(void)state;
	assert_string_equal(stderr_of(true, say_with_fields), "<3>it is lost?MESSAGE=not\n");
}

static void say_too_much(void)
{
	static char value[5000];
	const struct vgpu_log_field fields[] = {
		{ "VGPU_LONG", value },
		{ "VGPU_SHORT", "b" },
		{ NULL, NULL },
	};

	memset(value, 'a', sizeof(value) - 1);
	vgpu_log_open_journal();
	vgpu_log_fields(VGPU_LOG_INFO, fields, "%s", value);
}

static void say_at_the_end(void)
{
	vgpu_log_open_journal();
	vgpu_log_close_journal();
	vgpu_log_error("it cannot start");
}

/* The next packet that the journal got, as text. */
static const char *packet(int fd)
{
	ssize_t length = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	assert_true(length > 0);
	text[length] = '\0';
	return text;
}

static void the_journal_gets_fields_that_nobody_can_forge(void **state)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = JOURNAL };
	int journal = socket(AF_UNIX, SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(bind(journal, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_string_equal(stderr_of(true, say_with_fields), "");
	assert_string_equal(packet(journal), "MESSAGE=it is lost?MESSAGE=not\n"
					     "PRIORITY=3\n"
					     "SYSLOG_IDENTIFIER=test\n"
					     "VGPU_VM=0f1e\n"
					     "VGPU_VM_NAME=a?PRIORITY=0\n");
	/* What is too long is cut, or left out where it is a field. */
	assert_string_equal(stderr_of(true, say_too_much), "");
	assert_int_equal(strspn(packet(journal) + strlen("MESSAGE="), "a"), 1023);
	assert_non_null(strstr(text, "\nVGPU_SHORT=b\n"));
	assert_null(strstr(text, "VGPU_LONG"));
	/* Of the last line, its stream tells the service. */
	assert_string_equal(stderr_of(true, say_at_the_end), "<3>it cannot start\n");
	/* One that is gone again. */
	close(journal);
	assert_string_equal(stderr_of(true, say_with_fields), "<3>it is lost?MESSAGE=not\n");
}

static void a_limit_lets_so_many_lines_through(void **state)
{
	struct vgpu_log_limit limit = { .burst = 2, .period_ns = 100 };

	(void)state;
	assert_true(vgpu_log_allowed(&limit, 1000));
	assert_true(vgpu_log_allowed(&limit, 1099));
	assert_false(vgpu_log_allowed(&limit, 1099));
	assert_true(vgpu_log_allowed(&limit, 1100));
	assert_int_equal(vgpu_log_level_from_name("debug"), VGPU_LOG_DEBUG);
	assert_int_equal(vgpu_log_level_from_name("loud"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_journal_lines_name_program_and_level),
		cmocka_unit_test(the_journals_stream_gets_the_level_as_a_number),
		cmocka_unit_test(where_the_journal_has_no_socket_its_stream_gets_the_line),
		cmocka_unit_test(the_journal_gets_fields_that_nobody_can_forge),
		cmocka_unit_test(a_limit_lets_so_many_lines_through),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
