/* SPDX-License-Identifier: Apache-2.0 */
/* Who may hold a VM's link: the uid of its registration, its label, or its pid file, in this order.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/uuid.h"
#include "mediatord/peer.h"

#define MINE  "6f1d6c1e-0f5e-4c55-9d3a-0123456789ab"
#define OTHER "6f1d6c1e-0f5e-4c55-9d3a-0123456789ac"

static struct vm_config vm(void)
{
	struct vm_config config = { .vm_id = 1, .name = "web" };

	vgpu_uuid_parse(MINE, config.uuid);
	return config;
}

static void the_registered_uid_decides_alone(void **state)
{
	struct vm_config config = vm();
	struct peer peer = { .pid = 10, .uid = 64055, .label = "libvirt-" OTHER };
	struct peer_pid_file file = { .state = PEER_PID_FILE_READ, .pid = 10 };

	(void)state;
	config.has_link_uid = true;
	config.link_uid = 64055;
	assert_int_equal(peer_decide(&config, &peer, &file), PEER_BY_UID);
	peer.uid = 0;
	strcpy(peer.label, "libvirt-" MINE);
	assert_int_equal(peer_decide(&config, &peer, &file), PEER_OTHER_UID);
}

static void a_label_of_libvirts_decides_before_the_pid_file(void **state)
{
	struct vm_config config = vm();
	struct peer peer = { .pid = 10, .uid = 64055, .label = "libvirt-" MINE " (enforce)" };
	struct peer_pid_file file = { .state = PEER_PID_FILE_ABSENT };

	(void)state;
	assert_int_equal(peer_decide(&config, &peer, &file), PEER_BY_LABEL);
	strcpy(peer.label, "libvirt-" MINE);
	assert_int_equal(peer_decide(&config, &peer, &file), PEER_BY_LABEL);
	file = (struct peer_pid_file){ .state = PEER_PID_FILE_READ, .pid = 10 };
	strcpy(peer.label, "libvirt-" OTHER " (enforce)");
	assert_int_equal(peer_decide(&config, &peer, &file), PEER_OTHER_LABEL);
}

static void any_other_label_leaves_it_to_the_pid_file(void **state)
{
	static const char *const labels[] = {
		"",
		"unconfined",
		"system_u:system_r:svirt_t:s0:c10,c20",
		"libvirt-",
		"libvirt-" MINE "x",
		"libvirt-" MINE "//&other (enforce)",
		"libvirt-6f1d6c1e",
		"xlibvirt-" OTHER,
	};
	struct vm_config config = vm();

	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		struct peer peer = { .pid = 10, .uid = 64055 };
		struct peer_pid_file file = { .state = PEER_PID_FILE_READ, .pid = 10 };

		strcpy(peer.label, labels[i]);
		assert_int_equal(peer_decide(&config, &peer, &file), PEER_BY_PID_FILE);
		file.pid = 11;
		assert_int_equal(peer_decide(&config, &peer, &file), PEER_OTHER_PID);
	}
}

static void no_usable_pid_file_is_a_refusal_with_its_reason(void **state)
{
	static const struct {
		enum peer_pid_file_state state;
		enum peer_verdict verdict;
	} cases[] = {
		{ PEER_PID_FILE_NO_NAME, PEER_NO_NAME },
		{ PEER_PID_FILE_ABSENT, PEER_NO_PID_FILE },
		{ PEER_PID_FILE_UNREADABLE, PEER_BAD_PID_FILE },
		{ PEER_PID_FILE_MALFORMED, PEER_BAD_PID_FILE },
	};
	struct vm_config config = vm();
	/* As root: being root is no identity. */
	struct peer peer = { .pid = 0, .uid = 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* A file that was not read says nothing, also where its pid would fit. */
		struct peer_pid_file file = { .state = cases[i].state, .pid = 0 };
		enum peer_verdict verdict = peer_decide(&config, &peer, &file);

		assert_int_equal(verdict, cases[i].verdict);
		assert_false(peer_accepted(verdict));
		assert_true(strlen(peer_verdict_text(verdict)) > 10);
	}
}

static void a_process_of_another_pid_namespace_is_nobody(void **state)
{
	struct vm_config config = vm();
	struct peer peer = { .pid = 0, .uid = 64055 };
	struct peer_pid_file file = { .state = PEER_PID_FILE_READ, .pid = 0 };

	(void)state;
	assert_int_equal(peer_decide(&config, &peer, &file), PEER_OTHER_PID);
}

