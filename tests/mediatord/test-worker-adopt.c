/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mediator that did not start a worker takes it over: wherever the worker waits it says what it
 * holds, and asks once more for what nobody answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <sysexits.h>

#include <cmocka.h>

#include "common/packet.h"
#include "tests/mediatord/channel-driver.h"

static void send_adopt(struct driver *driver, uint32_t version)
{
	const struct vgpu_worker_adopt adopt = {
		.header = { .type = VGPU_WORKER_ADOPT, .length = sizeof(adopt) },
		.version = version,
	};

	driver_send(driver, &adopt, sizeof(adopt));
}

static void expect_adopted(struct driver *driver, uint32_t context, uint64_t held_bytes)
{
	union vgpu_worker_message message;

	assert_int_equal(driver_receive(driver, &message), sizeof(message.adopted));
	assert_int_equal(message.header.type, VGPU_WORKER_ADOPTED);
	assert_int_equal(message.header.length, sizeof(message.adopted));
	assert_int_equal(message.adopted.version, VGPU_WORKER_PROTOCOL_VERSION);
	assert_int_equal(message.adopted.context, context);
	assert_true(message.adopted.held_bytes == held_bytes);
}

static void adopt(struct driver *driver, uint32_t context, uint64_t held_bytes)
{
	send_adopt(driver, VGPU_WORKER_PROTOCOL_VERSION);
	expect_adopted(driver, context, held_bytes);
}

static void send_reserved(struct driver *driver, uint32_t number, uint32_t granted)
{
	const struct vgpu_worker_reserved answer = {
		.header = { .type = VGPU_WORKER_RESERVED, .length = sizeof(answer) },
		.number = number,
		.granted = granted,
	};

	driver_send(driver, &answer, sizeof(answer));
}

static struct vgpu_worker_reserve expect_reserve(struct driver *driver)
{
	union vgpu_worker_message message;

	assert_int_equal(driver_receive(driver, &message), sizeof(message.reserve));
	assert_int_equal(message.header.type, VGPU_WORKER_RESERVE);
	assert_int_equal(message.reserve.kind, VGPU_WORKER_KIND_MEMORY);
	return message.reserve;
}

static void send_alloc_job(struct driver *driver, uint64_t bytes)
{
	const struct made_request made = make_alloc(bytes);
	const size_t length = offsetof(struct vgpu_worker_job, request) + made.length;
	struct vgpu_worker_job job = {
		.header = { .type = VGPU_WORKER_JOB, .length = (uint32_t)length },
		.job = 7,
		.length = made.length,
	};

	memcpy(job.request, made.bytes, made.length);
	driver_send(driver, &job, length);
}

static void expect_done(struct driver *driver, uint32_t error_code)
{
	union vgpu_worker_message message;

	assert_true(driver_receive(driver, &message) >=
		    offsetof(struct vgpu_worker_done, response));
	assert_int_equal(message.header.type, VGPU_WORKER_DONE);
	assert_int_equal(message.done.error_code, error_code);
}

/* A RESERVE of the same bytes, numbered as no other was. */
static uint32_t expect_repeated(struct driver *driver, const struct vgpu_worker_reserve *first)
{
	struct vgpu_worker_reserve second = expect_reserve(driver);

	assert_int_not_equal(second.number, first->number);
	assert_true(second.bytes == first->bytes);
	return second.number;
}

static void before_it_is_anybodys(void **state)
{
	const struct vgpu_worker_prepare prepare = driver_prepare();
	const struct vgpu_worker_start start = {
		.header = { .type = VGPU_WORKER_START, .length = sizeof(start) },
		.uid = geteuid() == 0 ? DRIVER_UID : VGPU_WORKER_NO_ID,
		.gid = geteuid() == 0 ? DRIVER_UID : VGPU_WORKER_NO_ID,
	};
	struct driver driver = driver_spawn(NULL);

	(void)state;
	adopt(&driver, 0, 0);
	driver_send(&driver, &prepare, sizeof(prepare));
	driver_receive_prepared(&driver);
	adopt(&driver, 1, 0);
	adopt(&driver, 1, 0);
	driver_send(&driver, &start, sizeof(start));
	driver_receive_ready(&driver);
	adopt(&driver, 1, 0);
	driver_stop(&driver);
}

