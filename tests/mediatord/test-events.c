/* SPDX-License-Identifier: Apache-2.0 */
/* The ring keeps the newest events under ids that grow, and says what it does not have any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mediatord/event_feed.h"

#define FIRST 1000u

static struct events *ring_of_four(uint32_t added)
{
	struct events *events = events_new(4, FIRST);

	assert_non_null(events);
	for (uint32_t i = 0; i < added; i++)
		events_add(events, &(struct event){ .type = EVENT_LINK_UP, .number = i });
	return events;
}

static void what_follows_an_id_comes_in_its_order(void **state)
{
	struct events *events = ring_of_four(3);
	struct event list[4];
	bool lost;

	(void)state;
	assert_int_equal(events_after(events, FIRST - 1, list, 4, &lost), 3);
	assert_false(lost);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(list[i].id, FIRST + i);
		assert_int_equal(list[i].number, i);
	}
	assert_int_equal(events_after(events, FIRST, list, 1, &lost), 1);
	assert_int_equal(list[0].id, FIRST + 1);
	assert_int_equal(events_after(events, FIRST + 2, list, 4, &lost), 0);
	assert_false(lost);
	assert_int_equal(events_last(events), FIRST + 2);
	events_free(&events);
}

static void what_left_the_ring_is_lost(void **state)
{
	struct events *events = ring_of_four(7);
	struct event list[8];
	bool lost;

	(void)state;
	/* 1003 to 1006 are there. */
	assert_int_equal(events_after(events, FIRST + 2, list, 8, &lost), 4);
	assert_false(lost);
	assert_int_equal(list[0].id, FIRST + 3);
	assert_int_equal(events_after(events, FIRST + 1, list, 8, &lost), 4);
	assert_true(lost);
	assert_int_equal(list[0].id, FIRST + 3);
	assert_int_equal(events_after(events, 0, list, 8, &lost), 4);
	assert_true(lost);
	/* An id that was never given: of a mediator whose clock was ahead. */
	assert_int_equal(events_after(events, FIRST + 7, list, 8, &lost), 4);
	assert_true(lost);
	assert_int_equal(events_after(events, UINT64_MAX, list, 8, &lost), 4);
	assert_true(lost);
	events_free(&events);
}

static void an_empty_ring_has_nothing_and_lost_nothing(void **state)
{
	struct events *events = ring_of_four(0);
	struct event list[1];
	bool lost;

	(void)state;
	assert_int_equal(events_last(events), FIRST - 1);
	assert_int_equal(events_after(events, FIRST - 1, list, 1, &lost), 0);
	assert_false(lost);
	events_free(&events);
}

static void ids_are_digits(void **state)
{
	static const char *const bad[] = { "",	 "x",	"-1",  "+1",  " 1",
					   "1 ", "1,2", "0x1", "1e3", "1234567890123456789" };
	uint64_t id;

	(void)state;
	assert_true(event_id_parse("0", &id));
	assert_int_equal(id, 0);
	assert_true(event_id_parse("123456789012345678", &id));
	assert_int_equal(id, UINT64_C(123456789012345678));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(event_id_parse(bad[i], &id));
}

static void every_type_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned int a = 0; a < EVENT_TYPES; a++) {
		assert_true(event_type_name(a)[0]);
		for (unsigned int b = 0; b < a; b++)
			assert_string_not_equal(event_type_name(a), event_type_name(b));
	}
	assert_string_equal(event_type_name(EVENT_TYPES), "");
}

/* More than the queue holds at once: the loop never waits, and what is kept is in order. */
static void a_flood_is_bounded_and_in_order(void **state)
{
	struct event_feed *feed = NULL;
	struct event list[64];
	uint64_t id, next = 0;
	bool lost;
	size_t count;

	(void)state;
	event_feed_post(NULL, &(struct event){ .type = EVENT_LINK_UP });
	assert_int_equal(event_feed_start(&feed, NULL), 0);
	id = events_last(event_feed_events(feed));
	for (uint32_t i = 0; i < 100000; i++)
		event_feed_post(feed, &(struct event){ .type = EVENT_LINK_UP, .number = i });
	event_feed_add(feed, &(struct event){ .type = EVENT_LINK_DOWN });
	while ((count = events_after(event_feed_events(feed), id, list, 64, &lost)) > 0) {
		for (size_t i = 0; i < count; i++) {
			if (list[i].type == EVENT_LINK_DOWN)
				continue;
			assert_true(list[i].number >= next);
			next = list[i].number + 1;
		}
		id = list[count - 1].id;
	}
	event_feed_stop(&feed);
	event_feed_stop(&feed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_follows_an_id_comes_in_its_order),
		cmocka_unit_test(what_left_the_ring_is_lost),
		cmocka_unit_test(an_empty_ring_has_nothing_and_lost_nothing),
		cmocka_unit_test(ids_are_digits),
		cmocka_unit_test(every_type_has_a_name_of_its_own),
		cmocka_unit_test(a_flood_is_bounded_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
