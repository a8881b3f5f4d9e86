/* SPDX-License-Identifier: Apache-2.0 */
/* What mediatord.conf says is what comes out, and what it does not say has its default. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"
#include "mediatord/config.h"

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	struct vgpu_error *err = NULL;

	if (config_parse(text, strlen(text), "f", &config, &err) < 0)
		fail_msg("%s", err->message);
	return config;
}

static void an_empty_file_has_the_defaults(void **state)
{
	struct config *config = parse("");
	const struct config_profile *profile;

	(void)state;
	assert_int_equal(config->pool_count, 1);
	assert_string_equal(config->pools[0].name, "A");
	assert_int_equal(config->pools[0].letter, 'A');
	assert_int_equal(config->pools[0].gpu_count, 1);
	assert_int_equal(config->pools[0].gpus[0], 0);
	assert_int_equal(config->profile_count, 1);
	profile = config_profile_find(config, "default");
	assert_ptr_equal(profile, &config->profiles[config->default_profile]);
	assert_string_equal(profile->pool, "A");
	assert_int_equal(profile->priority, VGPU_PRIORITY_MEDIUM);
	assert_int_equal(profile->weight, 100);
	assert_int_equal(profile->quotas.gpu_memory_bytes, UINT64_C(1) << 30);
	assert_int_equal(profile->quotas.window_bytes, UINT64_C(256) << 20);
	assert_int_equal(profile->quotas.queue_depth, 64);
	assert_int_equal(profile->quotas.channels, 32);
	assert_int_equal(profile->quotas.longest_job_ms, 10000);
	assert_int_equal(profile->quotas.requests_per_second, 0);
	assert_int_equal(config->backend, VGPU_BACKEND_CPU);
	assert_false(config->allow_pageable_access);
	assert_int_equal(config->context_idle_ms, 10000);
	assert_null(config->files_dir);
	assert_string_equal(config->libvirt_uri, "qemu:///system");
	assert_true(config->libvirt_attach);
	assert_int_equal(config->files_poll_ms, 100);
	assert_true(config->files_notify);
	assert_false(config->has_link_group);
	assert_int_equal(config->log_level, VGPU_LOG_INFO);
	assert_int_equal(config->worker_uid_base, 1879048192);
	assert_int_equal(config->keeper_wait_seconds, 60);
	assert_int_equal(config->software_gpus, 1);
	assert_int_equal(config->warm_workers, 0);
	/* A software GPU's memory is the host's, and nothing is promised of it. */
	assert_int_equal(config->context_memory_bytes, 0);
	assert_int_equal(config->pools[0].memory_commitment, 0);
	assert_int_equal(config->pools[0].gpu_count, 1);
	assert_int_equal(config->pools[0].gpus[0], 0);
	assert_true(config->window_commitment_bytes > 0);
	config_free(&config);
}

/* The pid files of one libvirt say nothing of another one's domains. */
static void another_libvirts_domains_are_not_followed_by_default(void **state)
{
	struct config *config = parse("[mediatord]\nlibvirt-run-dir = /l\n");

	(void)state;
	assert_string_equal(config->libvirt_uri, "");
	config_free(&config);
	config = parse("[mediatord]\nlibvirt-uri =\n");
	assert_string_equal(config->libvirt_uri, "");
	config_free(&config);
}

