/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker does with what the mediator should not send, and when the mediator goes away. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/packet.h"
#include "tests/mediatord/worker-driver.h"

static const char *const unconfined[] = { "--no-sandbox", NULL };

static struct vgpu_worker_start right_start(void)
{
	return (struct vgpu_worker_start){
		.header = { .type = VGPU_WORKER_START, .length = sizeof(struct vgpu_worker_start) },
		.uid = VGPU_WORKER_NO_ID,
		.gid = VGPU_WORKER_NO_ID,
	};
}

/* A worker that has opened its GPU, and is nobody's yet. */
static struct driver prepared(void)
{
	const struct vgpu_worker_prepare prepare = driver_prepare();
	struct driver driver = driver_spawn(unconfined);

	driver_send(&driver, &prepare, sizeof(prepare));
	driver_receive_prepared(&driver);
	return driver;
}

/* A job of a no-op, as long as it should be. */
static struct vgpu_worker_job right_job(void)
{
	struct made_request made = make_request(VGPU_OP_NOP, 0, NULL, 0);
	struct vgpu_worker_job job = {
		.header = { .type = VGPU_WORKER_JOB,
			    .length = offsetof(struct vgpu_worker_job, request) + 32 },
		.job = 7,
		.length = 32,
	};

	memcpy(job.request, made.bytes, 32);
	return job;
}

/* The worker ends with this status, and its log holds this word. */
static void assert_ends(struct driver *driver, int expected, const char *word)
{
	int status = driver_wait(driver);
	char text[4096] = "";
	FILE *log = fopen(driver->log, "r");

	assert_non_null(log);
	text[fread(text, 1, sizeof(text) - 1, log)] = '\0';
	fclose(log);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != expected || !strstr(text, word))
		fail_msg("wait status 0x%x, log \"%s\"; expected exit status %d and \"%s\"",
			 (unsigned int)status, text, expected, word);
	driver_forget(driver);
}

static void assert_message_ends(struct driver driver, const void *message, size_t length,
				const char *word)
{
	driver_send(&driver, message, length);
	assert_ends(&driver, EX_SOFTWARE, word);
}

static void malformed_prepare(void **state)
{
	const struct vgpu_worker_start start = right_start();
	const struct vgpu_worker_job job = right_job();
	struct vgpu_worker_prepare prepare;
	char long_message[2000] = { 0 };

	(void)state;
	prepare = driver_prepare();
	prepare.version++;
	assert_message_ends(driver_spawn(unconfined), &prepare, sizeof(prepare), "version");
	prepare = driver_prepare();
	prepare.version--;
	assert_message_ends(driver_spawn(unconfined), &prepare, sizeof(prepare), "version");
	prepare = driver_prepare();
	prepare.flags = 1u << 31;
	assert_message_ends(driver_spawn(unconfined), &prepare, sizeof(prepare), "flag");
	prepare = driver_prepare();
	prepare.header.length--;
	assert_message_ends(driver_spawn(unconfined), &prepare, sizeof(prepare), "length");
	assert_message_ends(driver_spawn(unconfined), &prepare, sizeof(prepare) - 1, "size");
	prepare = driver_prepare();
	assert_message_ends(driver_spawn(unconfined), &prepare, 7, "length");
	assert_message_ends(driver_spawn(unconfined), &start, sizeof(start), "type 3");
	assert_message_ends(driver_spawn(unconfined), &job, job.header.length, "type 6");
	assert_message_ends(driver_spawn(unconfined), long_message, sizeof(long_message),
			    "longer than any");
}

static void malformed_start(void **state)
{
	const struct vgpu_worker_prepare prepare = driver_prepare();
	const struct vgpu_worker_job job = right_job();
	struct vgpu_worker_start start;

	(void)state;
	start = right_start();
	start.header.length--;
	assert_message_ends(prepared(), &start, sizeof(start), "length");
	assert_message_ends(prepared(), &start, sizeof(start) - 1, "size");
	start = right_start();
	start.region = 4096;
	assert_message_ends(prepared(), &start, sizeof(start), "a part of a channel");
	start = right_start();
	start.entries = 16;
	assert_message_ends(prepared(), &start, sizeof(start), "a part of a channel");
	start = right_start();
	start.idle_ms = 1;
	assert_message_ends(prepared(), &start, sizeof(start), "a part of a channel");
	assert_message_ends(prepared(), &prepare, sizeof(prepare), "type 1");
	assert_message_ends(prepared(), &job, job.header.length, "type 6");
}

