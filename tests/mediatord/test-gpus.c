/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's GPUs, as the mediator learns of them: from vgpu-gpuinfo, run over a stand-in for the
 * driver's library, and from programs that misbehave in its place.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "mediatord/gpus/gpus.h"
#include "tests/wait.h"

static char folder[] = "/tmp/vgpu-gpus-XXXXXX";

/* A program that does what the shell commands say. */
static void make_program_at(const char *path, const char *commands)
{
	FILE *file;

	unlink(path);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "#!/bin/sh\n%s\n", commands);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

/* Returns its path. */
static const char *make_program(const char *commands)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/gpuinfo", folder);
	make_program_at(path, commands);
	return path;
}

static struct config *make_config(const char *program, const char *gpus)
{
	char text[512];
	struct config *config;
	int length = snprintf(text, sizeof(text),
			      "[mediatord]\nbackend = cuda\ngpuinfo = %s\n[pool A]\ngpus = %s\n",
			      program, gpus);

	assert_int_equal(config_parse(text, (size_t)length, "test", &config, NULL), 0);
	return config;
}

static void double_path(const char *how, char path[64])
{
	snprintf(path, 64, "%s/%s", folder, how);
}

/* vgpu-gpuinfo itself, over the double, which misbehaves as `how` says. */
static void make_double(const char *how)
{
	char commands[1024], path[64];

	snprintf(commands, sizeof(commands),
		 "LD_LIBRARY_PATH=%s/tests/mediatord/.libs VGPU_DOUBLE=%s exec %s/vgpu-gpuinfo "
		 "\"$@\"",
		 getenv("top_builddir"), how, getenv("top_builddir"));
	double_path(how, path);
	make_program_at(path, commands);
}

/* What one that was made says; it is gone then. */
static struct gpu_report *ask_double(const char *how, const char *configured)
{
	struct gpu_report *report;
	struct config *config;
	struct gpus *gpus;
	char path[64];

	double_path(how, path);
	config = make_config(path, configured);
	assert_int_equal(gpus_open(config, &gpus, NULL), 0);
	unlink(path);
	report = gpus_snapshot(gpus);
	assert_non_null(report);
	gpus_close(&gpus);
	config_free(&config);
	return report;
}

static struct gpu_report *look(const char *how, const char *configured)
{
	make_double(how);
	return ask_double(how, configured);
}

static void the_driver_describes_its_gpus(void **state)
{
	VGPU_AUTO_FREE struct gpu_report *report = look("well", "0");
	const struct gpu *gpu = &report->gpus[0];

	(void)state;
	assert_int_equal(report->count, 2);
	assert_int_equal(gpu->state, GPU_OK);
	assert_memory_equal(gpu->name, "Double ??", 9);
	assert_string_equal(gpu->uuid, "GPU-0");
	assert_string_equal(gpu->pci_address, "00000000:09:00.0");
	assert_int_equal(gpu->memory_bytes, 1000u << 20);
	assert_int_equal(gpu->memory_used_bytes, 4096);
	assert_int_equal(gpu->utilization_percent, 40);
	assert_int_equal(gpu->temperature_celsius, 50);
	assert_int_equal(gpu->power_milliwatts, -1);
	assert_int_equal(gpu->mig, 0);
	assert_int_equal(gpu->process_count, 1);
	assert_int_equal(gpu->processes[0].pid, 77);
	assert_int_equal(gpu->processes[0].memory_bytes, 1234);
	assert_int_equal(report->gpus[1].mig, 1);
}

static void a_gpu_that_fails_is_lost_and_the_others_are_not(void **state)
{
	VGPU_AUTO_FREE struct gpu_report *report = look("broken", "0, 1, 5");

	(void)state;
	assert_int_equal(report->count, 3);
	assert_int_equal(report->gpus[0].state, GPU_OK);
	assert_int_equal(report->gpus[1].state, GPU_LOST);
	assert_string_equal(report->gpus[1].problem, "its driver gives NVML error 999");
	assert_int_equal(report->gpus[2].index, 5);
	assert_int_equal(report->gpus[2].state, GPU_LOST);
}

static void a_driver_that_refuses_leaves_them_unknown(void **state)
{
	VGPU_AUTO_FREE struct gpu_report *report = look("refuse", "0");

	(void)state;
	assert_int_equal(report->count, 1);
	assert_int_equal(report->gpus[0].state, GPU_UNKNOWN);
	assert_non_null(strstr(report->gpus[0].problem, "no driver"));
}

static void *look_at_one_that_hangs(void *unused)
{
	(void)unused;
	return ask_double("hang-one", "0, 1");
}

/*
 * Both of them at once: each takes the 15 s until the driver is given up. Both are made before: one
 * that is being written when the other is started cannot be executed until that one was.
 */
static void a_driver_that_hangs_is_given_up_for_what_it_hangs_for(void **state)
{
	VGPU_AUTO_FREE struct gpu_report *all = NULL;
	VGPU_AUTO_FREE struct gpu_report *one = NULL;
	pthread_t thread;
	void *report;

	(void)state;
	make_double("hang-one");
	make_double("hang");
	assert_int_equal(pthread_create(&thread, NULL, look_at_one_that_hangs, NULL), 0);
	all = ask_double("hang", "0");
	assert_int_equal(pthread_join(thread, &report), 0);
	one = report;
	assert_int_equal(all->count, 1);
	assert_int_equal(all->gpus[0].state, GPU_HUNG);
	assert_int_equal(one->count, 2);
	assert_int_equal(one->gpus[0].state, GPU_OK);
	assert_int_equal(one->gpus[0].memory_bytes, 1000u << 20);
	assert_int_equal(one->gpus[1].state, GPU_HUNG);
}