static enum peer_pid_file_state read_file(const char *dir, const char *name, const char *text,
					  pid_t *pid)
{
	struct peer_pid_file file;
	char path[256];

	snprintf(path, sizeof(path), "%s/web.pid", dir);
	if (text) {
		FILE *stream = fopen(path, "w");

		assert_non_null(stream);
		fputs(text, stream);
		fclose(stream);
	}
	peer_pid_file_read(dir, name, &file);
	unlink(path);
	*pid = file.pid;
	return file.state;
}

static void the_pid_file_is_read_strictly(void **state)
{
	static const char *const malformed[] = { "",	     "\n",   "x",   "12x",
						 "-5\n",     "+5\n", "0\n", "99999999999999\n",
						 "12\n13\n", " 12\n" };
	char dir[] = "/tmp/vgpu-test-XXXXXX";
	char path[64];
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(read_file(dir, "web", "4321\n", &pid), PEER_PID_FILE_READ);
	assert_int_equal(pid, 4321);
	assert_int_equal(read_file(dir, "web", "4321", &pid), PEER_PID_FILE_READ);
	assert_int_equal(read_file(dir, "web", NULL, &pid), PEER_PID_FILE_ABSENT);
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		assert_int_equal(read_file(dir, "web", malformed[i], &pid),
				 PEER_PID_FILE_MALFORMED);
		assert_int_equal(pid, 0);
	}
	assert_int_equal(read_file(dir, "", NULL, &pid), PEER_PID_FILE_NO_NAME);
	assert_int_equal(read_file(dir, "../web", "1\n", &pid), PEER_PID_FILE_NO_NAME);

	snprintf(path, sizeof(path), "%s/web.pid", dir);
	assert_int_equal(symlink("/proc/self/stat", path), 0);
	assert_int_equal(read_file(dir, "web", NULL, &pid), PEER_PID_FILE_UNREADABLE);
	/* Must neither block nor be believed. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(read_file(dir, "web", NULL, &pid), PEER_PID_FILE_UNREADABLE);
	assert_int_equal(rmdir(dir), 0);
}

static void the_kernel_says_who_is_there(void **state)
{
	struct peer peer;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(peer_read(pair[0], &peer), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
	close(pair[0]);
	close(pair[1]);
}

static void write_pid_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *stream;

	snprintf(path, sizeof(path), "%s/%s.pid", dir, name);
	stream = fopen(path, "w");
	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
}

/* As libvirt 9 writes its name; the name itself goes first. */
static void the_pid_files_name_may_be_escaped(void **state)
{
	static const char name[] = "-\"a' <b>&%s;", escaped[] = "-&quot;a&apos; &lt;b&gt;&amp;%s;";
	char dir[] = "/tmp/vgpu-test-XXXXXX";
	struct peer_pid_file file;
	char path[256], longest[4096];

	(void)state;
	assert_non_null(mkdtemp(dir));
	peer_pid_file_read(dir, name, &file);
	assert_int_equal(file.state, PEER_PID_FILE_ABSENT);
	write_pid_file(dir, escaped, "12");
	peer_pid_file_read(dir, name, &file);
	assert_int_equal(file.state, PEER_PID_FILE_READ);
	assert_int_equal(file.pid, 12);
	write_pid_file(dir, name, "13");
	peer_pid_file_read(dir, name, &file);
	assert_int_equal(file.pid, 13);
	memset(longest, '"', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	peer_pid_file_read(dir, longest, &file);
	assert_int_not_equal(file.state, PEER_PID_FILE_READ);
	snprintf(path, sizeof(path), "%s/%s.pid", dir, name);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/%s.pid", dir, escaped);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_registered_uid_decides_alone),
		cmocka_unit_test(a_label_of_libvirts_decides_before_the_pid_file),
		cmocka_unit_test(any_other_label_leaves_it_to_the_pid_file),
		cmocka_unit_test(no_usable_pid_file_is_a_refusal_with_its_reason),
		cmocka_unit_test(a_process_of_another_pid_namespace_is_nobody),
		cmocka_unit_test(the_pid_file_is_read_strictly),
		cmocka_unit_test(the_pid_files_name_may_be_escaped),
		cmocka_unit_test(the_kernel_says_who_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
