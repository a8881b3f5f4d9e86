/* SPDX-License-Identifier: Apache-2.0 */
#include "common/file_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"

#define HEADER_BYTES 32u
#define WORDS_MAX    ((VGPU_MAILBOX_BYTES - HEADER_BYTES) / 4)
#define MARK	     "vgpu/1"

static const struct {
	const char *name;
	uint32_t opcode;
} operations[] = {
	{ "nop", VGPU_OP_NOP },
	{ "kernel", VGPU_OP_CUDA_KERNEL },
	{ "alloc", VGPU_OP_MEMORY_ALLOC },
	{ "free", VGPU_OP_MEMORY_FREE },
	{ "copy", VGPU_OP_MEMORY_COPY },
	{ "info", VGPU_OP_GET_DEVICE_INFO },
	{ "synchronize", VGPU_OP_SYNCHRONIZE },
	{ "reset", VGPU_OP_CONTEXT_RESET },
	{ "add", VGPU_OP_ADD_I32 },
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* What a line's numbers and data are of a mailbox request or response, and the other way round. */
struct body {
	uint32_t words[WORDS_MAX];
	uint32_t word_count;
	uint8_t data[VGPU_MAILBOX_BYTES];
	uint32_t data_length;
};

/* The unread part of a line. */
struct cursor {
	const char *at;
	const char *end;
};

static bool take(struct cursor *cursor, const char *text)
{
	size_t length = strlen(text);

	if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, text, length) != 0)
		return false;
	cursor->at += length;
	return true;
}

/* A word, which a space or the line's end follows. */
static bool take_word(struct cursor *cursor, const char *word)
{
	struct cursor after = *cursor;

	if (!take(&after, word) || (after.at < after.end && *after.at != ' '))
		return false;
	*cursor = after;
	return true;
}

static int digit(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	if (character >= 'a' && character <= 'f')
		return character - 'a' + 10;
	if (character >= 'A' && character <= 'F')
		return character - 'A' + 10;
	return -1;
}

/* Digits of this base; at most `max`. */
static bool take_digits(struct cursor *cursor, int base, uint64_t max, uint64_t *value)
{
	const char *first = cursor->at;

	*value = 0;
	while (cursor->at < cursor->end) {
		int next = digit(*cursor->at);

		if (next < 0 || next >= base)
			break;
		if (*value > (max - (uint64_t)next) / (uint64_t)base)
			return false;
		*value = *value * (uint64_t)base + (uint64_t)next;
		cursor->at++;
	}
	return cursor->at > first;
}

static bool take_decimal(struct cursor *cursor, uint64_t max, uint64_t *value)
{
	return take_digits(cursor, 10, max, value);
}

/* Decimal digits, or hexadecimal ones after 0x, which the second format alone knows. */
static bool take_number(struct cursor *cursor, uint64_t max, uint64_t *value)
{
	return take(cursor, "0x") ? take_digits(cursor, 16, max, value)
				  : take_decimal(cursor, max, value);
}

/* An int32 as text has it, as the two's complement that the request carries. */
static bool take_int32(struct cursor *cursor, uint32_t *value)
{
	bool negative = take(cursor, "-");
	uint64_t magnitude;

	if (!take_decimal(cursor, (uint64_t)INT32_MAX + negative, &magnitude))
		return false;
	*value = negative ? (uint32_t)0 - (uint32_t)magnitude : (uint32_t)magnitude;
	return true;
}

static bool take_hex(struct cursor *cursor, struct body *body)
{
	while (cursor->at < cursor->end) {
		int high = digit(*cursor->at);
		int low = cursor->end - cursor->at > 1 ? digit(cursor->at[1]) : -1;

		if (high < 0 || low < 0 || body->data_length == sizeof(body->data))
			return false;
		body->data[body->data_length++] = (uint8_t)(high * 16 + low);
		cursor->at += 2;
	}
	return body->data_length > 0;
}

static bool take_words(struct cursor *cursor, struct body *body)
{
	for (;;) {
		struct cursor after = *cursor;
		uint64_t word;

		if (!take(&after, " ") || after.at == after.end || digit(*after.at) < 0)
			return true;
		if (body->word_count == WORDS_MAX || !take_number(&after, UINT32_MAX, &word))
			return false;
		body->words[body->word_count++] = (uint32_t)word;
		*cursor = after;
	}
}

