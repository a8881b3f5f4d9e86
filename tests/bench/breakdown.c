/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the time of a no-op goes whose worker sleeps. The worker needs no instruments: it stores in
 * shared memory that it is awake before it looks for submissions, which the guest's side, polling,
 * sees happen.
 *
 *   doorbell   write() to the eventfd, in which the guest's processor tells the worker's to run it
 *   wake-up    until the worker has returned from poll() and emptied the eventfd
 *   answer     until the completion is there: taking the submission, running it, storing
 *
 * "bare" is the whole of it where the other side is a process that does nothing but wait for the
 * eventfd, empty it and store an answer: what the kernel and the machine take of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "tests/bench/ring-worker.h"

/* As vgpu-agent bench: well beyond the time for which a worker polls, spent awake. */
#define PAUSE_NS (300 * VGPU_NS_PER_US)

/* How the worker's processor passes the time. */
enum idle {
	IDLE_HALTED,
	IDLE_BUSY, /* with a process that makes way for every other */
	IDLE_POLLS /* the kernel's idle loop polls, as an operator may tell it to */
};

struct place {
	const char *name, *key;
	bool same_processor;
	enum idle idle;
};

static const struct place places[] = {
	{ "the guest's own processor", "same", true, IDLE_HALTED },
	{ "another, halted", "other_halted", false, IDLE_HALTED },
	{ "another, kept busy by an idle process", "other_busy", false, IDLE_BUSY },
	{ "another, polling while idle", "other_polling", false, IDLE_POLLS },
};

/* p50 of the parts, and of the whole in three ways. */
struct breakdown {
	double doorbell, wake_up, answer;
	struct percentiles whole, bare;
};

static void pin_to(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		bench_die("cannot choose a processor");
}

/* The first processor that this process may use, and the last: least likely two of one core. */
static void choose_processors(int *first, int *last)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		bench_die("cannot read which processors may be used");
	*first = *last = -1;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &set))
			continue;
		if (*first < 0)
			*first = i;
		*last = i;
	}
}

