/* SPDX-License-Identifier: Apache-2.0 */
/* The file protocol's lines: what each means, and the reason for which any other is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/file_line.h"
#include "tests/mediatord/request-maker.h"

static struct vgpu_file_request parsed(const char *line)
{
	struct vgpu_file_request request;
	const char *reason;

	if (vgpu_file_request_parse(line, strlen(line), &request, &reason) != 0)
		fail_msg("'%s' was refused: %s", line, reason);
	return request;
}

static void assert_refused_bytes(const char *line, size_t length, const char *word)
{
	struct vgpu_file_request request;
	const char *reason = NULL;

	if (vgpu_file_request_parse(line, length, &request, &reason) == 0)
		fail_msg("'%.*s' was taken", (int)length, line);
	if (!strstr(reason, word))
		fail_msg("'%.*s' was refused for another reason: %s", (int)length, line, reason);
}

static void assert_refused(const char *line, const char *word)
{
	assert_refused_bytes(line, strlen(line), word);
}

/* The line stands for this mailbox request. */
static void assert_request(const char *line, const struct made_request *made)
{
	struct vgpu_file_request request = parsed(line);

	assert_int_equal(request.length, made->length);
	assert_memory_equal(request.bytes, made->bytes, made->length);
}

static void the_prototypes_request(void **state)
{
	struct made_request add = make_request(VGPU_OP_ADD_I32, VGPU_PARAMS_ADD_I32, NULL, 0);
	struct vgpu_file_request request = parsed("A:2:1:100:200\n");

	(void)state;
	assert_false(request.versioned);
	assert_int_equal(request.pool, 'A');
	assert_int_equal(request.priority, 2);
	assert_int_equal(request.vm_id, 1);
	set_parameter(&add, 0, 100);
	set_parameter(&add, 1, 200);
	assert_request("A:2:1:100:200\n", &add);
	set_parameter(&add, 0, (uint32_t)INT32_MIN);
	set_parameter(&add, 1, INT32_MAX);
	assert_request("B:0:20:-2147483648:2147483647\n", &add);
	/* Whether they are the VM's is for its mediator to say. */
	request = parsed("z:4294967295:4294967295:0:-0\n");
	assert_int_equal(request.priority, UINT32_MAX);
	assert_int_equal(request.vm_id, UINT32_MAX);
}

static void what_the_prototype_would_not_have_written(void **state)
{
	(void)state;
	assert_refused("A:2:1:100:200", "no end");
	assert_refused("", "no end");
	assert_refused("\n", "neither");
	assert_refused("A\n", "neither");
	assert_refused("AB:2:1:100:200\n", "neither");
	assert_refused("!:2:1:100:200\n", "neither");
	assert_refused(" A:2:1:100:200\n", "neither");
	assert_refused_bytes("\0:2:1:1:1\n", 10, "neither");
	assert_refused("A::1:100:200\n", "priority");
	assert_refused("A:-1:1:100:200\n", "priority");
	assert_refused("A:4294967296:1:100:200\n", "priority");
	assert_refused("A:high:1:100:200\n", "priority");
	assert_refused("A:0x2:1:100:200\n", "priority");
	assert_refused("A:2::100:200\n", "vm_id");
	assert_refused("A:2:-1:100:200\n", "vm_id");
	assert_refused("A:2:99999999999999999999:100:200\n", "vm_id");
	assert_refused("A:2:0x1:100:200\n", "vm_id");
	assert_refused("A:2:1\n", "vm_id");
	assert_refused("A:2:1:\n", "last two");
	assert_refused("A:2:1:100\n", "last two");
	assert_refused("A:2:1:100:\n", "last two");
	assert_refused("A:2:1:100:2147483648\n", "last two");
	assert_refused("A:2:1:-2147483649:0\n", "last two");
	assert_refused("A:2:1:--1:0\n", "last two");
	assert_refused("A:2:1:+1:0\n", "last two");
	assert_refused("A:2:1:1.5:0\n", "last two");
	assert_refused("A:2:1:0x64:0\n", "last two");
	assert_refused("A:2:1:0:-0x64\n", "last two");
	assert_refused("A:2:1:100:200 \n", "last two");
	assert_refused("A:2:1:100:200\r\n", "last two");
	assert_refused("A:2:1:100:200:300\n", "last two");
	assert_refused_bytes("A:2:1:1:\0001\n", 11, "last two");
	/* Only one line at a time. */
	assert_refused("A:2:1:1:2\nA:2:1:1:2\n", "last two");
}

