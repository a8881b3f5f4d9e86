/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/gpus.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "mediatord/software_gpu.h"
#include "mediatord/ticker.h"

#define LOOK_EVERY_NS	 (5 * VGPU_NS_PER_SECOND)
#define LOOK_DEADLINE_NS (15 * VGPU_NS_PER_SECOND)
#define OUTPUT_BYTES_MAX (1u << 20)

struct gpus {
	const struct config *config;
	gpus_listener *listener;
	void *opaque;
	struct ticker *ticker;	   /* or NULL: nobody watches yet */
	atomic_bool closing;	   /* a look that is under way ends early */
	pthread_mutex_t lock;	   /* of what follows */
	struct gpu_report *report; /* the latest */
	/* Of who looks, one thread at a time. */
	pid_t stuck; /* a vgpu-gpuinfo that was killed and has not ended; or 0 */
	char problem[GPU_TEXT_BYTES];
};

/* Starts vgpu-gpuinfo with its output in a pipe. Returns 0, or -1 and err. */
static int start_program(const char *program, pid_t *pid, int *output, struct vgpu_error **err)
{
	char *const arguments[] = { (char *)"vgpu-gpuinfo", NULL };
	char *const environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int pair[2], failed;

	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return vgpu_error_errno(err, errno, "cannot make a pipe");
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, pair[1], STDOUT_FILENO);
	failed = posix_spawn(pid, program, &actions, &attributes, arguments, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	close(pair[1]);
	if (failed) {
		close(pair[0]);
		return vgpu_error_errno(err, failed, "cannot start %s", program);
	}
	*output = pair[0];
	return 0;
}

/* Reads until the end of the output. Returns its length, or -1 and err (ETIMEDOUT, E2BIG...). */
static ssize_t read_output(struct gpus *gpus, int output, char *text, struct vgpu_error **err)
{
	int64_t deadline = vgpu_now_ns() + LOOK_DEADLINE_NS;
	size_t length = 0;

	while (vgpu_now_ns() < deadline && !atomic_load(&gpus->closing)) {
		struct pollfd poll_fd = { .fd = output, .events = POLLIN };
		ssize_t got;

		if (poll(&poll_fd, 1, 100) <= 0)
			continue;
		got = read(output, text + length, OUTPUT_BYTES_MAX - length);
		if (got == 0)
			return (ssize_t)length;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return vgpu_error_errno(err, errno, "cannot read vgpu-gpuinfo's output");
		length += got > 0 ? (size_t)got : 0;
		if (length == OUTPUT_BYTES_MAX)
			return vgpu_error_set(err, E2BIG, "vgpu-gpuinfo prints without an end");
	}
	return vgpu_error_set(err, ETIMEDOUT, "NVIDIA's driver did not answer in 15 s");
}

/* Waits for a process that has closed its output or was killed; a wedged one is left behind. */
static int reap(struct gpus *gpus, pid_t pid, int *status)
{
	for (int i = 0; i < 100; i++) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return 0;
		poll(NULL, 0, 10);
	}
	kill(pid, SIGKILL);
	if (waitpid(pid, status, WNOHANG) != pid)
		gpus->stuck = pid;
	return -1;
}

static int run_program(struct gpus *gpus, struct gpu_report *report, struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *text = malloc(OUTPUT_BYTES_MAX);
	VGPU_AUTO_CLOSE int output = -1;
	int status = 0;
	ssize_t length;
	pid_t pid;

	if (gpus->stuck && waitpid(gpus->stuck, NULL, WNOHANG) == 0)
		return vgpu_error_set(err, ETIMEDOUT,
				      "NVIDIA's driver holds process %d, which asked it",
				      (int)gpus->stuck);
	gpus->stuck = 0;
	if (!text)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	if (start_program(gpus->config->gpuinfo, &pid, &output, err) < 0)
		return -1;
	length = read_output(gpus, output, text, err);
	if (length < 0)
		kill(pid, SIGKILL);
	if (reap(gpus, pid, &status) < 0 && length >= 0)
		return vgpu_error_set(err, ETIMEDOUT, "vgpu-gpuinfo does not end");
	if (length < 0)
		return -1;
	if (status != 0)
		return vgpu_error_set(err, ENODEV, "vgpu-gpuinfo found no driver (status 0x%x)",
				      (unsigned int)status);
	return gpu_report_parse(text, (size_t)length, report, err);
}