static void pools_share_out_the_gpus_that_there_are(void **state)
{
	static const uint32_t found[] = { 0, 1, 2, 3 };
	struct config *config = parse("[mediatord]\n"
				      "backend = cuda\n"
				      "context-memory = 394MiB\n"
				      "window-commitment = 0\n"
				      "gpuinfo = /g\n"
				      "warm-workers = 64\n"
				      "[pool A]\n"
				      "gpus = all\n"
				      "[pool B]\n"
				      "gpus = 2\n"
				      "memory-commitment = 150\n");
	struct vgpu_error *err = NULL;

	(void)state;
	assert_int_equal(config->context_memory_bytes, UINT64_C(394) << 20);
	assert_int_equal(config->window_commitment_bytes, 0);
	assert_string_equal(config->gpuinfo, "/g");
	assert_int_equal(config->warm_workers, 64);
	assert_int_equal(config->pools[0].memory_commitment, 100);
	assert_int_equal(config->pools[1].memory_commitment, 150);
	/* Which there are is the driver's to say. */
	assert_int_equal(config->pools[0].gpu_count, 0);
	assert_int_equal(config_take_gpus(config, found + 2, 1, &err), -1);
	assert_int_equal(err->status, EINVAL);
	vgpu_error_free(&err);
	assert_int_equal(config_take_gpus(config, found, 4, NULL), 0);
	assert_int_equal(config->pools[0].gpu_count, 3);
	assert_int_equal(config->pools[0].gpus[2], 3);
	assert_int_equal(config->pools[1].gpu_count, 1);
	config_free(&config);

	config = parse("[mediatord]\nsoftware-gpus = 2\n[pool B]\ngpus = all\n");
	assert_int_equal(config->pools[0].gpu_count, 2);
	config_free(&config);
	config = parse("[mediatord]\nbackend = cuda\n");
	assert_int_equal(config->context_memory_bytes, UINT64_C(526) << 20);
	assert_int_equal(config->warm_workers, 1);
	config_free(&config);
}

