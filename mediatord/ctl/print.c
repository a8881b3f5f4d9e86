/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/ctl/print.h"

#include <stdio.h>

int print_list(struct ctl *ctl, const char *path, const char *key, struct table *table,
	       print_cells *row)
{
	VGPU_AUTO_JSON json_t *answer = NULL;
	int status = ctl_get_list(ctl, path, key, &answer);

	return status ? status : print_answer(ctl, answer, key, table, row);
}

int print_answer(const struct ctl *ctl, const json_t *answer, const char *key, struct table *table,
		 print_cells *row)
{
	const json_t *object;
	size_t index;

	if (ctl->json)
		return ctl_print_json(answer);
	json_array_foreach (json_object_get(answer, key), index, object) {
		row(table, object);
	}
	table_print(table, stdout, table_terminal_columns(), "\n", 0);
	return EX_OK;
}

int print_object(const struct ctl *ctl, const json_t *object, struct table *table,
		 print_cells *rows)
{
	if (ctl->json)
		return ctl_print_json(object);
	rows(table, object);
	table_print(table, stdout, 0, "\n", 0);
	return EX_OK;
}
