/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/gpus/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

#define DEADLINE_NS	 (15 * VGPU_NS_PER_SECOND)
#define OUTPUT_BYTES_MAX (128u << 10)

/* One vgpu-gpuinfo. */
struct question {
	pid_t *stuck;
	pid_t pid;  /* 0: it was not started */
	int output; /* -1: read to its end, or given up */
	char *text;
	size_t length;
	struct vgpu_error *err; /* why there is no answer */
};

/* argument: --list, or a GPU's index. Sets question->err where it cannot be started. */
static void start(const struct gpus_asker *asker, const char *argument, struct question *question)
{
	char *const arguments[] = { (char *)"vgpu-gpuinfo", (char *)argument, NULL };
	char *const environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int pair[2], failed;

	if (pipe2(pair, O_CLOEXEC) < 0) {
		vgpu_error_errno(&question->err, errno, "cannot make a pipe");
		return;
	}
	/* This end alone: the program is to wait where the pipe is full. */
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, pair[1], STDOUT_FILENO);
	failed = posix_spawn(&question->pid, asker->program, &actions, &attributes, arguments,
			     environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	close(pair[1]);
	question->output = pair[0];
	if (failed) {
		question->pid = 0;
		vgpu_error_errno(&question->err, failed, "cannot start %s", asker->program);
	}
}

/* Where an earlier one still hangs, another would, too. */
static void begin(const struct gpus_asker *asker, const char *argument, pid_t *stuck,
		  struct question *question)
{
	*question = (struct question){ .stuck = stuck, .output = -1 };
	if (*stuck && waitpid(*stuck, NULL, WNOHANG) == 0) {
		vgpu_error_set(&question->err, ETIMEDOUT,
			       "NVIDIA's driver holds process %d, which asked it", (int)*stuck);
		return;
	}
	*stuck = 0;
	question->text = malloc(OUTPUT_BYTES_MAX);
	if (question->text)
		start(asker, argument, question);
	else
		vgpu_error_set(&question->err, ENOMEM, "out of memory");
}

static void close_output(struct question *question)
{
	vgpu_cleanup_close(&question->output);
	question->output = -1;
}

/* Reads what there is. Returns whether there may be more. */
static bool read_more(struct question *question)
{
	ssize_t got = read(question->output, question->text + question->length,
			   OUTPUT_BYTES_MAX - question->length);

	if (got == 0)
		return false;
	if (got < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return true;
		vgpu_error_errno(&question->err, errno, "cannot read vgpu-gpuinfo's output");
		return false;
	}
	question->length += (size_t)got;
	if (question->length < OUTPUT_BYTES_MAX)
		return true;
	vgpu_error_set(&question->err, E2BIG, "vgpu-gpuinfo prints without an end");
	return false;
}

/* Reads all outputs to their ends, until the deadline. */
static void read_outputs(const struct gpus_asker *asker, struct question *questions, size_t count)
{
	int64_t deadline = vgpu_now_ns() + DEADLINE_NS;
	struct pollfd fds[GPUS_MAX];
	size_t open = count;

	while (open && vgpu_now_ns() < deadline && !atomic_load(asker->closing)) {
		for (size_t i = 0; i < count; i++)
			fds[i] = (struct pollfd){ .fd = questions[i].output, .events = POLLIN };
		if (poll(fds, count, 100) < 0)
			continue;
		open = 0;
		for (size_t i = 0; i < count; i++) {
			if (fds[i].fd >= 0 && fds[i].revents && !read_more(&questions[i]))
				close_output(&questions[i]);
			open += questions[i].output >= 0;
		}
	}
	for (size_t i = 0; i < count; i++)
		if (questions[i].output >= 0 && !questions[i].err)
			vgpu_error_set(&questions[i].err, ETIMEDOUT,
				       "NVIDIA's driver did not answer in 15 s");
}

/* Waits for a process that has closed its output or was killed; a wedged one is left behind. */
static void reap(struct question *question)
{
	int status;

	if (question->err)
		kill(question->pid, SIGKILL);
	for (int i = 0; i < 100; i++) {
		if (waitpid(question->pid, &status, WNOHANG) == question->pid) {
			if (!question->err && status != 0)
				vgpu_error_set(&question->err, ENODEV,
					       "vgpu-gpuinfo found no driver (status 0x%x)",
					       (unsigned int)status);
			return;
		}
		poll(NULL, 0, 10);
	}
	kill(question->pid, SIGKILL);
	if (waitpid(question->pid, NULL, WNOHANG) != question->pid)
		*question->stuck = question->pid;
	if (!question->err)
		vgpu_error_set(&question->err, ETIMEDOUT, "vgpu-gpuinfo does not end");
}

/* Reads the answer to each: its text, or err. */
static void finish(const struct gpus_asker *asker, struct question *questions, size_t count)
{
	read_outputs(asker, questions, count);
	for (size_t i = 0; i < count; i++) {
		close_output(&questions[i]);
		if (questions[i].pid)
			reap(&questions[i]);
	}
}

static void forget(struct question *question)
{
	free(question->text);
	vgpu_error_free(&question->err);
}

static int list(struct gpus_asker *asker, struct gpu_report *report, struct vgpu_error **err)
{
	struct question question;
	int result = -1;

	begin(asker, "--list", &asker->stuck_list, &question);
	finish(asker, &question, 1);
	if (question.err)
		*err = vgpu_steal_pointer(&question.err);
	else
		result = gpu_report_parse(question.text, question.length, report, err);
	forget(&question);
	return result;
}

/* Puts the answer of one GPU into its place. */
static void take_answer(struct question *question, struct gpu *gpu)
{
	struct gpu_report *report = question->err ? NULL : malloc(sizeof(*report));

	if (report &&
	    gpu_report_parse(question->text, question->length, report, &question->err) == 0) {
		if (report->count == 1 && report->gpus[0].index == gpu->index)
			*gpu = report->gpus[0];
		else
			vgpu_error_set(&question->err, EINVAL,
				       "vgpu-gpuinfo printed another GPU than %u", gpu->index);
	}
	free(report);
	if (!question->err)
		return;
	gpu->state = question->err->status == ETIMEDOUT ? GPU_HUNG : GPU_UNKNOWN;
	snprintf(gpu->problem, sizeof(gpu->problem), "%s", question->err->message);
}

int gpus_ask(struct gpus_asker *asker, struct gpu_report *report, struct vgpu_error **err)
{
	struct question questions[GPUS_MAX];

	if (list(asker, report, err) < 0)
		return -1;
	for (size_t i = 0; i < report->count; i++) {
		uint32_t index = report->gpus[i].index;
		char text[16];

		snprintf(text, sizeof(text), "%u", index);
		begin(asker, text, &asker->stuck[i], &questions[i]);
	}
	finish(asker, questions, report->count);
	for (size_t i = 0; i < report->count; i++) {
		take_answer(&questions[i], &report->gpus[i]);
		forget(&questions[i]);
	}
	return 0;
}
