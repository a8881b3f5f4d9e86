/* SPDX-License-Identifier: Apache-2.0 */
/* The cuda backend on the double, with a ledger that counts. */
#ifndef VGPU_TESTS_CUDA_FIXTURE_H
#define VGPU_TESTS_CUDA_FIXTURE_H

#include "mediatord/worker/backend.h"
#include "tests/mediatord/libcuda-double.h"

/* What the backend asked of its ledger, and the quota. */
struct fixture_ledger {
	uint64_t held, quota;
	struct memory_ledger ledger;
};

/* Makes the double what the backend loads, from the first open on. Returns its control. */
struct double_control *fixture_double(void);

/* A ledger of this quota, for a backend that the test opens itself. */
void fixture_ledger_init(struct fixture_ledger *ledger, uint64_t quota);

/* An opened backend with a ledger of this quota; fails the test where it cannot be opened. */
struct backend *fixture_open(struct fixture_ledger *ledger, uint64_t quota);

#endif
