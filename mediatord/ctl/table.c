/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/ctl/table.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "mediatord/ctl/text.h"

#define GAP		     "  "
#define FLEXIBLE_COLUMNS_MIN 8u

void table_clear(struct table *table)
{
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i].text);
	free(table->cells);
	table->cells = NULL;
	table->cell_count = table->cells_size = 0;
}

void table_add(struct table *table, const char *text)
{
	struct table_cell cell;

	if (table->cell_count == table->cells_size) {
		size_t size = table->cells_size ? 2 * table->cells_size : 64;
		struct table_cell *grown = realloc(table->cells, size * sizeof(*grown));

		if (!grown) {
			table->failed = true;
			return;
		}
		table->cells = grown;
		table->cells_size = size;
	}
	cell.text = text_visible(text, &cell.width);
	table->failed = table->failed || !cell.text;
	if (cell.text)
		table->cells[table->cell_count++] = cell;
}

void table_addf(struct table *table, const char *format, ...)
{
	VGPU_AUTO_FREE char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		table->failed = true;
	}
	va_end(args);
	if (text)
		table_add(table, text);
}

/* The widths of the columns, such that a row fits the terminal if that can be. */
static void measure(const struct table *table, size_t columns, size_t *widths)
{
	size_t total = 0;

	for (size_t column = 0; column < table->column_count; column++) {
		widths[column] = strlen(table->columns[column].title);
		for (size_t i = column; i < table->cell_count; i += table->column_count)
			if (table->cells[i].width > widths[column])
				widths[column] = table->cells[i].width;
		total += widths[column] + (column ? strlen(GAP) : 0);
	}
	for (size_t column = 0; columns && column < table->column_count; column++) {
		size_t spare = total > columns ? total - columns : 0;

		if (!table->columns[column].flexible || widths[column] <= FLEXIBLE_COLUMNS_MIN)
			continue;
		if (spare > widths[column] - FLEXIBLE_COLUMNS_MIN)
			spare = widths[column] - FLEXIBLE_COLUMNS_MIN;
		widths[column] -= spare;
		total -= spare;
	}
}

static void print_cell(FILE *stream, const char *text, size_t width, size_t room, bool right,
		       bool last)
{
	size_t bytes = strlen(text);
	bool cut = width > room;

	if (cut) {
		bytes = text_fit(text, room - 1);
		/* A wide character that does not fit leaves a column free. */
		width = room;
	}
	fprintf(stream, "%*s", right ? (int)(room - width) : 0, "");
	fwrite(text, 1, bytes, stream);
	if (cut)
		putc('>', stream);
	fprintf(stream, "%*s", right || last ? 0 : (int)(room - width), "");
}

size_t table_print(const struct table *table, FILE *stream, size_t columns, const char *newline,
		   size_t max_lines)
{
	size_t rows = table->cell_count / table->column_count, lines = 0;
	VGPU_AUTO_FREE size_t *widths = calloc(table->column_count, sizeof(*widths));

	if (!widths || table->failed) {
		fprintf(stream, "out of memory%s", newline);
		return 1;
	}
	measure(table, columns, widths);
	for (size_t row = 0; row <= rows && (max_lines == 0 || lines < max_lines); row++) {
		for (size_t column = 0; column < table->column_count; column++) {
			const struct table_column *about = &table->columns[column];
			size_t index = (row - 1) * table->column_count + column;
			const char *text = row ? table->cells[index].text : about->title;
			size_t width = row ? table->cells[index].width : strlen(about->title);

			fputs(column ? GAP : "", stream);
			print_cell(stream, text, width, widths[column], about->right,
				   column + 1 == table->column_count);
		}
		fputs(newline, stream);
		lines++;
	}
	return lines;
}

size_t table_terminal_columns(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && isatty(STDOUT_FILENO) ? size.ws_col
										     : 0;
}
