/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's end of the grant page, as worker_protocol.h has it: whether a submission may be
 * taken, whether work may be started, and what the mediator is told. While the grant stands nothing
 * is sent, and the page is only read.
 */
#ifndef VGPU_WORKER_GATE_H
#define VGPU_WORKER_GATE_H

#include <stdbool.h>

#include "common/error.h"
#include "mediatord/worker/mediator.h"
#include "mediatord/worker_protocol.h"

struct gate {
	struct vgpu_grant_page *page;
	struct mediator_socket *mediator;
	bool holding; /* the page's word, as we stored it */
	/* Under this contention the mediator was told that we have no work; WAKEs until then. */
	bool told;
	uint32_t told_wakes;
};

/* Whether work may be started; and whether others wait for the GPU. For polling. */
bool gate_granted(const struct gate *gate);
bool gate_contended(const struct gate *gate);

/*
 * Before work is started. Returns 1 where it may be, and it is the caller's to gate_leave() when
 * nothing of it is on the GPU any more; 0 where it may not, of which the mediator was told once; or
 * -1 and err.
 */
int gate_enter(struct gate *gate, struct vgpu_error **err);

/*
 * When nothing is on the GPU: gives it up, and tells the mediator where that waits for it: also
 * where it is not held, but granted while others wait. Returns 0, or -1 and err.
 */
int gate_leave(struct gate *gate, struct vgpu_error **err);

/* Whether one more submission may be taken. For polling. */
static inline bool gate_has_token(const struct gate *gate)
{
	return gate->page->submissions < __atomic_load_n(&gate->page->tokens, __ATOMIC_RELAXED);
}

/* The same, and tells the mediator, once, where it may not. Returns 1, 0, or -1 and err. */
int gate_take_token(struct gate *gate, struct vgpu_error **err);

#endif
