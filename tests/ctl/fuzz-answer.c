/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer of the mediator's, through everything that shows one: whatever it holds, what is
 * printed has no control character but line breaks, and no VM's name reaches a path.
 */
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediatord/ctl/ctl.h"
#include "mediatord/ctl/show.h"
#include "mediatord/ctl/top.h"
#include "mediatord/ctl/vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct table_column columns[] = {
	{ .title = "A", .flexible = true },
	{ .title = "B", .right = true },
	{ .title = "C" },
};

static void print(const struct table *table, size_t width)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	table_print(table, stream, width, "\n", 0);
	fclose(stream);
	for (size_t i = 0; i < length; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\n') || text[i] == 0x7f)
			abort();
	free(text);
}

static void show(const json_t *answer)
{
	TABLE_AUTO struct table table = TABLE_INIT(columns);
	struct top_look earlier = { .vms = json_object_get(answer, "before") };
	struct top_look later = { .when_ns = 1000, .vms = json_object_get(answer, "vms") };
	size_t count;
	struct top_vm *rows = top_compare(&earlier, &later, &count);

	for (size_t i = 0; rows && i < count; i++) {
		table_add(&table, vm_label(rows[i].vm));
		show_limit_cell(&table, rows[i].vm, "quotas.gpu_memory_bytes", SHOW_SIZE);
		table_add(&table, vm_state(rows[i].vm));
	}
	print(&table, 0);
	print(&table, 20);
	free(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	json_t *answer;

	if (!ready)
		setlocale(LC_CTYPE, "C.UTF-8");
	ready = true;
	answer = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	if (answer)
		show(answer);
	json_decref(answer);
	return 0;
}