/* " 1 2 3 = 00ff", each part optional, up to the line's end. */
static bool take_body(struct cursor *cursor, struct body *body)
{
	if (!take_words(cursor, body))
		return false;
	if (take(cursor, " = ") && !take_hex(cursor, body))
		return false;
	return cursor->at == cursor->end &&
	       body->data_length <= VGPU_MAILBOX_BYTES - HEADER_BYTES - 4 * body->word_count;
}

/* Words and data behind a header that the caller fills. Returns where the data begins, or 0. */
static uint32_t store_body(uint8_t *bytes, const struct body *body, uint32_t *length)
{
	uint32_t offset = HEADER_BYTES + 4 * body->word_count;

	memset(bytes, 0, HEADER_BYTES);
	for (uint32_t i = 0; i < body->word_count; i++)
		vgpu_store32(bytes + HEADER_BYTES + 4 * i, body->words[i]);
	memcpy(bytes + offset, body->data, body->data_length);
	*length = offset + body->data_length;
	return body->data_length ? offset : 0;
}

static void store_request(struct vgpu_file_request *request, uint32_t opcode, bool async,
			  const struct body *body)
{
	uint8_t *bytes = request->bytes;
	uint32_t offset = store_body(bytes, body, &request->length);

	vgpu_store32(bytes + offsetof(struct vgpu_request_header, version), VGPU_PROTOCOL_VERSION);
	vgpu_store32(bytes + offsetof(struct vgpu_request_header, opcode), opcode);
	vgpu_store32(bytes + offsetof(struct vgpu_request_header, flags),
		     async ? VGPU_FLAG_ASYNC : 0);
	vgpu_store32(bytes + offsetof(struct vgpu_request_header, param_count), body->word_count);
	vgpu_store32(bytes + offsetof(struct vgpu_request_header, data_offset), offset);
	vgpu_store32(bytes + offsetof(struct vgpu_request_header, data_length), body->data_length);
}

static int fail(const char **reason, const char *sentence)
{
	*reason = sentence;
	return -1;
}

/* What a pool's letter may be, whatever the locale. */
static bool is_pool(char character)
{
	return (character >= 'A' && character <= 'Z') || (character >= 'a' && character <= 'z') ||
	       (character >= '0' && character <= '9');
}

static int parse_prototype(struct cursor *cursor, struct vgpu_file_request *request,
			   const char **reason)
{
	struct body body = { .word_count = VGPU_PARAMS_ADD_I32 };
	uint64_t priority, vm_id;

	if (cursor->end - cursor->at < 2 || !is_pool(*cursor->at) || cursor->at[1] != ':')
		return fail(reason, "the line is neither pool:priority:vm_id:number:number, as "
				    "A:2:1:100:200, nor one that begins with vgpu/1");
	request->pool = *cursor->at;
	cursor->at += 2;
	if (!take_decimal(cursor, UINT32_MAX, &priority) || !take(cursor, ":"))
		return fail(reason, "the second field, the priority, is no number from 0 to 2");
	if (!take_decimal(cursor, UINT32_MAX, &vm_id) || !take(cursor, ":"))
		return fail(reason, "the third field, the vm_id, is no number");
	if (!take_int32(cursor, &body.words[0]) || !take(cursor, ":") ||
	    !take_int32(cursor, &body.words[1]) || cursor->at < cursor->end)
		return fail(reason, "the last two fields are no numbers from -2147483648 to "
				    "2147483647");
	request->priority = (uint32_t)priority;
	request->vm_id = (uint32_t)vm_id;
	store_request(request, VGPU_OP_ADD_I32, false, &body);
	return 0;
}