static void between_two_jobs(void **state)
{
	struct driver driver = driver_start(0, NULL);
	struct made_request made = make_request(VGPU_OP_NOP, 0, NULL, 0);
	uint64_t held = driver_footprint(1000), pointer;

	(void)state;
	pointer = driver_alloc(&driver, 1000);
	adopt(&driver, 1, held);
	driver_expect(&driver, &made, VGPU_ERR_NONE);
	made = make_free(pointer);
	driver_expect(&driver, &made, VGPU_ERR_NONE);
	adopt(&driver, 1, 0);
	driver_stop(&driver);
}

static void while_a_job_waits_for_memory(void **state)
{
	struct driver driver = driver_start(0, NULL);
	struct vgpu_worker_reserve first;
	uint32_t number;

	(void)state;
	send_alloc_job(&driver, 1000);
	first = expect_reserve(&driver);
	adopt(&driver, 1, 0);
	number = expect_repeated(&driver, &first);
	/* What the earlier mediator answered is of no account any more. */
	send_reserved(&driver, first.number, 0);
	send_reserved(&driver, number, 1);
	expect_done(&driver, VGPU_ERR_NONE);
	adopt(&driver, 1, first.bytes);
	driver_stop(&driver);
}

/* It was granted by the one, and counted; the other does not hear of it again. */
static void the_answer_came_before(void **state)
{
	struct driver driver = driver_start(0, NULL);
	struct vgpu_worker_reserve first;

	(void)state;
	send_alloc_job(&driver, 1000);
	first = expect_reserve(&driver);
	send_reserved(&driver, first.number, 1);
	send_adopt(&driver, VGPU_WORKER_PROTOCOL_VERSION);
	expect_done(&driver, VGPU_ERR_NONE);
	expect_adopted(&driver, 1, first.bytes);
	driver_stop(&driver);
}

static void a_stale_answer_says_nothing(void **state)
{
	struct driver driver = driver_start(0, NULL);
	struct vgpu_worker_reserve first;

	(void)state;
	send_reserved(&driver, 1, 1);
	send_alloc_job(&driver, 1000);
	first = expect_reserve(&driver);
	send_reserved(&driver, first.number + 1, 1);
	send_reserved(&driver, first.number - 1, 1);
	send_reserved(&driver, first.number, 0);
	expect_done(&driver, VGPU_ERR_CUDA);
	adopt(&driver, 1, 0);
	driver_stop(&driver);
}

static const struct vgpu_submission nop = { .opcode = VGPU_RING_NOP };
static const struct vgpu_submission alloc = { .opcode = VGPU_RING_MEM_ALLOC, .argument = { 4096 } };

static void a_channel_that_has_nothing_to_do(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
	uint64_t pointer;

	(void)state;
	adopt(&channel.driver, 1, 0);
	pointer = channel_must(&channel, VGPU_RING_MEM_ALLOC, 4096, 0, 0, 0, 0);
	adopt(&channel.driver, 1, driver_footprint(4096));
	channel_must(&channel, VGPU_RING_MEM_FREE, pointer, 0, 0, 0, 0);
	adopt(&channel.driver, 1, 0);
	channel_end(&channel);
}

static void a_channel_that_waits_for_memory(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
	struct guest_ring *ring = &channel.ring;
	struct vgpu_worker_reserve first;
	uint32_t number;

	(void)state;
	guest_ring_submit(ring, &alloc);
	first = expect_reserve(&channel.driver);
	adopt(&channel.driver, 1, 0);
	number = expect_repeated(&channel.driver, &first);
	send_reserved(&channel.driver, first.number, 0);
	send_reserved(&channel.driver, number, 1);
	assert_int_equal(channel_wait(&channel).status, 0);
	/* A stale one is as little where nothing is waited for. */
	send_reserved(&channel.driver, number, 0);
	adopt(&channel.driver, 1, first.bytes);
	channel_end(&channel);
}