static pid_t fork_child(void)
{
	pid_t child = fork();

	if (child < 0)
		bench_die("cannot fork");
	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

static void end_child(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* What keeps a processor out of its idle state, and gives it up at once. */
static pid_t start_idle_process(int processor)
{
	const struct sched_param none = { 0 };
	pid_t child = fork_child();

	if (child != 0)
		return child;
	pin_to(processor);
	if (sched_setscheduler(0, SCHED_IDLE, &none) < 0)
		bench_die("cannot be an idle process");
	for (;;)
		__builtin_ia32_pause();
}

/* Until it is closed, idle processors of this host poll. Returns -1 where we may not have that. */
static int ask_for_polling(void)
{
	const int32_t latency_us = 0;
	int fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, &latency_us, sizeof(latency_us)) != sizeof(latency_us)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* The other side goes to sleep; with its processor to ourselves that takes none of ours. */
static void let_sleep(const uint32_t *sleeps, bool same_processor)
{
	int64_t end;

	while (!__atomic_load_n(sleeps, __ATOMIC_RELAXED))
		if (same_processor)
			usleep(50);
	if (same_processor)
		usleep(PAUSE_NS / VGPU_NS_PER_US);
	for (end = vgpu_now_ns() + PAUSE_NS; !same_processor && vgpu_now_ns() < end;)
		;
}

static void measure_worker(struct bench *bench, bool same_processor, struct breakdown *breakdown)
{
	const struct vgpu_submission nop = { .opcode = VGPU_RING_NOP };
	const unsigned int count = bench->sleeps;
	int64_t *doorbell = bench_times(count), *wake_up = bench_times(count);
	int64_t *answer = bench_times(count), *whole = bench_times(count);
	struct guest_ring *ring = &bench->ring;
	const uint32_t *sleeps = &ring->control->worker_sleeps;

	for (unsigned int i = 0; i < count; i++) {
		int64_t start, rung, awake = 0, answered;
		struct vgpu_completion completion;

		let_sleep(sleeps, same_processor);
		start = vgpu_now_ns();
		guest_ring_submit(ring, &nop);
		rung = vgpu_now_ns();
		do {
			if (!awake && !__atomic_load_n(sleeps, __ATOMIC_RELAXED))
				awake = vgpu_now_ns();
			__builtin_ia32_pause();
		} while (!guest_ring_poll(ring, &completion));
		answered = vgpu_now_ns();
		if (!awake)
			awake = answered;
		doorbell[i] = rung - start;
		wake_up[i] = awake - rung;
		answer[i] = answered - awake;
		whole[i] = answered - start;
	}
	breakdown->doorbell = bench_percentiles(doorbell, count).p50;
	breakdown->wake_up = bench_percentiles(wake_up, count).p50;
	breakdown->answer = bench_percentiles(answer, count).p50;
	breakdown->whole = bench_percentiles(whole, count);
	free(doorbell);
	free(wake_up);
	free(answer);
	free(whole);
}

/* Shared with the bare process. */
struct bare {
	uint32_t sleeps;
	uint32_t answers;
};

_Noreturn static void be_bare(struct bare *bare, int doorbell, int processor)
{
	struct pollfd entry = { .fd = doorbell, .events = POLLIN };
	uint64_t count;

	pin_to(processor);
	for (;;) {
		__atomic_store_n(&bare->sleeps, 1, __ATOMIC_SEQ_CST);
		if (poll(&entry, 1, -1) < 0 || read(doorbell, &count, sizeof(count)) < 0)
			bench_die("cannot wait for the doorbell");
		__atomic_store_n(&bare->sleeps, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&bare->answers, bare->answers + 1, __ATOMIC_RELEASE);
	}
}

static struct percentiles measure_bare(unsigned int count, int processor, bool same_processor)
{
	struct bare *bare = mmap(NULL, sizeof(*bare), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int doorbell = eventfd(0, EFD_CLOEXEC);
	int64_t *whole = bench_times(count);
	struct percentiles result;
	pid_t child;

	if (bare == MAP_FAILED || doorbell < 0)
		bench_die("cannot share with a bare process");
	child = fork_child();
	if (child == 0)
		be_bare(bare, doorbell, processor);
	for (unsigned int i = 0; i < count; i++) {
		const uint64_t one = 1;
		int64_t start;

		let_sleep(&bare->sleeps, same_processor);
		start = vgpu_now_ns();
		if (write(doorbell, &one, sizeof(one)) < 0)
			bench_die("cannot ring the doorbell");
		while (__atomic_load_n(&bare->answers, __ATOMIC_ACQUIRE) != i + 1)
			__builtin_ia32_pause();
		whole[i] = vgpu_now_ns() - start;
	}
	end_child(child);
	result = bench_percentiles(whole, count);
	free(whole);
	close(doorbell);
	munmap(bare, sizeof(*bare));
	return result;
}

/* Returns false where this host does not have such a place, or not for us. */
static bool measure_at(struct bench *bench, const struct place *place, const int processors[2],
		       struct breakdown *breakdown)
{
	int processor = processors[!place->same_processor];
	pid_t idle_process = 0;
	int polling = -1;

	if (!place->same_processor && processors[0] == processors[1])
		return false;
	if (place->idle == IDLE_POLLS && (polling = ask_for_polling()) < 0)
		return false;
	if (place->idle == IDLE_BUSY)
		idle_process = start_idle_process(processor);
	pin_to(processor); /* for the worker, which inherits it */
	bench_start_worker(bench);
	pin_to(processors[0]);
	measure_worker(bench, place->same_processor, breakdown);
	bench_stop_worker(bench);
	breakdown->bare = measure_bare(bench->sleeps, processor, place->same_processor);
	if (idle_process)
		end_child(idle_process);
	if (polling >= 0)
		close(polling);
	return true;
}

static void print_row(const struct place *place, const struct breakdown *breakdown)
{
	printf("%-38s", place->name);
	if (breakdown)
		printf(" %8.2f %8.2f %8.2f %8.2f %8.2f %8.2f %8.2f\n", breakdown->doorbell,
		       breakdown->wake_up, breakdown->answer, breakdown->whole.p50,
		       breakdown->whole.p99, breakdown->bare.p50, breakdown->bare.p99);
	else
		printf(" %8s %8s %8s %8s %8s %8s %8s\n", "-", "-", "-", "-", "-", "-", "-");
}

static void print_json(const struct place *place, const struct breakdown *breakdown, bool last)
{
	printf("\"%s\": ", place->key);
	if (breakdown)
		printf("{\"doorbell_us\": %.3f, \"wake_up_us\": %.3f, \"answer_us\": %.3f, "
		       "\"p50_us\": %.3f, \"p99_us\": %.3f, \"bare_p50_us\": %.3f, "
		       "\"bare_p99_us\": %.3f}",
		       breakdown->doorbell, breakdown->wake_up, breakdown->answer,
		       breakdown->whole.p50, breakdown->whole.p99, breakdown->bare.p50,
		       breakdown->bare.p99);
	else
		printf("null");
	printf("%s", last ? "}\n" : ", ");
}

void bench_breakdown(struct bench *bench)
{
	const size_t count = sizeof(places) / sizeof(places[0]);
	int processors[2];

	choose_processors(&processors[0], &processors[1]);
	if (bench->json)
		printf("{");
	else
		printf("%-38s %26s %17s %17s\n%-38s %8s %8s %8s %8s %8s %8s %8s\n",
		       "no-op, worker sleeping, in us", "parts, p50", "whole", "bare",
		       "the worker is on", "doorbell", "wake-up", "answer", "p50", "p99", "p50",
		       "p99");
	for (size_t i = 0; i < count; i++) {
		struct breakdown breakdown;
		bool there = measure_at(bench, &places[i], processors, &breakdown);

		if (bench->json)
			print_json(&places[i], there ? &breakdown : NULL, i + 1 == count);
		else
			print_row(&places[i], there ? &breakdown : NULL);
		fflush(stdout);
	}
}