static int parse_versioned(struct cursor *cursor, struct vgpu_file_request *request,
			   const char **reason)
{
	struct body body = { .word_count = 0 };
	struct cursor number = *cursor;
	size_t operation = 0;
	bool async;

	if (!take(&number, " ") || !take_number(&number, UINT64_MAX, &request->id) ||
	    !take(&number, " ")) {
		request->id = 0;
		return fail(reason, "no number that names the request follows vgpu/1");
	}
	*cursor = number;
	while (operation < OPERATIONS && !take_word(cursor, operations[operation].name))
		operation++;
	if (operation == OPERATIONS)
		return fail(reason,
			    "the operation is none of nop, kernel, alloc, free, copy, info, "
			    "synchronize, reset and add");
	async = take_word(cursor, " async");
	if (!take_body(cursor, &body))
		return fail(reason,
			    "after the operation stands something else than numbers of 32 "
			    "bits and, after =, pairs of hexadecimal digits, or too much of "
			    "it");
	store_request(request, operations[operation].opcode, async, &body);
	return 0;
}

int vgpu_file_request_parse(const char *line, size_t length, struct vgpu_file_request *request,
			    const char **reason)
{
	bool ended = length > 0 && line[length - 1] == '\n';
	struct cursor cursor = { line, line + length - ended };

	memset(request, 0, sizeof(*request));
	*reason = NULL;
	request->versioned = take_word(&cursor, MARK);
	if (length > VGPU_FILE_LINE_MAX)
		return fail(reason, "the line is longer than 4096 bytes");
	if (!ended)
		return fail(reason, "the line has no end");
	return request->versioned ? parse_versioned(&cursor, request, reason)
				  : parse_prototype(&cursor, request, reason);
}

/* A line that is written; what does not fit is left out, which the sizes do not let happen. */
struct writer {
	char *line;
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format,
						      ...)
{
	size_t room = VGPU_FILE_LINE_MAX - writer->length;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(writer->line + writer->length, room, format, arguments);
	va_end(arguments);
	if (length > 0)
		writer->length += (size_t)length < room ? (size_t)length : room - 1;
}

static void put_words(struct writer *writer, const struct body *body)
{
	for (uint32_t i = 0; i < body->word_count; i++)
		put(writer, " %" PRIu32, body->words[i]);
}

static void put_body(struct writer *writer, const struct body *body)
{
	put_words(writer, body);
	if (body->data_length)
		put(writer, " = ");
	for (uint32_t i = 0; i < body->data_length; i++)
		put(writer, "%02x", body->data[i]);
}

/* One line, whatever the text was. */
static void put_text(struct writer *writer, const uint8_t *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		put(writer, "%c", text[i] >= 0x20 && text[i] != 0x7f ? text[i] : '?');
}

/* Which header it is: both have a count of words, data_offset and data_length, in this order. */
enum header {
	HEADER_REQUEST = offsetof(struct vgpu_request_header, param_count),
	HEADER_RESPONSE = offsetof(struct vgpu_response_header, result_count),
};

static bool load_body(const uint8_t *bytes, uint32_t length, enum header header, struct body *body)
{
	uint32_t offset;

	if (length < HEADER_BYTES || length > VGPU_MAILBOX_BYTES ||
	    vgpu_load32(bytes) != VGPU_PROTOCOL_VERSION)
		return false;
	body->word_count = vgpu_load32(bytes + header);
	offset = vgpu_load32(bytes + header + 4);
	body->data_length = vgpu_load32(bytes + header + 8);
	if (body->word_count > (length - HEADER_BYTES) / 4 ||
	    (body->data_length && offset < HEADER_BYTES + 4 * body->word_count) ||
	    !vgpu_range_ok(offset, body->data_length, length))
		return false;
	for (uint32_t i = 0; i < body->word_count; i++)
		body->words[i] = vgpu_load32(bytes + HEADER_BYTES + 4 * i);
	memcpy(body->data, bytes + offset, body->data_length);
	return true;
}

size_t vgpu_file_request_format(uint64_t id, const uint8_t *bytes, uint32_t length,
				char line[VGPU_FILE_LINE_MAX])
{
	struct writer writer = { .line = line };
	size_t operation = 0;
	struct body body;
	uint32_t opcode;

	if (!load_body(bytes, length, HEADER_REQUEST, &body))
		return 0;
	opcode = vgpu_load32(bytes + offsetof(struct vgpu_request_header, opcode));
	while (operation < OPERATIONS && operations[operation].opcode != opcode)
		operation++;
	if (operation == OPERATIONS)
		return 0;
	put(&writer, MARK " %" PRIu64 " %s", id, operations[operation].name);
	if (vgpu_load32(bytes + offsetof(struct vgpu_request_header, flags)) & VGPU_FLAG_ASYNC)
		put(&writer, " async");
	put_body(&writer, &body);
	put(&writer, "\n");
	return writer.length;
}