/* Appends a GPU of the configuration that the report lacks. */
static void add_configured(struct gpu_report *report, uint32_t index, enum gpu_state state,
			   const char *problem)
{
	struct gpu *gpu = &report->gpus[report->count];

	if (gpu_report_find(report, index) || report->count == GPUS_MAX)
		return;
	*gpu = (struct gpu){
		.index = index,
		.state = state,
		.utilization_percent = -1,
		.temperature_celsius = -1,
		.power_milliwatts = -1,
		.mig = -1,
	};
	snprintf(gpu->problem, sizeof(gpu->problem), "%s", problem);
	report->count++;
}

static void add_all_configured(const struct config *config, struct gpu_report *report,
			       enum gpu_state state, const char *problem)
{
	for (size_t i = 0; i < config->pool_count; i++)
		for (size_t n = 0; n < config->pools[i].gpu_count; n++)
			add_configured(report, config->pools[i].gpus[n], state, problem);
}

static void look_software(const struct config *config, struct gpu_report *report)
{
	report->count = 0;
	add_all_configured(config, report, GPU_OK, "");
	for (size_t i = 0; i < report->count; i++) {
		snprintf(report->gpus[i].name, sizeof(report->gpus[i].name), "software GPU %u",
			 report->gpus[i].index);
		report->gpus[i].memory_bytes = software_gpu_memory();
	}
}

/* What a GPU was keeps standing while its driver does not answer. */
static void look_failed(struct gpus *gpus, const struct vgpu_error *err, struct gpu_report *report)
{
	enum gpu_state state = err->status == ETIMEDOUT ? GPU_HUNG : GPU_UNKNOWN;

	if (gpus->report)
		*report = *gpus->report;
	else
		report->count = 0;
	for (size_t i = 0; i < report->count; i++) {
		report->gpus[i].state = state;
		snprintf(report->gpus[i].problem, sizeof(report->gpus[i].problem), "%s",
			 err->message);
	}
	add_all_configured(gpus->config, report, state, err->message);
}

static void look_driver(struct gpus *gpus, struct gpu_report *report)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (run_program(gpus, report, &err) == 0) {
		add_all_configured(gpus->config, report, GPU_LOST,
				   "NVIDIA's driver does not list it");
		gpus->problem[0] = '\0';
		return;
	}
	/* Once for each problem: it may stay for days. */
	if (strncmp(gpus->problem, err->message, sizeof(gpus->problem) - 1) != 0)
		vgpu_log_warning("GPUs: %s", err->message);
	snprintf(gpus->problem, sizeof(gpus->problem), "%s", err->message);
	look_failed(gpus, err, report);
}

/* Returns 0, or -1 where there is no memory. */
static int look(struct gpus *gpus)
{
	struct gpu_report *report = malloc(sizeof(*report));
	struct gpu_report *old;

	if (!report)
		return -1;
	if (gpus->config->backend == VGPU_BACKEND_CUDA)
		look_driver(gpus, report);
	else
		look_software(gpus->config, report);
	if (gpus->listener)
		gpus->listener(gpus->opaque, report);
	pthread_mutex_lock(&gpus->lock);
	old = gpus->report;
	gpus->report = report;
	pthread_mutex_unlock(&gpus->lock);
	free(old);
	return 0;
}

/* Where there is no memory, the next look may find some. */
static void look_again(void *gpus)
{
	look(gpus);
}

int gpus_open(const struct config *config, struct gpus **gpus, struct vgpu_error **err)
{
	struct gpus *made = calloc(1, sizeof(*made));

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->config = config;
	pthread_mutex_init(&made->lock, NULL);
	if (look(made) < 0) {
		gpus_close(&made);
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	*gpus = made;
	return 0;
}

int gpus_watch(struct gpus *gpus, gpus_listener *listener, void *opaque, struct vgpu_error **err)
{
	gpus->listener = listener;
	gpus->opaque = opaque;
	return ticker_start("the GPUs'", LOOK_EVERY_NS, look_again, gpus, &gpus->ticker, err);
}

void gpus_close(struct gpus **gpus)
{
	struct gpus *old = vgpu_steal_pointer(gpus);

	if (!old)
		return;
	atomic_store(&old->closing, true);
	ticker_stop(&old->ticker);
	pthread_mutex_destroy(&old->lock);
	free(old->report);
	free(old);
}

struct gpu_report *gpus_snapshot(struct gpus *gpus)
{
	struct gpu_report *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	pthread_mutex_lock(&gpus->lock);
	*copy = *gpus->report;
	pthread_mutex_unlock(&gpus->lock);
	return copy;
}
