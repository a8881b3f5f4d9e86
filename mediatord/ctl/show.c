/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/ctl/show.h"

#include <stdio.h>
#include <string.h>

json_t *show_at(const json_t *json, const char *path)
{
	const char *dot;
	char key[64];

	while (json && (dot = strchr(path, '.'))) {
		if ((size_t)(dot - path) >= sizeof(key))
			return NULL;
		memcpy(key, path, (size_t)(dot - path));
		key[dot - path] = '\0';
		json = json_object_get(json, key);
		path = dot + 1;
	}
	return json_object_get(json, path);
}

const char *show_text(const json_t *json, const char *path, const char *otherwise)
{
	const char *text = json_string_value(show_at(json, path));

	return text ? text : otherwise;
}

int64_t show_number(const json_t *json, const char *path)
{
	const json_t *value = show_at(json, path);

	return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value)
									: -1;
}

const char *show_size(int64_t bytes, char text[SHOW_BYTES])
{
	static const char *const units[] = { "TiB", "GiB", "MiB", "KiB" };

	for (unsigned int i = 0; i < 4; i++) {
		int64_t unit = INT64_C(1) << (40 - 10 * i);

		if (bytes < unit)
			continue;
		if (bytes % unit == 0)
			snprintf(text, SHOW_BYTES, "%lld%s", (long long)(bytes / unit), units[i]);
		else
			snprintf(text, SHOW_BYTES, "%.1f%s", (double)bytes / (double)unit,
				 units[i]);
		return text;
	}
	snprintf(text, SHOW_BYTES, "%lld", (long long)bytes);
	return text;
}

const char *show_duration_ms(int64_t ms, char text[SHOW_BYTES])
{
	if (ms % 1000 == 0 && ms)
		snprintf(text, SHOW_BYTES, "%llds", (long long)(ms / 1000));
	else
		snprintf(text, SHOW_BYTES, "%lldms", (long long)ms);
	return text;
}

const char *show_time_ns(int64_t ns, char text[SHOW_BYTES])
{
	double value = (double)ns;

	if (value < 1e3)
		snprintf(text, SHOW_BYTES, "%.0fns", value);
	else if (value < 1e6)
		snprintf(text, SHOW_BYTES, value < 1e4 ? "%.1fus" : "%.0fus", value / 1e3);
	else if (value < 1e9)
		snprintf(text, SHOW_BYTES, value < 1e7 ? "%.1fms" : "%.0fms", value / 1e6);
	else
		snprintf(text, SHOW_BYTES, "%.1fs", value / 1e9);
	return text;
}

static void show_whole(struct table *table, int64_t value, enum show_kind kind)
{
	char text[SHOW_BYTES];

	switch (kind) {
	case SHOW_SIZE:
		table_add(table, show_size(value, text));
		break;
	case SHOW_PERCENT:
		table_addf(table, "%lld%%", (long long)value);
		break;
	case SHOW_DURATION:
		table_add(table, show_duration_ms(value, text));
		break;
	case SHOW_TIME:
		table_add(table, show_time_ns(value, text));
		break;
	case SHOW_CELSIUS:
		table_addf(table, "%lldC", (long long)value);
		break;
	case SHOW_POWER:
		table_addf(table, "%lldW", (long long)(value + 500) / 1000);
		break;
	case SHOW_PLAIN:
		table_addf(table, "%lld", (long long)value);
		break;
	}
}

void show_cell(struct table *table, const json_t *json, const char *path, enum show_kind kind)
{
	const json_t *value = show_at(json, path);
	int64_t number = show_number(json, path);

	if (kind == SHOW_PLAIN && json_is_string(value))
		table_add(table, json_string_value(value));
	else if (kind == SHOW_PLAIN && json_is_boolean(value))
		table_add(table, json_is_true(value) ? "yes" : "no");
	else if (number < 0)
		table_add(table, "-");
	else
		show_whole(table, number, kind);
}

void show_limit_cell(struct table *table, const json_t *json, const char *path, enum show_kind kind)
{
	if (show_number(json, path) == 0 || json_is_null(show_at(json, path)))
		table_add(table, "none");
	else
		show_cell(table, json, path, kind);
}
