/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/gate.h"

static uint32_t load_grant(const struct gate *gate)
{
	return __atomic_load_n(&gate->page->grant, __ATOMIC_ACQUIRE);
}

bool gate_granted(const struct gate *gate)
{
	return load_grant(gate) & VGPU_GRANT_RUN;
}

bool gate_contended(const struct gate *gate)
{
	return load_grant(gate) & VGPU_GRANT_CONTENDED;
}

/* Stores to `holding` before anything that is loaded or stored afterwards. */
static void store_holding(struct gate *gate, bool holding)
{
	gate->holding = holding;
	__atomic_store_n(&gate->page->holding, holding, __ATOMIC_RELEASE);
	/* Pairs with the mediator's fence between its storing `grant` and loading `holding`. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static int want(struct gate *gate, uint32_t what, struct vgpu_error **err)
{
	if (gate->mediator->wanted & what)
		return 0;
	return mediator_send_want(gate->mediator, what, err);
}

static int want_grant(struct gate *gate, struct vgpu_error **err)
{
	gate->told = false;
	return want(gate, VGPU_WORKER_WANT_GRANT, err);
}

int gate_enter(struct gate *gate, struct vgpu_error **err)
{
	if (!gate_granted(gate))
		return want_grant(gate, err);
	if (!gate->holding) {
		store_holding(gate, true);
		if (!gate_granted(gate)) {
			/* Who revoked it may have seen us hold it, and waits then. */
			store_holding(gate, false);
			return mediator_send_yielded(gate->mediator, err) < 0
				       ? -1
				       : want_grant(gate, err);
		}
	}
	gate->mediator->wanted &= ~VGPU_WORKER_WANT_GRANT;
	return 1;
}

int gate_leave(struct gate *gate, struct vgpu_error **err)
{
	const bool held = gate->holding;
	uint32_t grant;

	if (held)
		store_holding(gate, false);
	grant = load_grant(gate);
	if (grant == VGPU_GRANT_RUN) {
		gate->told = false;
		return 0;
	}
	/* Revoked while it was not held, or granted for what is about to start: nothing to say. */
	if (!held && (!(grant & VGPU_GRANT_RUN) || gate->mediator->wanted & VGPU_WORKER_WANT_GRANT))
		return 0;
	/*
	 * Where it is not revoked the mediator, which was told before, has not come to it yet: it
	 * will see 0. With every pause of a busy guest announced, a mediator that is away would
	 * find the socket full, and its worker blocked. If it came while we had begun again, its
	 * WAKE, which we see before we sleep, makes us tell it anew.
	 */
	if (grant & VGPU_GRANT_RUN && gate->told && gate->told_wakes == gate->mediator->wakes)
		return 0;
	gate->told = grant & VGPU_GRANT_RUN;
	gate->told_wakes = gate->mediator->wakes;
	return mediator_send_yielded(gate->mediator, err);
}

int gate_take_token(struct gate *gate, struct vgpu_error **err)
{
	if (!gate_has_token(gate))
		return want(gate, VGPU_WORKER_WANT_TOKENS, err);
	gate->mediator->wanted &= ~VGPU_WORKER_WANT_TOKENS;
	return 1;
}