static void malformed_job(void **state)
{
	const struct vgpu_worker_start start = right_start();
	struct vgpu_worker_job job;

	(void)state;
	assert_message_ends(driver_start(0, NULL), &start, sizeof(start), "type 3");
	job = right_job();
	job.reserved = 1;
	assert_message_ends(driver_start(0, NULL), &job, job.header.length, "reserved");
	job = right_job();
	job.length = 33;
	assert_message_ends(driver_start(0, NULL), &job, job.header.length, "size");
	job = right_job();
	job.length = UINT32_MAX - 31; /* plus the 32 before it: 0 in 32 bits */
	assert_message_ends(driver_start(0, NULL), &job, job.header.length, "size");
	job = right_job();
	job.header.length = 24;
	assert_message_ends(driver_start(0, NULL), &job, 24, "size");
	job = right_job();
	job.header.type = VGPU_WORKER_DONE;
	assert_message_ends(driver_start(0, NULL), &job, job.header.length, "type 10");
}

static void descriptors_are_refused(void **state)
{
	struct driver driver = driver_start(0, NULL);
	const struct vgpu_worker_job job = right_job();
	int fd = STDIN_FILENO;

	(void)state;
	assert_int_equal(vgpu_packet_send(driver.socket, &job, job.header.length, &fd, 1), 0);
	assert_ends(&driver, EX_SOFTWARE, "carries a descriptor");
}

/* Sends a job that needs memory and waits for the worker to ask for it. */
static struct driver asking_for_memory(void)
{
	const struct made_request made = make_alloc(1000);
	struct driver driver = driver_start(0, NULL);
	struct vgpu_worker_job job = right_job();
	union vgpu_worker_message message;

	job.length = made.length;
	job.header.length = (uint32_t)offsetof(struct vgpu_worker_job, request) + made.length;
	memcpy(job.request, made.bytes, made.length);
	driver_send(&driver, &job, job.header.length);
	assert_int_equal(driver_receive(&driver, &message), sizeof(message.reserve));
	assert_int_equal(message.header.type, VGPU_WORKER_RESERVE);
	assert_true(message.reserve.bytes == 1024);
	return driver;
}

static void malformed_answer_to_reserve(void **state)
{
	const struct vgpu_worker_job job = right_job();
	const struct vgpu_worker_reserved right = {
		.header = { .type = VGPU_WORKER_RESERVED, .length = sizeof(right) },
		.number = 1,
		.granted = 1,
	};
	struct vgpu_worker_reserved answer = right;

	(void)state;
	answer.granted = 2;
	assert_message_ends(asking_for_memory(), &answer, sizeof(answer), "neither");
	answer = right;
	answer.header.length = sizeof(answer) - 4;
	assert_message_ends(asking_for_memory(), &answer, sizeof(answer) - 4, "size");
	assert_message_ends(asking_for_memory(), &job, job.header.length, "type 6");
}

static void the_end_of_the_stream_ends_it(void **state)
{
	struct driver driver;

	(void)state;
	driver = driver_spawn(unconfined);
	driver_stop(&driver);
	driver = prepared();
	driver_stop(&driver);
	driver = driver_start(0, NULL);
	driver_stop(&driver);
	driver = driver_start(0, NULL);
	driver_alloc(&driver, 1 << 20);
	driver_stop(&driver);
	driver = asking_for_memory();
	driver_stop(&driver);
}

static void assert_prepare_fails(const struct vgpu_worker_prepare *prepare, const char *word)
{
	struct driver driver = driver_spawn(unconfined);
	union vgpu_worker_message message;

	driver_send(&driver, prepare, sizeof(*prepare));
	assert_int_equal(driver_receive(&driver, &message), sizeof(message.failed));
	assert_int_equal(message.header.type, VGPU_WORKER_FAILED_MESSAGE);
	assert_int_equal(message.header.length, sizeof(message.failed));
	assert_non_null(memchr(message.failed.text, '\0', sizeof(message.failed.text)));
	assert_non_null(strstr(message.failed.text, word));
	assert_int_equal(driver_receive(&driver, &message), 0);
	assert_ends(&driver, EX_OSERR, word);
}

