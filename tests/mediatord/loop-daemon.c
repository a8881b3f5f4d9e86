/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/mediatord/loop-daemon.h"
#include "tests/wait.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

void daemon_start_another(struct daemon *daemon, pid_t *pid)
{
	*pid = fork();
	assert_true(*pid >= 0);
	if (*pid == 0) {
		int log = open(daemon->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		const gid_t group = 12345;

		/* A group that workers must not inherit, whatever this test was given. */
		if (geteuid() == 0 && setgroups(1, &group) < 0)
			_exit(126);
		dup2(log, STDERR_FILENO);
		execl(daemon->program, "vgpu-mediatord", "--config", daemon->config, (char *)NULL);
		_exit(127);
	}
}

/* Waits for somebody who listens on that Unix stream socket; returns a connection. */
static int connect_control(const struct daemon *daemon)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, daemon->control);
	for (int i = 0; i < WAIT_MS / 10; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			return fd;
		close(fd);
		usleep(10000);
	}
	fail_msg("nobody listens on %s", daemon->control);
	return -1;
}

void daemon_start(struct daemon *daemon)
{
	daemon_start_another(daemon, &daemon->pid);
	close(connect_control(daemon));
}

int daemon_end(struct daemon *daemon, int sig)
{
	int status;

	kill(daemon->pid, sig);
	assert_int_equal(waitpid(daemon->pid, &status, 0), daemon->pid);
	daemon->pid = 0;
	return status;
}

/* Sends one request, and puts the answer's body and head into `answer`. */
int daemon_http(struct daemon *daemon, const char *method, const char *path, const char *body,
		char *answer, size_t size)
{
	bool patch = strcmp(method, "PATCH") == 0;
	char request[1024];
	int fd = connect_control(daemon);
	size_t length = 0;
	ssize_t got;
	int status = 0;

	snprintf(request, sizeof(request),
		 "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s"
		 "Content-Type: application/%s\r\nContent-Length: %zu\r\n\r\n%s",
		 method, path, patch ? "If-Match: *\r\n" : "", patch ? "merge-patch+json" : "json",
		 strlen(body), body);
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	while (length < size - 1 && (got = read(fd, answer + length, size - 1 - length)) > 0)
		length += (size_t)got;
	answer[length] = '\0';
	close(fd);
	sscanf(answer, "HTTP/1.1 %d", &status);
	return status;
}

/* The VM's worker, as REST reports it. */
pid_t daemon_worker_pid(struct daemon *daemon)
{
	char answer[8192];
	const char *worker;
	int pid = 0;

	assert_int_equal(
		daemon_http(daemon, "GET", "/v1/vms/" DAEMON_UUID, "", answer, sizeof(answer)),
		200);
	worker = strstr(answer, "\"worker\":");
	assert_non_null(worker);
	worker = strstr(worker, "\"pid\":");
	assert_non_null(worker);
	sscanf(worker, "\"pid\":%d", &pid);
	return pid;
}

void daemon_wait_until_gone(pid_t pid)
{
	wait_until(kill(pid, 0) < 0);
}

int daemon_setup(void **state)
{
	return daemon_setup_with(state, "");
}

int daemon_setup_with(void **state, const char *lines)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	char here[PATH_MAX];
	const char *builddir =
		getenv("top_builddir") ? getenv("top_builddir") : getcwd(here, sizeof(here));
	char body[64], answer[8192];
	FILE *file;

	assert_non_null(daemon);
	strcpy(daemon->dir, "/tmp/vgpu-test-XXXXXX");
	assert_non_null(mkdtemp(daemon->dir));
	assert_int_equal(chmod(daemon->dir, 0755), 0);
	snprintf(daemon->program, sizeof(daemon->program), "%s/mediatord/vgpu-mediatord", builddir);
	snprintf(daemon->config, sizeof(daemon->config), "%s/conf", daemon->dir);
	snprintf(daemon->control, sizeof(daemon->control), "%s/run/control.sock", daemon->dir);
	snprintf(daemon->link, sizeof(daemon->link), "%s/run/link/" DAEMON_UUID ".sock",
		 daemon->dir);
	snprintf(daemon->log, sizeof(daemon->log), "%s/log", daemon->dir);
	file = fopen(daemon->config, "w");
	assert_non_null(file);
	fprintf(file,
		"[mediatord]\ncontrol-socket = %s\nlink-dir = %s/run/link\nstate = "
		"%s/lib/state.db\n"
		"libvirt-run-dir = %s\nworker = %s/vgpu-worker\nworker-uid-base = %u\n%s"
		"[scheduler]\nfaults = 0\n",
		daemon->control, daemon->dir, daemon->dir, daemon->dir, builddir, DAEMON_UID_BASE,
		lines);
	fclose(file);
	daemon_start(daemon);
	snprintf(body, sizeof(body), "{\"link_uid\": %u, \"vm_id\": %u}", (unsigned int)geteuid(),
		 DAEMON_VM_ID);
	assert_int_equal(
		daemon_http(daemon, "PUT", "/v1/vms/" DAEMON_UUID, body, answer, sizeof(answer)),
		201);
	*state = daemon;
	return 0;
}

int daemon_teardown(void **state)
{
	struct daemon *daemon = *state;
	char command[128];

	if (daemon->pid)
		daemon_end(daemon, SIGTERM);
	snprintf(command, sizeof(command), "rm -rf %s", daemon->dir);
	assert_int_equal(system(command), 0);
	free(daemon);
	return 0;
}

unsigned int daemon_descriptors_of(pid_t pid)
{
	unsigned int count = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2; /* "." and ".." */
}
