/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is wrong in mediatord.conf is an error that names the line and what is wrong in it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "mediatord/config.h"

static void check(const char *text, size_t length, const char *expected)
{
	struct config *config = NULL;
	struct vgpu_error *err = NULL;

	if (config_parse(text, length, "f", &config, &err) == 0)
		fail_msg("accepted, although: %s", expected);
	assert_null(config);
	assert_non_null(err);
	if (strncmp(err->message, expected, strlen(expected)) != 0)
		fail_msg("got \"%s\", expected \"%s\"", err->message, expected);
	assert_int_equal(err->status, EINVAL);
	vgpu_error_free(&err);
}

static void each_names_its_line(void **state)
{
	static const struct {
		const char *text;
		const char *expected;
	} cases[] = {
		{ "x = 1\n", "f:1: \"x\" stands before any [section]" },
		{ "[mediatord]\nnonsense\n", "f:2: \"nonsense\" is neither a [section]" },
		{ "[mediatord]\nspeed = 3\n", "f:2: unknown key \"speed\"" },
		{ "[mediatord\n", "f:1: \"[mediatord\" lacks its ]" },
		{ "\n\n[gpu]\n", "f:3: unknown section [gpu]" },
		{ "[mediatord x]\n", "f:1: unknown section [mediatord x]" },
		{ "[mediatord]\n[mediatord]\n", "f:2: [mediatord] is there twice" },
		{ "[mediatord]\nlog-level = info\nlog-level = info\n",
		  "f:3: log-level is there twice" },
		{ "[mediatord]\nlog-level = loud\n", "f:2: log-level: \"loud\" is no level" },
		{ "[mediatord]\nlink-dir = run\n", "f:2: link-dir: \"run\" is no absolute path" },
		{ "[mediatord]\nlibvirt-uri = here\n",
		  "f:2: libvirt-uri: \"here\" is no URI of libvirt's, as qemu:///system" },
		{ "[mediatord]\nlibvirt-attach = maybe\n",
		  "f:2: libvirt-attach: \"maybe\" is neither yes nor no" },
		{ "[mediatord]\nreconciler = r\n", "f:2: reconciler: \"r\" is no absolute path" },
		{ "[mediatord]\nstate =\n", "f:2: state: \"\" is no absolute path" },
		{ "[mediatord]\nlink-group = no-such-group\n",
		  "f:2: link-group: there is no group \"no-such-group\"" },
		{ "[mediatord]\nworker-uid-base = 0\n", "f:2: worker-uid-base: \"0\" is no whole" },
		{ "[mediatord]\nworker-uid-base = 4294967295\n", "f:2: worker-uid-base: " },
		{ "[mediatord]\nkeeper = k\n", "f:2: keeper: \"k\" is no absolute path" },
		{ "[mediatord]\nkeeper-socket = k\n", "f:2: keeper-socket: \"k\" is no absolute" },
		{ "[mediatord]\nkeeper-wait = 0\n", "f:2: keeper-wait: \"0\" is no whole number" },
		{ "[mediatord]\nkeeper-wait = 1500ms\n", "f:2: keeper-wait: \"1500ms\" is no" },
		{ "[mediatord]\nkeeper-wait = 60\n", "f:2: keeper-wait: \"60\" is no duration" },
		{ "[mediatord]\nbackend = opencl\n", "f:2: backend: \"opencl\" is no backend" },
		{ "[mediatord]\ncontext-idle = 10\n", "f:2: context-idle: \"10\" is no duration" },
		{ "[mediatord]\nfiles-dir = tree\n", "f:2: files-dir: \"tree\"" },
		{ "[mediatord]\nfiles-poll = 0\n",
		  "f:2: files-poll: \"0\" is not from 1ms to 60s" },
		{ "[mediatord]\nfiles-poll = 61s\n", "f:2: files-poll: \"61s\" is not from" },
		{ "[mediatord]\nfiles-poll = 10\n", "f:2: files-poll: \"10\" is no duration" },
		{ "[mediatord]\nfiles-notify = on\n",
		  "f:2: files-notify: \"on\" is neither yes nor no" },
		{ "[mediatord]\nallow-pageable-access = 1\n",
		  "f:2: allow-pageable-access: \"1\" is neither yes nor no" },
		{ "[mediatord]\ndefault-pool = Z\n", "f: default-pool: there is no [pool Z]" },
		{ "[mediatord]\ndefault-profile = z\n",
		  "f: default-profile: there is no [profile z]" },
		{ "[pool]\n", "f:1: \"\" is no name of 1 to 63 bytes" },
		{ "[pool a/b]\n", "f:1: \"a/b\" is no name" },
		{ "[pool ..]\n", "f:1: \"..\" is no name" },
		{ "[pool A]\n", "f:1: [pool A] has no gpus" },
		{ "[pool A]\n[pool B]\ngpus = 1\n", "f:2: [pool A] has no gpus" },
		{ "[pool A]\ngpus = 0\n[pool A]\n", "f:3: [pool A] is there twice" },
		{ "[pool A]\ngpus =\n", "f:2: gpus: \"\" is no list" },
		{ "[pool A]\ngpus = 0,\n", "f:2: gpus: \"0,\" is no list" },
		{ "[pool A]\ngpus = 0 1\n", "f:2: gpus: \"0 1\" is no list" },
		{ "[pool A]\ngpus = -1\n", "f:2: gpus: \"-1\" is no list" },
		{ "[pool A]\ngpus = 1024\n", "f:2: gpus: \"1024\" is no list" },
		{ "[pool A]\ngpus = all, 1\n", "f:2: gpus: \"all, 1\" is no list" },
		{ "[pool A]\ngpus = all\n[pool B]\ngpus = all\n",
		  "f: pools A and B both have gpus = all" },
		{ "[pool A]\ngpus = 0\n[pool B]\ngpus = all\n",
		  "f: [pool B] has gpus = all, and this host has none" },
		{ "[pool A]\ngpus = 0\nmemory-commitment = 10001\n",
		  "f:3: memory-commitment: \"10001\" is no whole number" },
		{ "[mediatord]\nsoftware-gpus = 0\n", "f:2: software-gpus: \"0\" is no" },
		{ "[mediatord]\nsoftware-gpus = 65\n", "f:2: software-gpus: \"65\" is no" },
		{ "[mediatord]\nwarm-workers = 65\n", "f:2: warm-workers: \"65\" is no" },
		{ "[mediatord]\nwarm-workers = -1\n", "f:2: warm-workers: \"-1\" is no" },
		{ "[mediatord]\ncontext-memory = x\n", "f:2: context-memory: \"x\" is no size" },
		{ "[mediatord]\nwindow-commitment = x\n",
		  "f:2: window-commitment: \"x\" is no size" },
		{ "[mediatord]\ngpuinfo = g\n", "f:2: gpuinfo: \"g\" is no absolute" },
		{ "[pool A]\ngpus = 3,3\n", "f:2: gpus: GPU 3 is there twice" },
		{ "[pool A]\ngpus = 0\nletter = AB\n", "f:3: letter: \"AB\" is no single" },
		{ "[pool A]\ngpus = 0\nletter = *\n", "f:3: letter: \"*\" is no single" },
		{ "[pool gold]\ngpus = 0\n[pool grey]\ngpus = 1\n",
		  "f: pools gold and grey have the same letter g" },
		{ "[pool A]\ngpus = 0,1\n[pool B]\ngpus = 1\n",
		  "f: GPU 1 is in two pools, A and B" },
		{ "[pool A]\ngpus = 0\npriority = low\n", "f:3: unknown key \"priority\"" },
		{ "[profile p]\n[profile p]\n", "f:2: [profile p] is there twice" },
		{ "[profile p]\npool = Z\n", "f: [profile p]: there is no [pool Z]" },
		{ "[profile p]\npriority = urgent\n", "f:2: priority: \"urgent\" is no priority" },
		{ "[profile p]\nweight = 0\n",
		  "f:2: weight: \"0\" is no whole number from 1 to 10000" },
		{ "[profile p]\nweight = 10001\n", "f:2: weight: \"10001\"" },
		{ "[profile p]\nweight = 1x\n", "f:2: weight: \"1x\"" },
		{ "[profile p]\nweight = 18446744073709551617\n", "f:2: weight: " },
		{ "[profile p]\ngpu-memory = 8GB\n", "f:2: gpu-memory: \"8GB\" is no size" },
		{ "[profile p]\ngpu-memory = 1.5GiB\n", "f:2: gpu-memory: \"1.5GiB\" is no size" },
		{ "[profile p]\ngpu-memory = 18446744073709551616\n", "f:2: gpu-memory: " },
		{ "[profile p]\nwindow = 16777216TiB\n", "f:2: window: " },
		{ "[profile p]\ngpu-time-max = 101\n", "f:2: gpu-time-max: \"101\"" },
		{ "[profile p]\ngpu-time-guaranteed = 50\ngpu-time-max = 40\n",
		  "f:3: [profile p]: gpu-time-guaranteed 50 is more than gpu-time-max 40" },
		{ "[profile p]\nqueue-depth = 65537\n", "f:2: queue-depth: " },
		{ "[profile p]\nchannels = 33\n", "f:2: channels: " },
		{ "[profile p]\nlongest-job = 10\n", "f:2: longest-job: \"10\" is no duration" },
		{ "[profile p]\nlongest-job = 10m\n", "f:2: longest-job: \"10m\" is no duration" },
		{ "[profile p]\nlongest-job = 86401s\n", "f:2: longest-job: \"86401s\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(cases[i].text, strlen(cases[i].text), cases[i].expected);
}

static void no_text_breaks_the_reader(void **state)
{
	static const char zero[] = "[mediatord]\nstate = /a\0b\n";
	char line[5000];

	(void)state;
	check(zero, sizeof(zero) - 1, "f:2: there is a zero byte");
	memset(line, 'x', sizeof(line));
	check(line, sizeof(line), "f:1: the line is longer than 4096 bytes");
}

static void a_path_that_no_socket_can_have_is_refused(void **state)
{
	struct config *config;
	char text[256];
	int length = snprintf(text, sizeof(text), "[mediatord]\nlink-dir = /%080d\n", 0);

	(void)state;
	check(text, (size_t)length, "f: link-dir: 81 bytes are too long");
	length = snprintf(text, sizeof(text), "[mediatord]\ncontrol-socket = /%0120d\n", 0);
	check(text, (size_t)length, "f: control-socket: 121 bytes are too long");
	/* Both are made under the name with ".new" first. */
	length = snprintf(text, sizeof(text), "[mediatord]\ncontrol-socket = /%0103d\n", 0);
	check(text, (size_t)length, "f: control-socket: 104 bytes are too long");
	length = snprintf(text, sizeof(text), "[mediatord]\nkeeper-socket = /%0103d\n", 0);
	check(text, (size_t)length, "f: keeper-socket: 104 bytes are too long");
	length = snprintf(text, sizeof(text), "[mediatord]\ncontrol-socket = /%0102d\n", 0);
	assert_int_equal(config_parse(text, (size_t)length, "f", &config, NULL), 0);
	config_free(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_names_its_line),
		cmocka_unit_test(no_text_breaks_the_reader),
		cmocka_unit_test(a_path_that_no_socket_can_have_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