static void nonsense_is_no_report(void **state)
{
	static const char *const outputs[] = {
		"echo nonsense",
		"echo '{}'",
		"echo '{\"gpus\": 3}'",
		"echo '{\"gpus\": [], \"gpus\": []}'",
		"echo '{\"gpus\": [{}]}'",
		"echo '{\"gpus\": [{\"index\": -1}]}'",
		"echo '{\"gpus\": [{\"index\": 1}, {\"index\": 1}]}'",
		"printf '{\"gpus\": ['; for i in $(seq 0 64); do printf '{\"index\":%d},' $i; "
		"done; "
		"echo '{\"index\":99}]}'",
		"yes",
		"exit 3",
		"kill -9 $$",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(outputs) / sizeof(*outputs); i++) {
		struct config *config = make_config(make_program(outputs[i]), "4");
		VGPU_AUTO_FREE struct gpu_report *report = NULL;
		struct gpus *gpus;

		assert_int_equal(gpus_open(config, &gpus, NULL), 0);
		report = gpus_snapshot(gpus);
		gpus_close(&gpus);
		config_free(&config);
		if (report->count != 1 || report->gpus[0].state != GPU_UNKNOWN)
			fail_msg("taken for a report: %s", outputs[i]);
	}
}

static void values_of_a_wrong_kind_are_lacking_ones(void **state)
{
	static const char text[] =
		"{\"gpus\": [{\"index\": 0, \"name\": 5, \"memory_bytes\": \"9\", "
		"\"utilization_percent\": -3, \"temperature_celsius\": 99999999999, "
		"\"mig\": 1, \"processes\": [4, {\"pid\": 0}, {\"pid\": 9, \"memory_bytes\": "
		"-1}]}]}";
	struct gpu_report report;

	(void)state;
	assert_int_equal(gpu_report_parse(text, sizeof(text) - 1, &report, NULL), 0);
	assert_int_equal(report.count, 1);
	assert_string_equal(report.gpus[0].name, "");
	assert_int_equal(report.gpus[0].memory_bytes, 0);
	assert_int_equal(report.gpus[0].utilization_percent, -1);
	assert_int_equal(report.gpus[0].temperature_celsius, -1);
	assert_int_equal(report.gpus[0].mig, -1);
	assert_int_equal(report.gpus[0].process_count, 1);
	assert_int_equal(report.gpus[0].processes[0].memory_bytes, 0);
}

static void keep_last(void *opaque, const struct gpu_report *report)
{
	__atomic_store_n((int *)opaque, (int)report->gpus[0].state, __ATOMIC_RELEASE);
}

static void what_a_gpu_was_stands_while_its_driver_is_silent(void **state)
{
	struct config *config = make_config(
		make_program("echo '{\"gpus\": [{\"index\": 0, \"memory_bytes\": 70}]}'"), "0");
	VGPU_AUTO_FREE struct gpu_report *report = NULL;
	struct gpus *gpus;
	int last = -1;

	(void)state;
	assert_int_equal(gpus_open(config, &gpus, NULL), 0);
	make_program("exit 1");
	assert_int_equal(gpus_watch(gpus, keep_last, &last, NULL), 0);
	wait_until(__atomic_load_n(&last, __ATOMIC_ACQUIRE) >= 0);
	gpus_close(&gpus);
	assert_int_equal(last, GPU_UNKNOWN);
	config_free(&config);
}

static void software_gpus_are_always_there(void **state)
{
	static const char text[] = "[mediatord]\nsoftware-gpus = 3\n[pool A]\ngpus = all\n";
	VGPU_AUTO_FREE struct gpu_report *report = NULL;
	struct config *config;
	struct gpus *gpus;

	(void)state;
	assert_int_equal(config_parse(text, sizeof(text) - 1, "test", &config, NULL), 0);
	assert_int_equal(gpus_open(config, &gpus, NULL), 0);
	report = gpus_snapshot(gpus);
	assert_int_equal(report->count, 3);
	assert_int_equal(report->gpus[2].index, 2);
	assert_int_equal(report->gpus[2].state, GPU_OK);
	assert_true(report->gpus[2].memory_bytes > 0);
	gpus_close(&gpus);
	config_free(&config);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/gpuinfo", folder);
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_driver_describes_its_gpus),
		cmocka_unit_test(a_gpu_that_fails_is_lost_and_the_others_are_not),
		cmocka_unit_test(a_driver_that_refuses_leaves_them_unknown),
		cmocka_unit_test(a_driver_that_hangs_is_given_up_for_what_it_hangs_for),
		cmocka_unit_test(nonsense_is_no_report),
		cmocka_unit_test(values_of_a_wrong_kind_are_lacking_ones),
		cmocka_unit_test(what_a_gpu_was_stands_while_its_driver_is_silent),
		cmocka_unit_test(software_gpus_are_always_there),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