static void a_channel_under_load(void **state)
{
	const struct vgpu_submission silent = { .opcode = VGPU_RING_NOP,
						.flags = VGPU_SUBMIT_NO_REPLY };
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
	struct pollfd socket = { .fd = channel.driver.socket, .events = POLLIN };

	(void)state;
	send_adopt(&channel.driver, VGPU_WORKER_PROTOCOL_VERSION);
	/* However long that takes: the ring is never empty for long. */
	while (poll(&socket, 1, 0) == 0)
		if (guest_ring_has_room(&channel.ring))
			guest_ring_submit(&channel.ring, &silent);
	expect_adopted(&channel.driver, 1, 0);
	assert_int_equal(channel_run(&channel, nop).status, 0);
	channel_end(&channel);
}

/* Nobody rings the doorbell: it is the message that wakes the worker. */
static void a_channel_that_may_not_go_on(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);

	(void)state;
	/* The completion ring is full. */
	for (uint32_t i = 0; i < CHANNEL_ENTRIES; i++)
		guest_ring_submit(&channel.ring, &nop);
	while (__atomic_load_n(&channel.ring.control->submission_head, __ATOMIC_ACQUIRE) !=
	       CHANNEL_ENTRIES)
		usleep(100);
	guest_ring_submit(&channel.ring, &nop);
	adopt(&channel.driver, 1, 0);
	for (uint32_t i = 0; i <= CHANNEL_ENTRIES; i++)
		assert_int_equal(channel_wait(&channel).status, 0);
	channel_end(&channel);
}

static void a_later_mediator(void **state)
{
	struct driver driver = driver_start(0, NULL);
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);

	(void)state;
	send_adopt(&driver, VGPU_WORKER_PROTOCOL_VERSION + 1);
	expect_adopted(&driver, 1, 0);
	send_adopt(&driver, UINT32_MAX);
	expect_adopted(&driver, 1, 0);
	driver_stop(&driver);
	send_adopt(&channel.driver, UINT32_MAX);
	expect_adopted(&channel.driver, 1, 0);
	channel_end(&channel);
}

static void expect_end(struct driver *driver)
{
	int status = driver_wait(driver);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EX_SOFTWARE);
	driver_forget(driver);
}

static void malformed(void **state)
{
	struct vgpu_worker_adopt message = {
		.header = { .type = VGPU_WORKER_ADOPT, .length = sizeof(message) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
	};
	struct driver driver;
	int fd = STDIN_FILENO;

	(void)state;
	driver = driver_start(0, NULL);
	send_adopt(&driver, VGPU_WORKER_PROTOCOL_OLDEST - 1);
	expect_end(&driver);
	driver = driver_start(0, NULL);
	assert_int_equal(vgpu_packet_send(driver.socket, &message, sizeof(message), &fd, 1), 0);
	expect_end(&driver);
	/* Where START may have some. */
	driver = driver_spawn(NULL);
	adopt(&driver, 0, 0);
	assert_int_equal(vgpu_packet_send(driver.socket, &message, sizeof(message), &fd, 1), 0);
	expect_end(&driver);
	driver = driver_start(0, NULL);
	message.header.length--;
	driver_send(&driver, &message, sizeof(message));
	expect_end(&driver);
	driver = driver_start(0, NULL);
	driver_send(&driver, &message, sizeof(message) - 1);
	expect_end(&driver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_it_is_anybodys),
		cmocka_unit_test(between_two_jobs),
		cmocka_unit_test(while_a_job_waits_for_memory),
		cmocka_unit_test(the_answer_came_before),
		cmocka_unit_test(a_stale_answer_says_nothing),
		cmocka_unit_test(a_channel_that_has_nothing_to_do),
		cmocka_unit_test(a_channel_that_waits_for_memory),
		cmocka_unit_test(a_channel_under_load),
		cmocka_unit_test(a_channel_that_may_not_go_on),
		cmocka_unit_test(a_later_mediator),
		cmocka_unit_test(malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
