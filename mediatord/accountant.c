/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/accountant.h"

#include <errno.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "mediatord/ticker.h"

#define WRITE_EVERY_NS (10 * VGPU_NS_PER_SECOND)

struct accountant {
	struct control *control;
	struct state *state;
	struct ticker *ticker;
	bool failing; /* the last write did */
};

/* After a write that failed nobody knows what is kept of which VM: all are written. */
static int write_changed(struct accountant *accountant, struct vgpu_error **err)
{
	VGPU_AUTO_FREE struct vm_usage *usages = NULL;
	size_t count = 0;

	if (control_usages(accountant->control, accountant->failing, &usages, &count, err) < 0)
		return -1;
	return count ? state_put_usages(accountant->state, usages, count, err) : 0;
}

static void write_now(void *opaque)
{
	struct accountant *accountant = opaque;
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	bool failed = write_changed(accountant, &err) < 0;

	if (failed && err->status == ESHUTDOWN)
		return;
	if (failed && !accountant->failing)
		vgpu_log_error("what the VMs did cannot be kept: %s; trying again", err->message);
	if (!failed && accountant->failing)
		vgpu_log_info("what the VMs did is kept again");
	accountant->failing = failed;
}

int accountant_start(struct control *control, struct state *state, struct accountant **accountant,
		     struct vgpu_error **err)
{
	struct accountant *made = calloc(1, sizeof(*made));

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->control = control;
	made->state = state;
	if (ticker_start("the accountant's", WRITE_EVERY_NS, write_now, made, &made->ticker, err) <
	    0) {
		free(made);
		return -1;
	}
	*accountant = made;
	return 0;
}

void accountant_stop(struct accountant **accountant)
{
	struct accountant *old = vgpu_steal_pointer(accountant);

	if (!old)
		return;
	ticker_stop(&old->ticker);
	write_now(old);
	free(old);
}
