/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps what VMs did in the database, so that it outlives the mediator. */
#ifndef VGPU_MEDIATORD_ACCOUNTANT_H
#define VGPU_MEDIATORD_ACCOUNTANT_H

#include "mediatord/control.h"
#include "mediatord/state/state.h"

struct accountant;

/*
 * From now on writes, every 10 s and from a thread of its own, what changed. A write that fails is
 * said in the log and made up for by the next. Returns 0, or -1 and err.
 */
int accountant_start(struct control *control, struct state *state, struct accountant **accountant,
		     struct vgpu_error **err);

/* Writes a last time. For the loop's thread, when the loop has ended. NULL is fine. */
void accountant_stop(struct accountant **accountant);

#endif
