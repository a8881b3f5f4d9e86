/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/qemu/vm.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"

#define ARGUMENTS_MAX 48

static const char *build_dir(void)
{
	const char *dir = getenv("top_builddir");

	return dir ? dir : ".";
}

void vm_prerequisites(void)
{
	if (access("/usr/bin/qemu-system-x86_64", X_OK) < 0) {
		printf("SKIP: /usr/bin/qemu-system-x86_64 is missing (Debian: qemu-system-x86)\n");
		exit(77);
	}
}

void vm_messages(const struct vm *vm, char *text, size_t size)
{
	int fd = open(vm->stderr_path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, size - 1);

	text[length < 0 ? 0 : length] = '\0';
	if (fd >= 0)
		close(fd);
}

static void __attribute__((noreturn, format(printf, 2, 3)))
vm_fail(const struct vm *vm, const char *format, ...)
{
	char text[512], messages[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	vm_messages(vm, messages, sizeof(messages));
	print_error("%s\nQEMU said:\n%s\n", text, messages);
	fail();
	abort(); /* fail() does not return, which its declaration does not say */
}

/*
 * A module with AddressSanitizer needs its runtime loaded first, which QEMU does not link. It is
 * the one that this program runs with. Leaks of QEMU's own, at its end, are not looked for.
 */
static void preload_sanitizer(void)
{
#ifdef __SANITIZE_ADDRESS__
	extern void __asan_init(void);
	Dl_info runtime;

	if (dladdr((void *)(uintptr_t)__asan_init, &runtime) && runtime.dli_fname)
		setenv("LD_PRELOAD", runtime.dli_fname, 1);
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
#endif
}

/* In the child: becomes the emulator wrapper, with what the test built. */
static void __attribute__((noreturn)) become_wrapper(char *const arguments[])
{
	char wrapper[4096], module[4096];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	preload_sanitizer();
	snprintf(wrapper, sizeof(wrapper), "%s/device/qemu-system-x86_64-vgpu", build_dir());
	if (!getenv("VGPU_QEMU_MODULE")) {
		snprintf(module, sizeof(module), "%s/device/.libs/vgpu-qemu.so", build_dir());
		setenv("VGPU_QEMU_MODULE", module, 1);
	}
	execv(wrapper, arguments);
	fprintf(stderr, "%s: %s\n", wrapper, strerror(errno));
	_exit(127);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
	assert_return_code(listen(fd, 1), errno);
	return fd;
}

static void wait_readable(const struct vm *vm, int fd, const char *what)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (poll(&poll_fd, 1, PATIENCE_MS) != 1)
		vm_fail(vm, "nothing came: %s", what);
}

static int accept_from(const struct vm *vm, int listener, const char *path)
{
	struct pollfd poll_fd = { .fd = listener, .events = POLLIN };
	int64_t deadline = vgpu_now_ns() + PATIENCE_MS * VGPU_NS_PER_MS;
	int fd;

	/* A QEMU that ended at once must not cost the whole patience. */
	while (poll(&poll_fd, 1, 100) == 0) {
		siginfo_t ended = { 0 };

		waitid(P_PID, (id_t)vm->pid, &ended, WEXITED | WNOHANG | WNOWAIT);
		if (ended.si_pid == vm->pid || vgpu_now_ns() > deadline)
			vm_fail(vm, "QEMU does not connect to %s", path);
	}
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	close(listener);
	unlink(path);
	return fd;
}

/* The next line, without its end; valid until the next call with this reader. */
static const char *read_line(const struct vm *vm, struct line_reader *reader, char *line,
			     size_t size)
{
	for (;;) {
		char *end = memchr(reader->bytes, '\n', reader->used);
		ssize_t got;

		if (end) {
			size_t length = (size_t)(end - reader->bytes);

			if (length >= size)
				vm_fail(vm, "a line of %zu bytes", length);
			memcpy(line, reader->bytes, length);
			line[length] = '\0';
			reader->used -= length + 1;
			memmove(reader->bytes, end + 1, reader->used);
			return line;
		}
		wait_readable(vm, reader->fd, reader == &vm->qtest ? "qtest" : "QMP");
		got = read(reader->fd, reader->bytes + reader->used,
			   sizeof(reader->bytes) - reader->used);
		if (got <= 0)
			vm_fail(vm, "QEMU ended");
		reader->used += (size_t)got;
	}
}

