/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's loop in a thread of the test, over any backend, and the guest's side of its ring.
 * Failures end the test.
 */
#ifndef VGPU_TESTS_SERVED_CHANNEL_H
#define VGPU_TESTS_SERVED_CHANNEL_H

#include <pthread.h>
#include <stdbool.h>

#include "mediatord/worker/serve.h"
#include "tests/mediatord/guest-ring.h"

struct served_channel {
	struct server server;
	struct guest_ring ring;
	int mediator; /* the mediator's end of the control socket */
	struct mediator_socket worker;
	uint64_t bytes; /* of the region */
	pthread_t thread;
	bool told_to_end;	   /* the test sent END */
	struct vgpu_error *reason; /* why the loop ended */
};

/*
 * Opens the channel, of which the backend, the ledger and the grant page are set, with a region of
 * its own, and serves it as on a host with so many processors.
 */
void served_begin(struct served_channel *served, const struct channel *channel, uint32_t entries,
		  uint64_t window_bytes, long processors);

/* Ends the mediator's side, and the loop with it; the backend stays open. */
void served_end(struct served_channel *served);

#endif
