/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/mediatord/worker-driver.h"
#include "tests/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TIMEOUT_MS WAIT_MS

static void become_worker(int socket, int log, const char *const *arguments)
{
	const char *builddir = getenv("top_builddir");
	char program[4096];
	const char *argv[16] = { "vgpu-worker" };

	/* As the keeper's, which workers inherit. */
	umask(077);
	snprintf(program, sizeof(program), "%s/vgpu-worker", builddir ? builddir : ".");
	for (size_t i = 0; arguments && arguments[i] && i < 14; i++)
		argv[1 + i] = arguments[i];
	/* Not with dup2() alone: a descriptor that has the number already keeps CLOEXEC. */
	socket = fcntl(socket, F_DUPFD, 10);
	dup2(log, STDERR_FILENO);
	dup2(socket, VGPU_WORKER_CONTROL_FD);
	execv(program, (char *const *)argv);
	_exit(127);
}

/* Where it may be, the worker is born into a process namespace of its own, as the keeper's are. */
static pid_t fork_worker(void)
{
	int ours = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	bool apart = unshare(CLONE_NEWPID) == 0;
	pid_t pid = fork();

	if (pid && apart)
		assert_int_equal(setns(ours, CLONE_NEWPID), 0);
	close(ours);
	return pid;
}

uint32_t driver_backend(void)
{
	const char *name = getenv("VGPU_TEST_BACKEND");

	return name && strcmp(name, "cuda") == 0 ? VGPU_BACKEND_CUDA : VGPU_BACKEND_CPU;
}

void driver_cpu_only(const char *reason)
{
	if (driver_backend() == VGPU_BACKEND_CPU)
		return;
	print_message("not on a GPU: %s\n", reason);
	skip();
}

uint64_t driver_footprint(uint64_t bytes)
{
	uint64_t granularity = driver_backend() == VGPU_BACKEND_CUDA ? 2u << 20 : 256;

	return vgpu_align_up(bytes, granularity);
}

struct driver driver_spawn(const char *const *arguments)
{
	struct driver driver = { .socket = -1 };
	const char *folder = getenv("TMPDIR");
	int pair[2], log;

	assert_true(asprintf(&driver.log, "%s/vgpu-worker-log.XXXXXX", folder ? folder : "/tmp") >
		    0);
	log = mkostemp(driver.log, O_CLOEXEC | O_APPEND);
	assert_true(log >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	driver.pid = fork_worker();
	assert_true(driver.pid >= 0);
	if (driver.pid == 0)
		become_worker(pair[1], log, arguments);
	close(pair[1]);
	close(log);
	driver.socket = pair[0];
	return driver;
}

struct vgpu_worker_prepare driver_prepare(void)
{
	return (struct vgpu_worker_prepare){
		.header = { .type = VGPU_WORKER_PREPARE,
			    .length = sizeof(struct vgpu_worker_prepare) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
		.backend = driver_backend(),
	};
}

struct vgpu_worker_prepared driver_receive_prepared(struct driver *driver)
{
	union vgpu_worker_message message;

	assert_int_equal(driver_receive(driver, &message), sizeof(message.prepared));
	assert_int_equal(message.header.type, VGPU_WORKER_PREPARED_MESSAGE);
	assert_int_equal(message.header.length, sizeof(message.prepared));
	assert_int_equal(message.prepared.version, VGPU_WORKER_PROTOCOL_VERSION);
	return message.prepared;
}

void driver_receive_ready(struct driver *driver)
{
	union vgpu_worker_message message;

	assert_int_equal(driver_receive(driver, &message), sizeof(message.ready));
	assert_int_equal(message.header.type, VGPU_WORKER_READY_MESSAGE);
	assert_int_equal(message.header.length, sizeof(message.ready));
}

struct driver driver_start(uint64_t quota, struct vgpu_worker_prepared *prepared)
{
	const struct vgpu_worker_prepare prepare = driver_prepare();
	const struct vgpu_worker_start start = {
		.header = { .type = VGPU_WORKER_START, .length = sizeof(start) },
		.uid = geteuid() == 0 ? DRIVER_UID : VGPU_WORKER_NO_ID,
		.gid = geteuid() == 0 ? DRIVER_UID : VGPU_WORKER_NO_ID,
		.memory_bytes = quota,
	};
	struct vgpu_worker_prepared its;
	struct driver driver;

	driver = driver_spawn(NULL);
	driver.quota = quota;
	driver_send(&driver, &prepare, sizeof(prepare));
	driver_send(&driver, &start, sizeof(start));
	its = driver_receive_prepared(&driver);
	if (prepared)
		*prepared = its;
	driver_receive_ready(&driver);
	return driver;
}

void driver_send(struct driver *driver, const void *message, size_t length)
{
	assert_int_equal(send(driver->socket, message, length, MSG_NOSIGNAL), length);
}

size_t driver_receive(struct driver *driver, union vgpu_worker_message *message)
{
	struct pollfd poll_fd = { .fd = driver->socket, .events = POLLIN };
	ssize_t length;

	if (poll(&poll_fd, 1, TIMEOUT_MS) != 1)
		fail_msg("the worker sent nothing for %d ms", TIMEOUT_MS);
	length = recv(driver->socket, message, sizeof(*message), MSG_TRUNC);
	if (length < 0 && errno == ECONNRESET)
		length = 0;
	assert_in_range(length, 0, sizeof(*message));
	return (size_t)length;
}

static void answer_reserve(struct driver *driver, const struct vgpu_worker_reserve *reserve)
{
	uint64_t bytes = reserve->bytes;
	bool granted = !driver->quota ||
		       (bytes <= driver->quota && driver->reserved <= driver->quota - bytes);
	const struct vgpu_worker_reserved answer = {
		.header = { .type = VGPU_WORKER_RESERVED, .length = sizeof(answer) },
		.number = reserve->number,
		.granted = granted,
	};

	driver->reserves++;
	if (granted)
		driver->reserved += bytes;
	driver_send(driver, &answer, sizeof(answer));
}

struct vgpu_worker_done driver_run(struct driver *driver, const struct made_request *made)
{
	static uint64_t job;
	const size_t length = offsetof(struct vgpu_worker_job, request) + made->length;
	struct vgpu_worker_job request = {
		.header = { .type = VGPU_WORKER_JOB, .length = (uint32_t)length },
		.job = job + 1,
		.memory_used = driver->reserved,
		.length = made->length,
	};
	union vgpu_worker_message message;

