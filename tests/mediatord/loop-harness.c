/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/mediatord/loop-harness.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/log.h"
#include "common/uuid.h"
#include "mediatord/mediator.h"
#include "mediatord/rundir.h"

#define TEST_UUID "6f1d6c1e-0f5e-4c55-9d3a-0123456789ab"

/* What the thread needs, and what it hands back when it runs. */
struct start {
	struct harness *harness;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool running;
};

static void *run(void *opaque)
{
	struct start *start = opaque;
	struct mediator *mediator = NULL;
	struct vgpu_error *err = NULL;

	if (mediator_new(start->harness->config, &mediator, &err) < 0) {
		fprintf(stderr, "%s\n", err->message);
		abort();
	}
	start->harness->control = mediator_control(mediator);
	pthread_mutex_lock(&start->lock);
	start->running = true;
	pthread_cond_signal(&start->changed);
	pthread_mutex_unlock(&start->lock);
	/* start is gone from here on. */
	if (mediator_run(mediator, &err) < 0)
		abort();
	mediator_free(&mediator);
	return NULL;
}

static void block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
}

int harness_setup_with(void **state, const char *lines, const char *scheduler)
{
	struct harness *harness = calloc(1, sizeof(*harness));
	struct vgpu_error *err = NULL;
	struct start start = { .harness = harness,
			       .lock = PTHREAD_MUTEX_INITIALIZER,
			       .changed = PTHREAD_COND_INITIALIZER };
	char here[PATH_MAX];
	const char *builddir =
		getenv("top_builddir") ? getenv("top_builddir") : getcwd(here, sizeof(here));
	char *text = NULL;

	assert_non_null(harness);
	block_signals();
	vgpu_log_init("test", getenv("VGPU_TEST_LOG") ? VGPU_LOG_DEBUG : VGPU_LOG_ERROR - 1);
	strcpy(harness->dir, "/tmp/vgpu-test-XXXXXX");
	assert_non_null(mkdtemp(harness->dir));
	/* A worker under its own uid has to pass it. */
	assert_int_equal(chmod(harness->dir, 0755), 0);
	assert_true(asprintf(&text,
			     "[mediatord]\nlink-dir = %s/link\nlibvirt-run-dir = %s\n"
			     "keeper-socket = %s/keeper.sock\nkeeper = %s/vgpu-keeper\n"
			     "worker = %s/tests/mediatord/loop-fake-worker\n"
			     "%s[scheduler]\nfaults = 0\nyield = 100ms\n%s",
			     harness->dir, harness->dir, harness->dir, builddir, builddir, lines,
			     scheduler) > 0);
	if (config_parse(text, strlen(text), "test", &harness->config, &err) < 0 ||
	    rundir_make(harness->config->link_dir, &err) < 0)
		fail_msg("%s", err->message);
	free(text);
	assert_true(asprintf(&harness->link_path, "%s/link/%s.sock", harness->dir, TEST_UUID) > 0);

	assert_int_equal(vgpu_uuid_parse(TEST_UUID, harness->vm.uuid), 0);
	harness->vm.vm_id = 1;
	strcpy(harness->vm.name, "test");
	strcpy(harness->vm.pool, "A");
	harness->vm.priority = VGPU_PRIORITY_MEDIUM;
	harness->vm.weight = 100;
	harness->vm.quotas = harness->config->profiles[0].quotas;
	harness->vm.has_link_uid = true;
	harness->vm.link_uid = geteuid();

	assert_int_equal(pthread_create(&harness->thread, NULL, run, &start), 0);
	pthread_mutex_lock(&start.lock);
	while (!start.running)
		pthread_cond_wait(&start.changed, &start.lock);
	pthread_mutex_unlock(&start.lock);
	harness_put(harness);
	*state = harness;
	return 0;
}

int harness_setup(void **state)
{
	return harness_setup_with(state, "", "");
}

int harness_teardown(void **state)
{
	struct harness *harness = *state;
	static const char *const files[] = { "test.pid", "keeper.sock.lock" };

	kill(getpid(), SIGTERM);
	pthread_join(harness->thread, NULL);
	/* The socket is gone by itself: the folder can be removed. */
	assert_int_equal(rmdir(harness->config->link_dir), 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", harness->dir, files[i]);
		unlink(path);
	}
	/* The keeper, which nobody waits for, removes its socket as it ends. */
	wait_until(rmdir(harness->dir) == 0);
	config_free(&harness->config);
	free(harness->link_path);
	free(harness);
	return 0;
}

void harness_put(struct harness *harness)
{
	struct vgpu_error *err = NULL;

	if (control_vm_put(harness->control, &harness->vm, &err) < 0)
		fail_msg("%s", err->message);
}

struct vm_status harness_status(struct harness *harness)
{
	struct vgpu_error *err = NULL;
	struct vm_status status;

	if (control_vm_status(harness->control, harness->vm.uuid, &status, &err) < 0)
		fail_msg("%s", err->message);
	return status;
}

unsigned int harness_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}