static void every_operation_has_a_line(void **state)
{
	static const struct {
		uint64_t a, b, c, n;
	} arguments = { 1, 2, 3, 4 };
	struct made_request made = make_request(VGPU_OP_NOP, 0, NULL, 0);

	(void)state;
	assert_request("vgpu/1 1 nop\n", &made);
	assert_int_equal(parsed("vgpu/1 18446744073709551615 nop\n").id, UINT64_MAX);
	assert_true(parsed("vgpu/1 0 nop\n").versioned);
	set_field(&made, FIELD_FLAGS, VGPU_FLAG_ASYNC);
	assert_request("vgpu/1 1 nop async\n", &made);
	made = make_request(VGPU_OP_GET_DEVICE_INFO, 0, NULL, 0);
	assert_request("vgpu/1 1 info\n", &made);
	made = make_request(VGPU_OP_SYNCHRONIZE, 0, NULL, 0);
	assert_request("vgpu/1 1 synchronize\n", &made);
	made = make_request(VGPU_OP_CONTEXT_RESET, 0, NULL, 0);
	assert_request("vgpu/1 1 reset\n", &made);
	made = make_alloc(0x300000002);
	assert_request("vgpu/1 1 alloc 2 3\n", &made);
	assert_request("vgpu/1 1 alloc 0x2 0x00000003\n", &made);
	made = make_free(UINT64_MAX);
	assert_request("vgpu/1 1 free 4294967295 0xffffFFFF\n", &made);
	made = make_htod(0x1000, "\x00\xff\x7f", 3);
	assert_request("vgpu/1 1 copy 0 0x1000 0 = 00fF7f\n", &made);
	made = make_dtoh(0x1000, 64);
	assert_request("vgpu/1 1 copy 1 4096 0 64\n", &made);
	made = make_kernel("vadd_i32", &arguments, sizeof(arguments), 7, 256);
	assert_request("vgpu/1 1 kernel 7 1 1 256 1 1 0 8 32 = 766164645f693332"
		       "0100000000000000020000000000000003000000000000000400000000000000\n",
		       &made);
}

