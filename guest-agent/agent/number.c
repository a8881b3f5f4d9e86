/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/agent/number.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_digits(const char *text)
{
	while (*text >= '0' && *text <= '9')
		text++;
	return text;
}

static bool is_integer(const char *text)
{
	const char *digits = text + (*text == '+' || *text == '-');
	const char *end = skip_digits(digits);

	return end > digits && *end == '\0';
}

/* strtof() takes more than this: words, hexadecimal, and text behind the number. */
static bool is_decimal(const char *text)
{
	const char *whole = text + (*text == '+' || *text == '-');
	const char *end = skip_digits(whole);
	size_t digits = end - whole;

	if (*end == '.') {
		const char *fraction = end + 1;

		end = skip_digits(fraction);
		digits += end - fraction;
	}
	if (!digits)
		return false;
	if (*end == 'e' || *end == 'E') {
		const char *exponent = end + 1 + (end[1] == '+' || end[1] == '-');

		end = skip_digits(exponent);
		if (end == exponent)
			return false;
	}
	return *end == '\0';
}

static int parse_i32(const char *text, void *element, const char **why)
{
	long long value;
	int32_t narrow;

	if (!is_integer(text)) {
		*why = "not a whole decimal number";
		return -1;
	}
	errno = 0;
	value = strtoll(text, NULL, 10);
	if (errno || value < INT32_MIN || value > INT32_MAX) {
		*why = "not within the range of int32, -2147483648 to 2147483647";
		return -1;
	}
	narrow = (int32_t)value;
	memcpy(element, &narrow, sizeof(narrow));
	return 0;
}

/*
 * Most numbers are short: where digits and power of ten are both exact as floats, their one
 * division is rounded right. strtof() is for the rest, at many times the cost.
 */
static bool parse_short(const char *text, float *value)
{
	static const float powers[] = { 1, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f, 1e6f, 1e7f };
	bool negative = *text == '-', point = false;
	uint32_t digits = 0;
	size_t fraction = 0;

	if (FLT_EVAL_METHOD != 0)
		return false;
	for (text += negative || *text == '+'; *text; text++) {
		if (*text == '.') { /* one: the syntax was checked */
			point = true;
			continue;
		}
		if (*text == 'e' || *text == 'E' || digits >= (1u << 24) / 10)
			return false;
		digits = 10 * digits + (uint32_t)(*text - '0');
		fraction += point;
	}
	if (fraction >= sizeof(powers) / sizeof(powers[0]))
		return false;
	*value = (float)digits / powers[fraction];
	if (negative)
		*value = -*value;
	return true;
}

static int parse_f32(const char *text, void *element, const char **why)
{
	float value;

	if (!is_decimal(text)) {
		*why = "not a decimal number";
		return -1;
	}
	/* Too small a number becomes zero or a subnormal one, as rounding has it. */
	if (!parse_short(text, &value))
		value = strtof(text, NULL);
	if (isinf(value)) {
		*why = "not within the range of float32, about -3.4e38 to 3.4e38";
		return -1;
	}
	memcpy(element, &value, sizeof(value));
	return 0;
}

int number_parse(enum number_type type, const char *text, void *element, const char **why)
{
	return type == NUMBER_I32 ? parse_i32(text, element, why) : parse_f32(text, element, why);
}

/* Nine digits always tell two floats apart; seven are enough for most. */
static size_t format_f32(float value, char text[NUMBER_TEXT_MAX])
{
	int length = 0;

	/* Whole numbers of up to seven digits need no second thought; -0 keeps its sign below. */
	if (value > -1e7f && value < 1e7f && value == (float)(int32_t)value && value != 0)
		return (size_t)snprintf(text, NUMBER_TEXT_MAX, "%d", (int)(int32_t)value);
	for (int digits = 7; digits <= 9; digits++) {
		length = snprintf(text, NUMBER_TEXT_MAX, "%.*g", digits, (double)value);
		if (digits == 9 || !isfinite(value) || strtof(text, NULL) == value)
			break;
	}
	return (size_t)length;
}

size_t number_format(enum number_type type, const void *element, char text[NUMBER_TEXT_MAX])
{
	int32_t integer;
	float real;

	if (type == NUMBER_I32) {
		memcpy(&integer, element, sizeof(integer));
		return (size_t)snprintf(text, NUMBER_TEXT_MAX, "%d", (int)integer);
	}
	memcpy(&real, element, sizeof(real));
	return format_f32(real, text);
}
