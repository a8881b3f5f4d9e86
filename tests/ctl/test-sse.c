/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events: what is one, however its bytes are cut, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mediatord/ctl/sse.h"

/* Every event as "[ID|TYPE|DATA]". */
struct heard {
	char text[1024];
	unsigned int end_after; /* so many events; 0: never */
	unsigned int count;
};

static bool hear(void *opaque, const struct sse_event *event)
{
	struct heard *heard = opaque;
	size_t length = strlen(heard->text);

	snprintf(heard->text + length, sizeof(heard->text) - length, "[%s|%s|%s]", event->id,
		 event->type, event->data);
	return ++heard->count != heard->end_after;
}

/* Whole, and cut after each byte. */
static void check(const char *bytes, size_t length, const char *wanted)
{
	for (size_t cut = 0; cut <= length; cut++) {
		struct heard heard = { 0 };
		struct sse sse;

		sse_init(&sse, hear, &heard);
		assert_true(sse_take(&sse, bytes, cut, NULL));
		assert_true(sse_take(&sse, bytes + cut, length - cut, NULL));
		assert_string_equal(heard.text, wanted);
		sse_clear(&sse);
	}
}
#define CHECK(bytes, wanted) check(bytes, sizeof(bytes) - 1, wanted)

static void test_events(void **state)
{
	(void)state;
	CHECK("", "");
	CHECK("data: one\n\n", "[||one]");
	CHECK("data:one\n\ndata: two\n\n", "[||one][||two]");
	CHECK("id: 7\nevent: vm\ndata: {}\n\n", "[7|vm|{}]");
	CHECK("data: a\ndata\ndata: b\n\n", "[||a\n\nb]");
	CHECK("data:  two spaces\n\n", "[|| two spaces]");
	/* The id stays, the type does not. */
	CHECK("id: 7\nevent: vm\ndata: a\n\ndata: b\n\n", "[7|vm|a][7||b]");
}

static void test_line_breaks(void **state)
{
	(void)state;
	CHECK("data: a\r\n\r\ndata: b\r\rdata: c\n\n", "[||a][||b][||c]");
	CHECK("data: a\r\n\n", "[||a]");
}

static void test_what_is_no_event(void **state)
{
	(void)state;
	CHECK(": a comment\n\n", "");
	CHECK("id: 3\n\ndata: x\n\n", "[3||x]");
	CHECK("event: vm\n\ndata: x\n\n", "[||x]");
	CHECK("retry: 5\nunknown: 1\n\n", "");
	CHECK("data: cut short\n", "");
	CHECK("\n\n\n", "");
	CHECK("\xef\xbb\xbf"
	      "data: marked\n\n",
	      "[||marked]");
}

static void test_ids_that_are_none(void **state)
{
	char bytes[256];
	int length;

	(void)state;
	CHECK("id: 1\0002\ndata: x\n\n", "[||x]");
	length = snprintf(bytes, sizeof(bytes), "id: 1\nid: %0*d\ndata: x\n\n", SSE_TEXT_MAX, 5);
	check(bytes, (size_t)length, "[1||x]");
}

static void test_limits(void **state)
{
	VGPU_AUTO_FREE char *many = malloc(SSE_LINE_MAX + 1);
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct heard heard = { 0 };
	struct sse sse;

	(void)state;
	memset(many, 'x', SSE_LINE_MAX + 1);
	sse_init(&sse, hear, &heard);
	assert_true(sse_take(&sse, many, SSE_LINE_MAX, &err));
	assert_false(sse_take(&sse, many, 1, &err));
	assert_int_equal(err->status, EPROTO);
	sse_clear(&sse);
	vgpu_error_free(&err);

	/* Short lines, but one event without an end. */
	sse_init(&sse, hear, &heard);
	for (size_t i = 0; i < SSE_LINE_MAX / 2; i++)
		assert_true(sse_take(&sse, "data:1\n", 7, &err));
	assert_false(sse_take(&sse, "data:1\n", 7, &err));
	assert_int_equal(err->status, EPROTO);
	assert_int_equal(heard.count, 0);
	sse_clear(&sse);
}

static void test_listener_ends(void **state)
{
	struct heard heard = { .end_after = 1 };
	struct vgpu_error *err = NULL;
	struct sse sse;

	(void)state;
	sse_init(&sse, hear, &heard);
	assert_false(sse_take(&sse, "data: a\n\ndata: b\n\n", 18, &err));
	assert_null(err);
	assert_string_equal(heard.text, "[||a]");
	sse_clear(&sse);
}

static void test_restart_keeps_the_id_alone(void **state)
{
	struct heard heard = { 0 };
	struct sse sse;

	(void)state;
	sse_init(&sse, hear, &heard);
	assert_true(sse_take(&sse, "id: 4\ndata: a\n\nevent: x\ndata: half", 34, NULL));
	sse_restart(&sse);
	assert_string_equal(sse.id, "4");
	assert_true(sse_take(&sse, "data: b\n\n", 9, NULL));
	assert_string_equal(heard.text, "[4||a][4||b]");
	sse_clear(&sse);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_line_breaks),
		cmocka_unit_test(test_what_is_no_event),
		cmocka_unit_test(test_ids_that_are_none),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_listener_ends),
		cmocka_unit_test(test_restart_keeps_the_id_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
