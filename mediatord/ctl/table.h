/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for people: columns line up whatever the cells hold, and a row is always one line. */
#ifndef VGPU_CTL_TABLE_H
#define VGPU_CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/cleanup.h"

struct table_column {
	const char *title;
	bool right;    /* numbers are */
	bool flexible; /* gives way where a row would be wider than the terminal */
};

struct table_cell {
	char *text;
	size_t width;
};

struct table {
	const struct table_column *columns;
	size_t column_count;
	struct table_cell *cells; /* row by row */
	size_t cell_count;
	size_t cells_size;
	bool failed; /* there was no memory */
};

/* An owning local of an array of columns, which must last. */
#define TABLE_AUTO VGPU_CLEANUP(table_clear)
#define TABLE_INIT(columns_)                                                                       \
	{                                                                                          \
		.columns = (columns_), .column_count = sizeof(columns_) / sizeof((columns_)[0])    \
	}
void table_clear(struct table *table);

/* Adds the next cell of the row; what a terminal would act upon is made visible. */
void table_add(struct table *table, const char *text);
void table_addf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Prints titles and rows. columns: of the terminal, or 0 where lines may be of any length. newline
 * ends each line. Returns how many lines it printed, at most max_lines where that is not 0.
 */
size_t table_print(const struct table *table, FILE *stream, size_t columns, const char *newline,
		   size_t max_lines);

/* How many columns standard output's terminal has; 0 where it is none. */
size_t table_terminal_columns(void);

#endif