static void what_is_no_line_of_the_second_format(void **state)
{
	char line[VGPU_FILE_LINE_MAX + 1];

	(void)state;
	assert_refused("vgpu/1\n", "names the request");
	assert_refused("vgpu/1 \n", "names the request");
	assert_refused("vgpu/1 nop\n", "names the request");
	assert_refused("vgpu/1 18446744073709551616 nop\n", "names the request");
	assert_refused("vgpu/1 1\n", "names the request");
	assert_refused("vgpu/2 1 nop\n", "neither");
	assert_refused("vgpu/11 1 nop\n", "neither");
	assert_refused("vgpu/1 1 \n", "operation");
	assert_refused("vgpu/1 1 nope\n", "operation");
	assert_refused("vgpu/1 1 NOP\n", "operation");
	assert_refused("vgpu/1 1  nop\n", "operation");
	assert_refused("vgpu/1 1 nop ", "no end");
	assert_refused("vgpu/1 1 nop \n", "something else");
	assert_refused("vgpu/1 1 nop  1\n", "something else");
	assert_refused("vgpu/1 1 nop asynchronous\n", "something else");
	assert_refused("vgpu/1 1 nop 4294967296\n", "something else");
	assert_refused("vgpu/1 1 nop 0x\n", "something else");
	assert_refused("vgpu/1 1 nop -1\n", "something else");
	assert_refused("vgpu/1 1 nop 1 = \n", "something else");
	assert_refused("vgpu/1 1 nop = 0\n", "something else");
	assert_refused("vgpu/1 1 nop = 0g\n", "something else");
	assert_refused("vgpu/1 1 nop = 00 11\n", "something else");
	assert_refused_bytes("vgpu/1 1 nop\0\n", 14, "operation");

	/* One more number, or byte, than a mailbox request holds. */
	strcpy(line, "vgpu/1 1 nop");
	for (int i = 0; i < 248; i++)
		strcat(line, " 1");
	strcat(line, "\n");
	assert_int_equal(parsed(line).length, VGPU_MAILBOX_BYTES);
	strcpy(line + strlen(line) - 1, " 1\n");
	assert_refused(line, "too much");
	strcpy(line, "vgpu/1 1 nop = ");
	for (int i = 0; i < 992; i++)
		strcat(line, "ab");
	strcat(line, "\n");
	assert_int_equal(parsed(line).length, VGPU_MAILBOX_BYTES);
	strcpy(line + strlen(line) - 1, "ab\n");
	assert_refused(line, "too much");
	memset(line, 'x', sizeof(line));
	assert_refused_bytes(line, sizeof(line), "4096");
}

/* The id is known where it could be read, so that the answer reaches who waits for it. */
static void a_refusal_keeps_the_format(void **state)
{
	char line[VGPU_FILE_LINE_MAX];
	struct vgpu_file_request request;
	const char *reason;
	size_t length;

	(void)state;
	vgpu_file_request_parse("vgpu/1 17 nope\n", 15, &request, &reason);
	length = vgpu_file_answer_refuse(&request, VGPU_ERR_INVALID_REQUEST, "no\nno", line);
	assert_int_equal(length, strlen("vgpu/1 17 error 1 : no?no\n"));
	assert_memory_equal(line, "vgpu/1 17 error 1 : no?no\n", length);
	vgpu_file_request_parse("nonsense\n", 9, &request, &reason);
	length = vgpu_file_answer_refuse(&request, VGPU_ERR_INVALID_REQUEST, "no", line);
	assert_memory_equal(line, "error: no\n", length);
}

static void the_prototypes_answer(void **state)
{
	struct vgpu_file_request request = parsed("A:2:1:100:200\n");
	struct made_request response = make_request(0, 0, NULL, 0);
	char line[VGPU_FILE_LINE_MAX];
	size_t length;

	(void)state;
	set_field(&response, 8, 1);
	set_field(&response, 32, 300);
	length = vgpu_file_answer_format(&request, 0, response.bytes, 36, line);
	assert_int_equal(length, 4);
	assert_memory_equal(line, "300\n", 4);
	set_field(&response, 32, (uint32_t)-7);
	length = vgpu_file_answer_format(&request, 0, response.bytes, 36, line);
	assert_memory_equal(line, "-7\n", length);
	/* What a worker makes up reaches nobody. */
	set_field(&response, 8, 2);
	length = vgpu_file_answer_format(&request, 0, response.bytes, 36, line);
	assert_memory_equal(line, "error: the worker's answer makes no sense\n", length);
	set_field(&response, 8, 0);
	length = vgpu_file_answer_format(&request, 0, response.bytes, 36, line);
	assert_memory_equal(line, "error: ", 7);
	length = vgpu_file_answer_format(&request, 0, response.bytes, 31, line);
	assert_memory_equal(line, "error: ", 7);
}