static void a_backend_or_gpu_that_is_not_there(void **state)
{
	struct vgpu_worker_prepare prepare = driver_prepare();

	(void)state;
	prepare.backend = 99;
	assert_prepare_fails(&prepare, "no backend 99");
	prepare = driver_prepare();
	prepare.gpu = 256;
	assert_prepare_fails(&prepare, "no GPU 256");
}

/* The kernel restarts poll() through a system call that the worker never makes itself. */
static void stopped_and_continued_it_goes_on(void **state)
{
	struct driver driver = driver_start(0, NULL);
	struct made_request made = make_request(VGPU_OP_NOP, 0, NULL, 0);
	int status;

	(void)state;
	for (int i = 0; i < 3; i++) {
		driver_expect(&driver, &made, VGPU_ERR_NONE);
		usleep(20000); /* so that it waits */
		kill(driver.pid, SIGSTOP);
		assert_int_equal(waitpid(driver.pid, &status, WUNTRACED), driver.pid);
		assert_true(WIFSTOPPED(status));
		kill(driver.pid, SIGCONT);
	}
	driver_expect(&driver, &made, VGPU_ERR_NONE);
	driver_stop(&driver);
}

/* Runs the program without its socket, with this argument; returns its exit status. */
static int run_with(const char *argument)
{
	const char *builddir = getenv("top_builddir");
	char program[4096];
	int status;
	pid_t pid;

	snprintf(program, sizeof(program), "%s/vgpu-worker", builddir ? builddir : ".");
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		close(VGPU_WORKER_CONTROL_FD);
		execl(program, "vgpu-worker", argument, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void command_line(void **state)
{
	(void)state;
	assert_int_equal(run_with("--help"), 0);
	assert_int_equal(run_with("--version"), 0);
	assert_int_equal(run_with("--nonsense"), EX_USAGE);
	assert_int_equal(run_with("argument"), EX_USAGE);
	/* Right, but nobody is at the other end. */
	assert_int_equal(run_with(NULL), EX_USAGE);
}

static void refuse_ids(uint32_t uid, uint32_t gid, const char *word)
{
	const struct vgpu_worker_prepare prepare = driver_prepare();
	struct vgpu_worker_start start = right_start();
	struct driver driver = driver_spawn(NULL);
	union vgpu_worker_message message;

	start.uid = uid;
	start.gid = gid;
	driver_send(&driver, &prepare, sizeof(prepare));
	driver_receive_prepared(&driver);
	driver_send(&driver, &start, sizeof(start));
	assert_int_equal(driver_receive(&driver, &message), sizeof(message.failed));
	assert_int_equal(message.header.type, VGPU_WORKER_FAILED_MESSAGE);
	assert_non_null(strstr(message.failed.text, word));
	assert_ends(&driver, EX_OSERR, word);
}

/* Nothing that a tenant sends may run with root's identity. */
static void root_needs_another_identity(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	refuse_ids(VGPU_WORKER_NO_ID, VGPU_WORKER_NO_ID, "started as root");
	refuse_ids(0, 0, "started as root");
	refuse_ids(DRIVER_UID, 0, "started as root");
	refuse_ids(0, DRIVER_UID, "started as root");
	refuse_ids(DRIVER_UID, VGPU_WORKER_NO_ID, "started as root");
	refuse_ids(VGPU_WORKER_NO_ID, DRIVER_UID, "started as root");
}

static void nobody_else_gets_another_identity(void **state)
{
	(void)state;
	if (geteuid() == 0)
		skip();
	refuse_ids(DRIVER_UID, DRIVER_UID, "only a worker");
	refuse_ids(geteuid(), VGPU_WORKER_NO_ID, "only a worker");
	refuse_ids(VGPU_WORKER_NO_ID, 0, "only a worker");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_prepare),
		cmocka_unit_test(malformed_start),
		cmocka_unit_test(malformed_job),
		cmocka_unit_test(descriptors_are_refused),
		cmocka_unit_test(malformed_answer_to_reserve),
		cmocka_unit_test(the_end_of_the_stream_ends_it),
		cmocka_unit_test(a_backend_or_gpu_that_is_not_there),
		cmocka_unit_test(stopped_and_continued_it_goes_on),
		cmocka_unit_test(command_line),
		cmocka_unit_test(root_needs_another_identity),
		cmocka_unit_test(nobody_else_gets_another_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