static void write_all(const struct vm *vm, int fd, const char *text, size_t length)
{
	if (send(fd, text, length, MSG_NOSIGNAL) != (ssize_t)length)
		vm_fail(vm, "QEMU does not listen: %s", strerror(errno));
}

/* The folder of a test that failed in the middle; QEMU itself dies with the program. */
static char left_over[64];

static void remove_left_over(void)
{
	static const char *const names[] = { "link", "qtest", "qmp", "stderr" };
	char path[96];

	if (left_over[0] == '\0')
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", left_over, names[i]);
		unlink(path);
	}
	rmdir(left_over);
	left_over[0] = '\0';
}

void vm_prepare(struct vm *vm)
{
	static bool registered;

	if (!registered)
		registered = atexit(remove_left_over) == 0;
	remove_left_over();
	memset(vm, 0, sizeof(*vm));
	snprintf(vm->dir, sizeof(vm->dir), "/tmp/vgpu-qemu-test.XXXXXX");
	assert_non_null(mkdtemp(vm->dir));
	memcpy(left_over, vm->dir, sizeof(left_over));
	snprintf(vm->link, sizeof(vm->link), "%s/link", vm->dir);
	snprintf(vm->qtest_path, sizeof(vm->qtest_path), "%s/qtest", vm->dir);
	snprintf(vm->qmp_path, sizeof(vm->qmp_path), "%s/qmp", vm->dir);
	snprintf(vm->stderr_path, sizeof(vm->stderr_path), "%s/stderr", vm->dir);
}