	job++;
	memcpy(request.request, made->bytes, made->length);
	driver_send(driver, &request, length);
	for (;;) {
		size_t got = driver_receive(driver, &message);

		assert_true(got >= sizeof(message.header));
		assert_int_equal(message.header.length, got);
		switch (message.header.type) {
		case VGPU_WORKER_RESERVE:
			assert_int_equal(got, sizeof(message.reserve));
			answer_reserve(driver, &message.reserve);
			break;
		case VGPU_WORKER_RELEASE:
			assert_int_equal(got, sizeof(message.release));
			assert_true(message.release.bytes <= driver->reserved);
			driver->reserved -= message.release.bytes;
			break;
		case VGPU_WORKER_DONE:
			assert_int_equal(got, offsetof(struct vgpu_worker_done, response) +
						      message.done.length);
			assert_true(message.done.job == job);
			assert_in_range(message.done.length, 32, VGPU_MAILBOX_BYTES);
			/* DONE and its response say the same. */
			assert_int_equal(vgpu_load32(message.done.response + 4),
					 message.done.error_code);
			return message.done;
		default:
			fail_msg("the worker sent message type %u", message.header.type);
		}
	}
}

struct vgpu_worker_done driver_expect(struct driver *driver, const struct made_request *made,
				      uint32_t error_code)
{
	struct vgpu_worker_done done = driver_run(driver, made);

	if (done.error_code != error_code) {
		uint32_t length;
		const uint8_t *text = response_data(&done, &length);

		fail_msg("error code %u \"%.*s\", expected %u", done.error_code, (int)length,
			 (const char *)text, error_code);
	}
	return done;
}

void driver_expect_cuda(struct driver *driver, const struct made_request *made, uint32_t cuda_error,
			const char *word)
{
	struct vgpu_worker_done done = driver_expect(driver, made, VGPU_ERR_CUDA);
	uint32_t length;
	const uint8_t *text = response_data(&done, &length);

	assert_int_equal(vgpu_load32(done.response + 8), 1);
	if (response_word(&done, 0) != cuda_error || !memmem(text, length, word, strlen(word)))
		fail_msg("CUresult %u \"%.*s\", expected %u \"...%s...\"", response_word(&done, 0),
			 (int)length, (const char *)text, cuda_error, word);
}

uint64_t driver_alloc(struct driver *driver, uint64_t bytes)
{
	struct made_request made = make_alloc(bytes);
	struct vgpu_worker_done done = driver_expect(driver, &made, VGPU_ERR_NONE);

	return response_pointer(&done);
}

int driver_wait(struct driver *driver)
{
	int status = 0;

	for (int i = 0; i < TIMEOUT_MS / 10; i++) {
		if (waitpid(driver->pid, &status, WNOHANG) == driver->pid) {
			driver->pid = -1;
			return status;
		}
		usleep(10000);
	}
	fail_msg("the worker did not end within %d ms", TIMEOUT_MS);
	return -1;
}

void driver_stop(struct driver *driver)
{
	int status;

	close(driver->socket);
	driver->socket = -1;
	status = driver_wait(driver);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("the worker's end: wait status 0x%x", (unsigned int)status);
	driver_forget(driver);
}

void driver_forget(struct driver *driver)
{
	if (driver->pid > 0) {
		kill(driver->pid, SIGKILL);
		waitpid(driver->pid, NULL, 0);
	}
	if (driver->socket >= 0)
		close(driver->socket);
	unlink(driver->log);
	free(driver->log);
	*driver = (struct driver){ .socket = -1, .pid = -1 };
}

void driver_assert_status(pid_t pid, const char *field, const char *expected)
{
	size_t length = strlen(field);
	char path[64], line[512], value[512] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, field, length) != 0 || line[length] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(value, sizeof(value), "%s",
			 line + length + 1 + strspn(line + length + 1, " \t"));
	}
	fclose(file);
	if (strcmp(value, expected) != 0)
		fail_msg("%s is \"%s\", expected \"%s\"", field, value, expected);
}

void driver_assert_no_capabilities(pid_t pid)
{
	static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapAmb" };

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		driver_assert_status(pid, sets[i], "0000000000000000");
}

uint32_t response_word(const struct vgpu_worker_done *done, uint32_t index)
{
	assert_true(index < vgpu_load32(done->response + 8));
	return vgpu_load32(done->response + 32 + 4 * index);
}

uint64_t response_pointer(const struct vgpu_worker_done *done)
{
	assert_int_equal(vgpu_load32(done->response + 8), 2);
	return vgpu_load64(done->response + 32);
}

const uint8_t *response_data(const struct vgpu_worker_done *done, uint32_t *length)
{
	uint32_t offset = vgpu_load32(done->response + 12);

	*length = vgpu_load32(done->response + 16);
	assert_true(vgpu_range_ok(offset, *length, done->length));
	return done->response + offset;
}