/* What one end writes, the other reads as the same. */
static void answers_there_and_back(void **state)
{
	static const uint32_t results[] = { 0, 42, UINT32_MAX };
	struct vgpu_file_request request = parsed("vgpu/1 99 info\n");
	uint8_t sent[VGPU_MAILBOX_BYTES] = { 0 }, got[VGPU_MAILBOX_BYTES];
	char line[VGPU_FILE_LINE_MAX];
	uint32_t error, length;
	uint64_t id;
	size_t size;

	(void)state;
	vgpu_store32(sent, VGPU_PROTOCOL_VERSION);
	vgpu_store32(sent + 8, 3);
	for (size_t i = 0; i < 3; i++)
		vgpu_store32(sent + 32 + 4 * i, results[i]);
	vgpu_store32(sent + 12, 44);
	vgpu_store32(sent + 16, 5);
	memcpy(sent + 44, "\0\1\2\376\377", 5);
	size = vgpu_file_answer_format(&request, 0, sent, 49, line);
	assert_memory_equal(line, "vgpu/1 99 ok 0 42 4294967295 = 000102feff\n", size);
	assert_int_equal(vgpu_file_answer_parse(line, size, &id, &error, got, &length), 0);
	assert_int_equal(id, 99);
	assert_int_equal(error, 0);
	assert_int_equal(length, 49);
	assert_memory_equal(got, sent, 49);

	vgpu_store32(sent + 4, VGPU_ERR_CUDA);
	memcpy(sent + 44, "text!", 5);
	size = vgpu_file_answer_format(&request, VGPU_ERR_CUDA, sent, 49, line);
	assert_memory_equal(line, "vgpu/1 99 error 5 0 42 4294967295 : text!\n", size);
	assert_int_equal(vgpu_file_answer_parse(line, size, &id, &error, got, &length), 0);
	assert_int_equal(error, VGPU_ERR_CUDA);
	assert_memory_equal(got, sent, 49);
	for (size_t part = 0; part < size; part++)
		assert_int_equal(vgpu_file_answer_parse(line, part, &id, &error, got, &length), -1);
}

static void requests_there_and_back(void **state)
{
	static const char *const lines[] = { "vgpu/1 5 nop\n", "vgpu/1 5 nop async\n",
					     "vgpu/1 5 alloc 2 3\n",
					     "vgpu/1 5 copy 0 4096 0 = 00ff\n",
					     "vgpu/1 5 add 1 2\n" };
	struct made_request made = make_request(7, 0, NULL, 0);
	char line[VGPU_FILE_LINE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct vgpu_file_request request = parsed(lines[i]);
		size_t size = vgpu_file_request_format(5, request.bytes, request.length, line);

		assert_int_equal(size, strlen(lines[i]));
		assert_memory_equal(line, lines[i], size);
	}
	assert_int_equal(vgpu_file_request_format(5, made.bytes, made.length, line), 0);
	assert_int_equal(vgpu_file_request_format(5, made.bytes, 31, line), 0);
}

static void what_is_no_answer(void **state)
{
	static const char *const lines[] = {
		"300\n",
		"error: no\n",
		"vgpu/1 ok\n",
		"vgpu/1 1 okay\n",
		"vgpu/1 1 ok  1\n",
		"vgpu/1 1 ok = 1\n",
		"vgpu/1 1 error\n",
		"vgpu/1 1 error 0 : \n",
		"vgpu/1 1 error 1\n",
		"vgpu/1 1 error x : y\n",
		"vgpu/1 1\n",
		"\n",
	};
	uint8_t response[VGPU_MAILBOX_BYTES];
	uint32_t error, length;
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (vgpu_file_answer_parse(lines[i], strlen(lines[i]), &id, &error, response,
					   &length) == 0)
			fail_msg("'%s' was taken for an answer", lines[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_prototypes_request),
		cmocka_unit_test(what_the_prototype_would_not_have_written),
		cmocka_unit_test(every_operation_has_a_line),
		cmocka_unit_test(what_is_no_line_of_the_second_format),
		cmocka_unit_test(a_refusal_keeps_the_format),
		cmocka_unit_test(the_prototypes_answer),
		cmocka_unit_test(answers_there_and_back),
		cmocka_unit_test(requests_there_and_back),
		cmocka_unit_test(what_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
