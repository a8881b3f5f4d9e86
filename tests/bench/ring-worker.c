/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a ring costs, without a device or a VM: starts vgpu-worker as the mediator does, in its
 * sandbox, plays the guest over a shared memfd, and measures no-ops, and launches of a kernel that
 * has next to nothing to do.
 *
 *   polling     one at a time, both sides polling
 *   sleeping    one at a time, after a pause in which the worker went to sleep; the guest polls.
 *               So it has one wake-up in it, the worker's
 *   both        the same, with the guest sleeping too: two wake-ups
 *   pipelined   as many outstanding as the ring has entries, completions taken as they come
 *   launch      as polling, pipelined; the cpu backend, in the call
 *
 * or, with --breakdown, where the time goes while the worker sleeps.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/packet.h"
#include "guest-agent/agent/percentile.h"
#include "mediatord/worker_protocol.h"
#include "tests/bench/ring-worker.h"

#define ENTRIES	     VGPU_RING_ENTRIES
#define WINDOW_BYTES (UINT64_C(1) << 20)
#define WORKER_UID   1879048193u

void bench_die(const char *what)
{
	fprintf(stderr, "ring-worker: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int make_memory(uint64_t bytes, void **memory)
{
	int fd = memfd_create("vgpu-bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		bench_die("cannot make shared memory");
	*memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*memory == MAP_FAILED)
		bench_die("cannot map shared memory");
	return fd;
}

static void become_worker(const char *program, int socket)
{
	static char name[] = "vgpu-worker";
	char *const arguments[] = { name, NULL };

	/* Not with dup2() alone: a descriptor that has the number already keeps CLOEXEC. */
	socket = fcntl(socket, F_DUPFD, 10);
	dup2(socket, VGPU_WORKER_CONTROL_FD);
	execv(program, arguments);
	_exit(127);
}

void bench_start_worker(struct bench *bench)
{
	const uint64_t region_bytes = vgpu_ring_window_offset(ENTRIES) + WINDOW_BYTES;
	const struct vgpu_worker_prepare prepare = {
		.header = { .type = VGPU_WORKER_PREPARE, .length = sizeof(prepare) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
		.backend = VGPU_BACKEND_CPU,
	};
	const struct vgpu_worker_start start = {
		.header = { .type = VGPU_WORKER_START, .length = sizeof(start) },
		.uid = geteuid() == 0 ? WORKER_UID : VGPU_WORKER_NO_ID,
		.gid = geteuid() == 0 ? WORKER_UID : VGPU_WORKER_NO_ID,
		.region_bytes = region_bytes,
		.entries = ENTRIES,
	};
	union vgpu_worker_message answer;
	struct vgpu_grant_page *grant;
	void *region, *page;
	int fds[4], pair[2];
	ssize_t length;

	fds[0] = make_memory(region_bytes, &region);
	fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fds[2] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fds[3] = make_memory(VGPU_RING_PAGE, &page);
	grant = page;
	grant->grant = VGPU_GRANT_RUN;
	grant->tokens = VGPU_GRANT_NO_LIMIT;
	if (fds[1] < 0 || fds[2] < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		bench_die("cannot make descriptors");
	bench->worker = fork();
	if (bench->worker < 0)
		bench_die("cannot fork");
	if (bench->worker == 0)
		become_worker(bench->program, pair[1]);
	close(pair[1]);
	bench->socket = pair[0];
	if (vgpu_packet_send(bench->socket, &prepare, sizeof(prepare), NULL, 0) < 0 ||
	    vgpu_packet_send(bench->socket, &start, sizeof(start), fds, 4) < 0)
		bench_die("cannot send PREPARE and START");
	do
		length = recv(bench->socket, &answer, sizeof(answer), 0);
	while (length == sizeof(answer.prepared) &&
	       answer.header.type == VGPU_WORKER_PREPARED_MESSAGE);
	if (length != sizeof(answer.ready) || answer.header.type != VGPU_WORKER_READY_MESSAGE) {
		fprintf(stderr, "ring-worker: the worker did not become ready\n");
		exit(EXIT_FAILURE);
	}
	guest_ring_init(&bench->ring, region, ENTRIES, fds[1], fds[2]);
}

void bench_stop_worker(struct bench *bench)
{
	const struct vgpu_worker_end end = {
		.header = { .type = VGPU_WORKER_END, .length = sizeof(end) },
	};
	int status;

	if (vgpu_packet_send(bench->socket, &end, sizeof(end), NULL, 0) < 0)
		kill(bench->worker, SIGKILL);
	waitpid(bench->worker, &status, 0);
}

static void check(const struct vgpu_completion *completion)
{
	if (completion->status == 0)
		return;
	fprintf(stderr, "ring-worker: an operation failed with %" PRIu32 "\n", completion->status);
	exit(EXIT_FAILURE);
}

static const struct vgpu_submission nop = { .opcode = VGPU_RING_NOP };

static int64_t round_trip(struct guest_ring *ring, const struct vgpu_submission *submission,
			  bool asleep)
{
	struct vgpu_completion completion;
	int64_t started = vgpu_now_ns();

	guest_ring_submit(ring, submission);
	if (asleep && !guest_ring_sleep(ring, 1000)) {
		fprintf(stderr, "ring-worker: no completion within a second\n");
		exit(EXIT_FAILURE);
	}
	while (!guest_ring_poll(ring, &completion))
		__builtin_ia32_pause();
	started = vgpu_now_ns() - started;
	check(&completion);
	return started;
}

int64_t *bench_times(unsigned int count)
{
	int64_t *ns = calloc(count, sizeof(*ns));

	if (!ns)
		bench_die("no memory");
	return ns;
}

struct percentiles bench_percentiles(int64_t *ns, unsigned int count)
{
	percentile_sort(ns, count);
	return (struct percentiles){
		.p50 = (double)percentile_of(ns, count, 500) / 1e3,
		.p99 = (double)percentile_of(ns, count, 990) / 1e3,
		.p999 = (double)percentile_of(ns, count, 999) / 1e3,
	};
}

static void wait_until_asleep(const struct guest_ring *ring)
{
	while (!__atomic_load_n(&ring->control->worker_sleeps, __ATOMIC_RELAXED))
		usleep(50);
	usleep(100); /* from having said so to being in poll() */
}

static struct percentiles measure(struct bench *bench, const struct vgpu_submission *submission,
				  unsigned int count, bool worker_sleeps, bool guest_sleeps)
{
	int64_t *ns = bench_times(count);
	struct percentiles result;

	for (unsigned int i = 0; !worker_sleeps && i < count / 10; i++)
		round_trip(&bench->ring, submission, false);
	for (unsigned int i = 0; i < count; i++) {
		if (worker_sleeps)
			wait_until_asleep(&bench->ring);
		ns[i] = round_trip(&bench->ring, submission, guest_sleeps);
	}
	result = bench_percentiles(ns, count);
	free(ns);
	return result;
}

static double measure_pipelined(struct bench *bench, const struct vgpu_submission *submission,
				unsigned int count)
{
	struct guest_ring *ring = &bench->ring;
	struct vgpu_completion completion;
	unsigned int sent = 0, done = 0;
	int64_t started = vgpu_now_ns();

	while (done < count) {
		unsigned int before = sent;

		/* Outstanding completions bound the submissions that were not taken, too. */
		while (sent < count && sent - done < ring->entries) {
			guest_ring_store(ring, submission);
			sent++;
		}
		if (sent != before)
			guest_ring_notify(ring);
		while (guest_ring_poll(ring, &completion)) {
			check(&completion);
			done++;
		}
	}
	return (double)count * 1e9 / (double)(vgpu_now_ns() - started);
}

static uint64_t must(struct guest_ring *ring, const struct vgpu_submission *submission)
{
	struct vgpu_completion completion;

	guest_ring_submit(ring, submission);
	while (!guest_ring_poll(ring, &completion))
		__builtin_ia32_pause();
	check(&completion);
	return completion.result[0];
}

/* An addition of no elements. */
static struct vgpu_submission make_launch(struct guest_ring *ring)
{
	static const char name[] = "vadd_i32";
	struct vgpu_submission submission = { .opcode = VGPU_RING_MODULE_BUILTIN };
	struct vgpu_launch launch = { .grid = { 1, 1, 1 },
				      .block = { 1, 1, 1 },
				      .parameter_bytes = 32 };
	uint64_t module = must(ring, &submission);

	memcpy(ring->window, name, sizeof(name));
	submission = (struct vgpu_submission){ .opcode = VGPU_RING_MODULE_FUNCTION,
					       .argument = { module, 0, sizeof(name) - 1 } };
	launch.function = (uint32_t)must(ring, &submission);
	memset(ring->window, 0, launch.parameter_bytes);
	submission = (struct vgpu_submission){ .opcode = VGPU_RING_LAUNCH };
	memcpy(submission.argument, &launch, sizeof(launch));
	return submission;
}

static unsigned int parse_count(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || value < 1000 || value > 100000000) {
		fprintf(stderr, "ring-worker: %s is not a number from 1000 to 100000000\n", text);
		exit(EXIT_FAILURE);
	}
	return (unsigned int)value;
}

static void parse(struct bench *bench, int argc, char **argv)
{
	static const struct option options[] = {
		{ "worker", required_argument, NULL, 'w' },
		{ "polls", required_argument, NULL, 'p' },
		{ "sleeps", required_argument, NULL, 's' },
		{ "pipelined", required_argument, NULL, 'n' },
		{ "breakdown", no_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'w':
			bench->program = optarg;
			break;
		case 'p':
			bench->polls = parse_count(optarg);
			break;
		case 's':
			bench->sleeps = parse_count(optarg);
			break;
		case 'n':
			bench->pipelined = parse_count(optarg);
			break;
		case 'b':
			bench->breakdown = true;
			break;
		case 'j':
			bench->json = true;
			break;
		default:
			fputs("Usage: ring-worker [--worker PROGRAM] [--polls N] [--sleeps N] "
			      "[--pipelined N] [--json]\n"
			      "       ring-worker --breakdown [--worker PROGRAM] [--sleeps N] "
			      "[--json]\n",
			      stderr);
			exit(EXIT_FAILURE);
		}
	}
}

static void print_json(const char *name, const struct percentiles *p)
{
	printf("\"%s\": {\"p50_us\": %.3f, \"p99_us\": %.3f, \"p999_us\": %.3f}, ", name, p->p50,
	       p->p99, p->p999);
}

static void print_row(const char *name, const struct percentiles *p)
{
	printf("%-32s %9.2f %9.2f %9.2f\n", name, p->p50, p->p99, p->p999);
}

int main(int argc, char **argv)
{
	struct bench bench = {
		.program = "./vgpu-worker", .polls = 200000, .sleeps = 2000, .pipelined = 5000000
	};
	struct percentiles polling, sleeping, both, launching;
	struct vgpu_submission launch;
	double rate, launch_rate;

	parse(&bench, argc, argv);
	if (bench.breakdown) {
		bench_breakdown(&bench);
		return EXIT_SUCCESS;
	}
	bench_start_worker(&bench);
	launch = make_launch(&bench.ring);
	polling = measure(&bench, &nop, bench.polls, false, false);
	launching = measure(&bench, &launch, bench.polls, false, false);
	sleeping = measure(&bench, &nop, bench.sleeps, true, false);
	both = measure(&bench, &nop, bench.sleeps, true, true);
	rate = measure_pipelined(&bench, &nop, bench.pipelined);
	launch_rate = measure_pipelined(&bench, &launch, bench.pipelined);
	bench_stop_worker(&bench);
	if (bench.json) {
		printf("{");
		print_json("noop_polling", &polling);
		print_json("noop_sleeping", &sleeping);
		print_json("noop_both_sleeping", &both);
		print_json("launch_polling", &launching);
		printf("\"pipelined\": {\"ops_per_s\": %.0f}, "
		       "\"launch_pipelined\": {\"ops_per_s\": %.0f}}\n",
		       rate, launch_rate);
		return EXIT_SUCCESS;
	}
	printf("%-32s %9s %9s %9s\n", "round trip, in us", "p50", "p99", "p99.9");
	print_row("both sides polling", &polling);
	print_row("worker sleeping, guest polling", &sleeping);
	print_row("both sides sleeping", &both);
	print_row("both polling, launches", &launching);
	printf("pipelined no-ops                 %9.2f million/s\n", rate / 1e6);
	printf("pipelined launches               %9.2f million/s\n", launch_rate / 1e6);
	return EXIT_SUCCESS;
}
