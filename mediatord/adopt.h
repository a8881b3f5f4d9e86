/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers that an earlier mediator started: each that has a record with which it can be gone on
 * with is adopted, and every other killed. Nothing else may be started or placed before.
 */
#ifndef VGPU_MEDIATORD_ADOPT_H
#define VGPU_MEDIATORD_ADOPT_H

struct mediator;
struct vm;

/* Decides about every worker that was kept. The VMs are there, and no link is served yet. */
void adopt_workers(struct mediator *mediator);

/*
 * A VM was made: workers of one with this uuid that was deleted, and that are not reaped yet, count
 * as its own until they are.
 */
void adopt_remains(struct vm *vm);

#endif
