/* SPDX-License-Identifier: Apache-2.0 */
/* How much of something a VM holds, against its quota. Pure arithmetic that cannot overflow. */
#ifndef VGPU_MEDIATORD_LEDGER_H
#define VGPU_MEDIATORD_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

struct ledger {
	uint64_t used;
};

/* Takes bytes if the quota (0: no limit) allows all of them. Returns whether it did. */
static inline bool ledger_reserve(struct ledger *ledger, uint64_t bytes, uint64_t quota)
{
	uint64_t sum;

	if (__builtin_add_overflow(ledger->used, bytes, &sum) || (quota && sum > quota))
		return false;
	ledger->used = sum;
	return true;
}

/* Gives bytes back. Returns false, and changes nothing, where that many are not held. */
static inline bool ledger_release(struct ledger *ledger, uint64_t bytes)
{
	if (bytes > ledger->used)
		return false;
	ledger->used -= bytes;
	return true;
}

#endif