static void every_key_is_read(void **state)
{
	struct config *config = parse("# comment\n"
				      "[mediatord]\r\n"
				      "control-socket = /a/control   # where REST is\n"
				      "control-group = root\n"
				      "link-dir = /a/b#c\n"
				      "link-group = 77\n"
				      "libvirt-run-dir = /l\n"
				      "libvirt-uri = test:///default\n"
				      "libvirt-attach = no\n"
				      "reconciler = /r\n"
				      "state = /s\n"
				      "worker = /w\n"
				      "keeper = /k\n"
				      "keeper-socket = /run/k.sock\n"
				      "keeper-wait = 90s\n"
				      "worker-uid-base = 5000\n"
				      "backend = cuda\n"
				      "allow-pageable-access = yes\n"
				      "context-idle = 2500ms\n"
				      "files-dir = /srv/vgpu\n"
				      "files-poll = 2s\n"
				      "files-notify = no\n"
				      "default-pool = B2\n"
				      "default-profile = gold\n"
				      "log-level=debug\n"
				      "[pool A1]\n"
				      "gpus = 2 , 0,1\n"
				      "  [ pool   B2 ]\n"
				      "letter = x\n"
				      "gpus = 7\n"
				      "[profile gold]\n"
				      "pool = A1\n"
				      "priority = high\n"
				      "weight = 10000\n"
				      "gpu-memory = 8GiB\n"
				      "window = 512KiB\n"
				      "gpu-time-guaranteed = 25\n"
				      "gpu-time-max = 75\n"
				      "requests-per-second = 1000\n"
				      "burst = 2000\n"
				      "queue-depth = 0\n"
				      "channels = 1\n"
				      "longest-job = 1500ms\n"
				      "[profile small]\n"
				      "longest-job = 0");
	const struct config_profile *gold = config_profile_find(config, "gold");
	const struct config_profile *small = config_profile_find(config, "small");

	(void)state;
	assert_string_equal(config->control_socket, "/a/control");
	assert_true(config->has_control_group);
	assert_int_equal(config->control_gid, 0);
	assert_string_equal(config->link_dir, "/a/b#c");
	assert_true(config->has_link_group);
	assert_int_equal(config->link_gid, 77);
	assert_string_equal(config->libvirt_run_dir, "/l");
	assert_string_equal(config->libvirt_uri, "test:///default");
	assert_false(config->libvirt_attach);
	assert_string_equal(config->reconciler, "/r");
	assert_string_equal(config->state, "/s");
	assert_string_equal(config->worker, "/w");
	assert_string_equal(config->keeper, "/k");
	assert_string_equal(config->keeper_socket, "/run/k.sock");
	assert_int_equal(config->keeper_wait_seconds, 90);
	assert_int_equal(config->worker_uid_base, 5000);
	assert_int_equal(config->backend, VGPU_BACKEND_CUDA);
	assert_true(config->allow_pageable_access);
	assert_int_equal(config->context_idle_ms, 2500);
	assert_string_equal(config->files_dir, "/srv/vgpu");
	assert_int_equal(config->files_poll_ms, 2000);
	assert_false(config->files_notify);
	assert_int_equal(config->log_level, VGPU_LOG_DEBUG);
	assert_int_equal(config->pool_count, 2);
	assert_int_equal(config->default_pool, 1);
	assert_int_equal(config->pools[0].gpu_count, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(config->pools[0].gpus[i], i);
	assert_int_equal(config->pools[1].letter, 'x');
	assert_ptr_equal(gold, &config->profiles[config->default_profile]);
	assert_string_equal(gold->pool, "A1");
	assert_int_equal(gold->priority, VGPU_PRIORITY_HIGH);
	assert_int_equal(gold->weight, 10000);
	assert_int_equal(gold->quotas.gpu_memory_bytes, UINT64_C(8) << 30);
	assert_int_equal(gold->quotas.window_bytes, 512 << 10);
	assert_int_equal(gold->quotas.gpu_time_guaranteed_percent, 25);
	assert_int_equal(gold->quotas.gpu_time_max_percent, 75);
	assert_int_equal(gold->quotas.requests_per_second, 1000);
	assert_int_equal(gold->quotas.burst, 2000);
	assert_int_equal(gold->quotas.queue_depth, 0);
	assert_int_equal(gold->quotas.channels, 1);
	assert_int_equal(gold->quotas.longest_job_ms, 1500);
	assert_string_equal(small->pool, "B2");
	assert_int_equal(small->quotas.longest_job_ms, 0);
	/* The built-in profile is there beside them. */
	assert_non_null(config_profile_find(config, "default"));
	config_free(&config);
}

static void the_keeper_is_beside_worker_and_control_socket(void **state)
{
	struct config *config =
		parse("[mediatord]\nworker = /lib/v/worker\ncontrol-socket = /c.sock\n");

	(void)state;
	assert_string_equal(config->keeper, "/lib/v/vgpu-keeper");
	assert_string_equal(config->keeper_socket, "/keeper.sock");
	config_free(&config);
}

static void the_file_can_define_the_default_anew(void **state)
{
	struct config *config = parse("[pool X]\ngpus = 4\n[profile default]\nweight = 7\n");

	(void)state;
	assert_int_equal(config->profile_count, 1);
	assert_int_equal(config->profiles[config->default_profile].weight, 7);
	/* No pool A and no default-pool: the first. */
	assert_string_equal(config->profiles[0].pool, "X");
	config_free(&config);
}

static void a_file_may_lack_only_where_that_is_allowed(void **state)
{
	struct config *config = NULL;
	struct vgpu_error *err = NULL;

	(void)state;
	assert_int_equal(config_load("/nonexistent/mediatord.conf", true, &config, &err), 0);
	config_free(&config);
	assert_int_equal(config_load("/nonexistent/mediatord.conf", false, &config, &err), -1);
	assert_int_equal(err->status, ENOENT);
	vgpu_error_free(&err);
	assert_int_equal(config_load("/dev/zero", true, &config, &err), -1);
	assert_non_null(strstr(err->message, "no regular file"));
	vgpu_error_free(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_has_the_defaults),
		cmocka_unit_test(another_libvirts_domains_are_not_followed_by_default),
		cmocka_unit_test(pools_share_out_the_gpus_that_there_are),
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(the_keeper_is_beside_worker_and_control_socket),
		cmocka_unit_test(the_file_can_define_the_default_anew),
		cmocka_unit_test(a_file_may_lack_only_where_that_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