void vm_start(struct vm *vm, const char *const arguments[])
{
	static const char mark[] = "@LINK@";
	char qtest[128], qmp[128], line[4096];
	char replaced[ARGUMENTS_MAX][256];
	const char *argv[ARGUMENTS_MAX] = { "qemu-system-x86_64-vgpu",
					    "-S",
					    "-display",
					    "none",
					    "-nodefaults",
					    "-m",
					    "64",
					    "-accel",
					    "tcg",
					    "-qtest-log",
					    "none",
					    "-qtest",
					    qtest,
					    "-chardev",
					    qmp,
					    "-mon",
					    "chardev=qmp,mode=control" };
	int qtest_listener = listen_at(vm->qtest_path), qmp_listener = listen_at(vm->qmp_path);
	size_t count = 0;

	snprintf(qtest, sizeof(qtest), "unix:%s", vm->qtest_path);
	snprintf(qmp, sizeof(qmp), "socket,id=qmp,path=%s", vm->qmp_path);
	while (argv[count])
		count++;
	for (; *arguments; arguments++, count++) {
		size_t length = strlen(*arguments);

		assert_true(count < ARGUMENTS_MAX - 1);
		argv[count] = *arguments;
		if (length >= strlen(mark) &&
		    strcmp(*arguments + length - strlen(mark), mark) == 0) {
			snprintf(replaced[count], sizeof(replaced[count]), "%.*s%s",
				 (int)(length - strlen(mark)), *arguments, vm->link);
			argv[count] = replaced[count];
		}
	}
	argv[count] = NULL;

	vm->pid = fork();
	assert_true(vm->pid >= 0);
	if (vm->pid == 0) {
		int fd = open(vm->stderr_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		become_wrapper((char *const *)argv);
	}
	vm->qtest.fd = accept_from(vm, qtest_listener, vm->qtest_path);
	vm->qmp.fd = accept_from(vm, qmp_listener, vm->qmp_path);
	read_line(vm, &vm->qmp, line, sizeof(line)); /* the greeting */
	vm_qmp(vm, "{\"execute\": \"qmp_capabilities\"}");
}

void vm_stop(struct vm *vm)
{
	int status;
	bool alive = kill(vm->pid, 0) == 0 && waitpid(vm->pid, &status, WNOHANG) == 0;

	if (!alive)
		vm_fail(vm, "QEMU had ended before the test did");
	kill(vm->pid, SIGTERM);
	assert_int_equal(waitpid(vm->pid, &status, 0), vm->pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		vm_fail(vm, "QEMU ended with wait status %#x", (unsigned int)status);
	close(vm->qtest.fd);
	close(vm->qmp.fd);
	unlink(vm->stderr_path);
	unlink(vm->link);
	assert_return_code(rmdir(vm->dir), errno);
	left_over[0] = '\0';
}

int vm_run(const char *const arguments[], char *output, size_t size)
{
	const char *argv[ARGUMENTS_MAX] = { "qemu-system-x86_64-vgpu" };
	size_t count = 1, used = 0;
	int pipes[2], status;
	ssize_t got;
	pid_t pid;

	for (; *arguments; arguments++) {
		assert_true(count < ARGUMENTS_MAX - 1);
		argv[count++] = *arguments;
	}
	assert_return_code(pipe2(pipes, O_CLOEXEC), errno);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		dup2(pipes[1], STDERR_FILENO);
		alarm(PATIENCE_MS / 1000);
		become_wrapper((char *const *)argv);
	}
	close(pipes[1]);
	while (used < size - 1 && (got = read(pipes[0], output + used, size - 1 - used)) > 0)
		used += (size_t)got;
	output[used] = '\0';
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Runs a qtest command and returns the value that it answers with, or 0. */
static uint64_t __attribute__((format(printf, 2, 3))) qtest(struct vm *vm, const char *format, ...)
{
	char command[128], line[4096];
	uint64_t value = 0;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	write_all(vm, vm->qtest.fd, command, (size_t)length);
	do
		read_line(vm, &vm->qtest, line, sizeof(line));
	while (strncmp(line, "IRQ", 3) == 0);
	if (strncmp(line, "OK", 2) != 0)
		vm_fail(vm, "qtest: %s answers %s", command, line);
	if (line[2] == ' ')
		value = strtoull(line + 3, NULL, 0);
	return value;
}

static char size_letter(unsigned int size)
{
	return size == 1 ? 'b' : size == 2 ? 'w' : size == 4 ? 'l' : 'q';
}

uint64_t vm_read(struct vm *vm, unsigned int size, uint64_t address)
{
	return qtest(vm, "read%c 0x%llx\n", size_letter(size), (unsigned long long)address);
}

void vm_write(struct vm *vm, unsigned int size, uint64_t address, uint64_t value)
{
	qtest(vm, "write%c 0x%llx 0x%llx\n", size_letter(size), (unsigned long long)address,
	      (unsigned long long)value);
}

uint32_t vm_in32(struct vm *vm, uint16_t port)
{
	return (uint32_t)qtest(vm, "inl 0x%x\n", port);
}

void vm_out32(struct vm *vm, uint16_t port, uint32_t value)
{
	qtest(vm, "outl 0x%x 0x%x\n", port, value);
}

void vm_wait(struct vm *vm, uint64_t address, uint32_t value)
{
	int64_t deadline = vgpu_now_ns() + PATIENCE_MS * VGPU_NS_PER_MS;
	uint32_t found;

	while ((found = (uint32_t)vm_read(vm, 4, address)) != value) {
		if (vgpu_now_ns() > deadline)
			vm_fail(vm, "address %#llx holds %#x, not %#x", (unsigned long long)address,
				found, value);
		usleep(1000);
	}
}

/* Reads one line of QMP; an event's name goes to vm->events. */
static const char *read_qmp(struct vm *vm, char *line, size_t size)
{
	static const char key[] = "\"event\": \"";
	const char *event;
	size_t used = strlen(vm->events), length;

	read_line(vm, &vm->qmp, line, size);
	event = strstr(line, key);
	if (event && !strstr(line, "\"return\"")) {
		event += strlen(key);
		length = strcspn(event, "\"");
		if (used + length + 2 > sizeof(vm->events))
			vm_fail(vm, "too many events");
		snprintf(vm->events + used, sizeof(vm->events) - used, "%.*s ", (int)length, event);
	}
	return line;
}

const char *vm_qmp(struct vm *vm, const char *command)
{
	static char line[16384];

	write_all(vm, vm->qmp.fd, command, strlen(command));
	write_all(vm, vm->qmp.fd, "\n", 1);
	do
		read_qmp(vm, line, sizeof(line));
	while (!strstr(line, "\"return\"") && !strstr(line, "\"error\""));
	return line;
}

void vm_wait_event(struct vm *vm, const char *event)
{
	char line[16384], name[64];
	char *found;

	snprintf(name, sizeof(name), "%s ", event);
	while (!(found = strstr(vm->events, name)))
		read_qmp(vm, line, sizeof(line));
	memmove(found, found + strlen(name), strlen(found + strlen(name)) + 1);
}

unsigned int vm_cpu_ms(const struct vm *vm)
{
	unsigned long user, system;
	char path[64], text[1024];
	const char *at;
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)vm->pid);
	file = fopen(path, "re");
	assert_non_null(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	at = strrchr(text, ')'); /* after the name, which may hold anything: field 3 */
	assert_non_null(at);
	assert_int_equal(sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
				&user, &system),
			 2);
	return (unsigned int)((user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK));
}
