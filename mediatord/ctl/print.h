/* SPDX-License-Identifier: Apache-2.0 */
/* How the commands print what the mediator answered: as its JSON, or as a table. */
#ifndef VGPU_CTL_PRINT_H
#define VGPU_CTL_PRINT_H

#include "mediatord/ctl/ctl.h"
#include "mediatord/ctl/table.h"

/* Adds an object to a table: the row of one of many, or all rows of one that is shown alone. */
typedef void print_cells(struct table *table, const json_t *object);

/*
 * Asks for the list at path, all pages of it, and prints it: a row for each of the objects that
 * `key` holds. Returns an exit status.
 */
int print_list(struct ctl *ctl, const char *path, const char *key, struct table *table,
	       print_cells *row);

/* The same of an answer that is there, in which `key` is a list. */
int print_answer(const struct ctl *ctl, const json_t *answer, const char *key, struct table *table,
		 print_cells *row);

/* Prints one object. Returns an exit status. */
int print_object(const struct ctl *ctl, const json_t *object, struct table *table,
		 print_cells *rows);

/* The row of a GPU, for `gpu list` and `top`: nine cells, from its index to its power. */
print_cells print_gpu_row;

#endif
