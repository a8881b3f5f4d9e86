/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/reconciler.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/condition.h"
#include "common/log.h"
#include "mediatord/backoff.h"

/* One that lasts so long has done its work: the next failure is the first of a row. */
#define LASTED_NS (30 * VGPU_NS_PER_SECOND)

#define ARGUMENTS_MAX 12

extern char **environ;

struct reconciler {
	const struct config *config;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	bool stopping;
	pid_t pid; /* or 0 */
};

static void make_arguments(const struct config *config, char *arguments[ARGUMENTS_MAX])
{
	size_t n = 0;

	arguments[n++] = (char *)"vgpu-reconciler";
	arguments[n++] = (char *)"--control-socket";
	arguments[n++] = config->control_socket;
	arguments[n++] = (char *)"--uri";
	arguments[n++] = config->libvirt_uri;
	arguments[n++] = (char *)"--link-dir";
	arguments[n++] = config->link_dir;
	arguments[n++] = (char *)"--log-level";
	arguments[n++] = (char *)vgpu_log_level_name(config->log_level);
	if (!config->libvirt_attach)
		arguments[n++] = (char *)"--no-attach";
	arguments[n] = NULL;
}

/* *input is the end of its standard input, which ends it. Returns 0, or an errno value. */
static int spawn(const struct config *config, pid_t *pid, int *input)
{
	char *arguments[ARGUMENTS_MAX];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int pair[2], failed;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return errno;
	make_arguments(config, arguments);
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pair[0], STDIN_FILENO);
	failed = posix_spawn(pid, config->reconciler, &actions, &attributes, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	close(pair[0]);
	if (failed)
		close(pair[1]);
	else
		*input = pair[1];
	return failed;
}

/* Waits for its end. The pid stays its own until it is known to be gone. */
static int await(struct reconciler *reconciler, pid_t pid)
{
	siginfo_t info;
	int status = 0;

	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&reconciler->lock);
	reconciler->pid = 0;
	pthread_mutex_unlock(&reconciler->lock);
	waitpid(pid, &status, 0);
	return status;
}

/* Starts it once and waits for its end. */
static void run_once(struct reconciler *reconciler)
{
	VGPU_AUTO_CLOSE int input = -1;
	int failed = 0, status = 0;
	bool stopping;
	pid_t pid = 0;

	pthread_mutex_lock(&reconciler->lock);
	if (!reconciler->stopping) {
		failed = spawn(reconciler->config, &pid, &input);
		reconciler->pid = failed ? 0 : pid;
	}
	pthread_mutex_unlock(&reconciler->lock);
	if (failed)
		vgpu_log_error("cannot start %s: %s", reconciler->config->reconciler,
			       strerror(failed));
	if (failed || pid == 0)
		return;
	status = await(reconciler, pid);
	pthread_mutex_lock(&reconciler->lock);
	stopping = reconciler->stopping;
	pthread_mutex_unlock(&reconciler->lock);
	if (!stopping)
		vgpu_log_warning("vgpu-reconciler ended (status 0x%x), and is started again",
				 (unsigned int)status);
}

static void *supervise(void *opaque)
{
	struct reconciler *reconciler = opaque;
	struct backoff backoff = { 0 };
	bool stopping = false;

	while (!stopping) {
		int64_t began_ns = vgpu_now_ns();

		run_once(reconciler);
		if (vgpu_now_ns() - began_ns >= LASTED_NS)
			backoff_succeed(&backoff);
		backoff_fail(&backoff, vgpu_now_ns());
		pthread_mutex_lock(&reconciler->lock);
		while (!reconciler->stopping &&
		       vgpu_condition_wait(&reconciler->changed, &reconciler->lock,
					   backoff.retry_ns))
			;
		stopping = reconciler->stopping;
		pthread_mutex_unlock(&reconciler->lock);
	}
	return NULL;
}

static void free_reconciler(struct reconciler *reconciler)
{
	pthread_cond_destroy(&reconciler->changed);
	pthread_mutex_destroy(&reconciler->lock);
	free(reconciler);
}

int reconciler_start(const struct config *config, struct reconciler **reconciler,
		     struct vgpu_error **err)
{
	struct reconciler *made;
	int failed;

	*reconciler = NULL;
	if (!config->libvirt_uri[0])
		return 0;
	if (access(config->reconciler, X_OK) < 0) {
		vgpu_log_info("libvirt's domains are not followed: %s: %s", config->reconciler,
			      strerror(errno));
		return 0;
	}
	made = calloc(1, sizeof(*made));
	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->config = config;
	pthread_mutex_init(&made->lock, NULL);
	vgpu_condition_init(&made->changed);
	failed = pthread_create(&made->thread, NULL, supervise, made);
	if (failed) {
		free_reconciler(made);
		return vgpu_error_errno(err, failed, "cannot start a thread");
	}
	*reconciler = made;
	return 0;
}

void reconciler_stop(struct reconciler **reconciler)
{
	struct reconciler *old = vgpu_steal_pointer(reconciler);

	if (!old)
		return;
	pthread_mutex_lock(&old->lock);
	old->stopping = true;
	pthread_cond_signal(&old->changed);
	/* It holds nothing that it would have to put in order. */
	if (old->pid)
		kill(old->pid, SIGKILL);
	pthread_mutex_unlock(&old->lock);
	pthread_join(old->thread, NULL);
	free_reconciler(old);
}