static size_t format_error(const struct vgpu_file_request *request, uint32_t error,
			   const struct body *body, char *line)
{
	struct writer writer = { .line = line };

	if (request->versioned) {
		put(&writer, MARK " %" PRIu64 " error %" PRIu32, request->id, error);
		put_words(&writer, body);
		put(&writer, " : ");
	} else {
		put(&writer, "error: ");
	}
	put_text(&writer, body->data, body->data_length);
	put(&writer, "\n");
	return writer.length;
}

size_t vgpu_file_answer_refuse(const struct vgpu_file_request *request, uint32_t error,
			       const char *text, char line[VGPU_FILE_LINE_MAX])
{
	struct body body = { .data_length = (uint32_t)strnlen(text, VGPU_MAILBOX_BYTES) };

	memcpy(body.data, text, body.data_length);
	return format_error(request, error, &body, line);
}

size_t vgpu_file_answer_format(const struct vgpu_file_request *request, uint32_t error,
			       const uint8_t *response, uint32_t length,
			       char line[VGPU_FILE_LINE_MAX])
{
	struct writer writer = { .line = line };
	struct body body;

	if (!load_body(response, length, HEADER_RESPONSE, &body) ||
	    (!error && !request->versioned && body.word_count != VGPU_RESULTS_ADD_I32))
		return vgpu_file_answer_refuse(request, VGPU_ERR_UNAVAILABLE,
					       "the worker's answer makes no sense", line);
	if (error)
		return format_error(request, error, &body, line);
	if (request->versioned) {
		put(&writer, MARK " %" PRIu64 " ok", request->id);
		put_body(&writer, &body);
		put(&writer, "\n");
	} else {
		put(&writer, "%" PRId32 "\n", (int32_t)body.words[0]);
	}
	return writer.length;
}

/* What stands behind "error CODE": numbers, and the text up to the line's end. */
static bool take_error(struct cursor *cursor, uint32_t *error, struct body *body)
{
	uint64_t code;

	if (!take(cursor, " ") || !take_number(cursor, UINT32_MAX, &code) || code == 0 ||
	    !take_words(cursor, body) || !take(cursor, " : "))
		return false;
	*error = (uint32_t)code;
	body->data_length = (uint32_t)(cursor->end - cursor->at);
	if (body->data_length > VGPU_MAILBOX_DATA_MAX(body->word_count))
		body->data_length = VGPU_MAILBOX_DATA_MAX(body->word_count);
	memcpy(body->data, cursor->at, body->data_length);
	return true;
}

int vgpu_file_answer_parse(const char *line, size_t length, uint64_t *id, uint32_t *error,
			   uint8_t response[VGPU_MAILBOX_BYTES], uint32_t *response_length)
{
	struct cursor cursor = { line, line + length };
	struct body body = { .word_count = 0 };
	uint32_t offset;

	if (length == 0 || length > VGPU_FILE_LINE_MAX || line[length - 1] != '\n')
		return -1;
	cursor.end--;
	*error = VGPU_ERR_NONE;
	if (!take(&cursor, MARK " ") || !take_number(&cursor, UINT64_MAX, id))
		return -1;
	if (take_word(&cursor, " ok")) {
		if (!take_body(&cursor, &body))
			return -1;
	} else if (!take_word(&cursor, " error") || !take_error(&cursor, error, &body)) {
		return -1;
	}
	offset = store_body(response, &body, response_length);
	vgpu_store32(response, VGPU_PROTOCOL_VERSION);
	vgpu_store32(response + offsetof(struct vgpu_response_header, status), *error);
	vgpu_store32(response + HEADER_RESPONSE, body.word_count);
	vgpu_store32(response + HEADER_RESPONSE + 4, offset);
	vgpu_store32(response + HEADER_RESPONSE + 8, body.data_length);
	return 0;
}
