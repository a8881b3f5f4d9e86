/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/handles.h"

#include <stddef.h>
#include <stdlib.h>

/* A number: uses << 14 | kind << 12 | slot. As uses is not 0, neither is the number. */
#define SLOT_BITS 12u
#define KIND_BITS 2u
#define USES_MAX  (UINT32_MAX >> (SLOT_BITS + KIND_BITS))

_Static_assert(HANDLES_MAX == 1u << SLOT_BITS, "a slot's bits");
_Static_assert(HANDLE_KINDS <= 1u << KIND_BITS, "a kind's bits");

int handle_table_open(struct handle_table *table, enum handle_kind kind)
{
	*table = (struct handle_table){ .kind = kind };
	table->slots = calloc(HANDLES_MAX, sizeof(*table->slots));
	return table->slots ? 0 : -1;
}

void handle_table_close(struct handle_table *table)
{
	free(table->slots);
	table->slots = NULL;
}

uint32_t handle_number(const struct handle_table *table, const struct handle *handle)
{
	uint32_t slot = (uint32_t)(handle - table->slots);

	return handle->uses << (SLOT_BITS + KIND_BITS) | (uint32_t)table->kind << SLOT_BITS | slot;
}

uint32_t handle_add(struct handle_table *table, uint64_t object)
{
	struct handle *handle;
	uint32_t uses;

	if (table->fresh < HANDLES_MAX) {
		handle = &table->slots[table->fresh++];
	} else if (table->first_free) {
		handle = &table->slots[table->first_free - 1];
		table->first_free = handle->next_free;
		if (!table->first_free)
			table->last_free = 0;
	} else {
		return 0;
	}
	uses = handle->uses % USES_MAX + 1;
	*handle = (struct handle){ .object = object, .uses = uses };
	table->count++;
	return handle_number(table, handle);
}

struct handle *handle_find(const struct handle_table *table, uint64_t number)
{
	struct handle *handle = &table->slots[number % HANDLES_MAX];

	if (number > UINT32_MAX || !handle->object || handle_number(table, handle) != number)
		return NULL;
	return handle;
}

void handle_remove(struct handle_table *table, struct handle *handle)
{
	uint32_t place = (uint32_t)(handle - table->slots) + 1;

	*handle = (struct handle){ .uses = handle->uses };
	if (table->last_free)
		table->slots[table->last_free - 1].next_free = place;
	else
		table->first_free = place;
	table->last_free = place;
	table->count--;
}

struct handle *handle_next(const struct handle_table *table, uint32_t *slot)
{
	while (*slot < table->fresh) {
		struct handle *handle = &table->slots[(*slot)++];

		if (handle->object)
			return handle;
	}
	return NULL;
}
