/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/text.h"
#include "mediatord/vm.h"

static int64_t wall_clock_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

bool vm_quarantined(struct vm *vm)
{
	return vm->config.hold == VM_HOLD_QUARANTINED ||
	       quarantine_active(&vm->quarantine, vgpu_now_ns());
}

/* It has begun, or goes on. */
static void begin(struct vm *vm, int64_t until_ns, const char *why)
{
	int64_t left_ns = until_ns - vgpu_now_ns();

	vgpu_text_cut(vm->quarantine_kept.reason, sizeof(vm->quarantine_kept.reason), why);
	if (until_ns == QUARANTINE_FOREVER) {
		vm->quarantine_kept.until_s = USAGE_UNTIL_RELEASED;
		timer_cancel(loop_timers(vm->mediator->loop), &vm->release);
	} else {
		vm->quarantine_kept.until_s = wall_clock_s() + left_ns / VGPU_NS_PER_SECOND + 1;
		timer_set(loop_timers(vm->mediator->loop), &vm->release, until_ns);
	}
	vm_log_event(vm, VGPU_LOG_WARNING, EVENT_VM_QUARANTINED, "is in quarantine: %s", why);
	vm_tell(vm, EVENT_VM_QUARANTINED, 0, why);
	vm_end(vm, VGPU_ERR_QUARANTINED, VM_QUARANTINE_TEXT);
}

void vm_quarantine(struct vm *vm, int64_t until_ns)
{
	quarantine_begin(&vm->quarantine, until_ns);
	vm->usage.quarantines++;
	begin(vm, until_ns, VM_QUARANTINE_BY_OPERATOR);
}

static void end(struct vm *vm, const char *text)
{
	vm->quarantine_kept = (struct usage_quarantine){ .until_s = 0 };
	timer_cancel(loop_timers(vm->mediator->loop), &vm->release);
	vm_log_event(vm, VGPU_LOG_INFO, EVENT_VM_RELEASED, "%s", text);
	vm_tell(vm, EVENT_VM_RELEASED, 0, "");
	vm_report(vm);
}

void vm_release(struct vm *vm)
{
	if (quarantine_release(&vm->quarantine))
		end(vm, "is released from quarantine");
}

void vm_quarantine_due(struct vm *vm)
{
	if (!quarantine_active(&vm->quarantine, vgpu_now_ns()))
		end(vm, "has been in quarantine for long enough");
}

void vm_quarantine_restore(struct vm *vm, const struct usage_quarantine *kept)
{
	int64_t longest_ns = vm->mediator->config->quarantine.duration_ns;
	int64_t left_s = kept->until_s - wall_clock_s();
	int64_t left_ns, until_ns = QUARANTINE_FOREVER;

	if (left_s <= 0)
		return;
	if (kept->until_s != USAGE_UNTIL_RELEASED) {
		/* A clock that was set back makes it no longer than a new one. */
		if (__builtin_mul_overflow(left_s, VGPU_NS_PER_SECOND, &left_ns) ||
		    (longest_ns && left_ns > longest_ns))
			left_ns = longest_ns;
		until_ns = vgpu_now_ns() + left_ns;
	}
	quarantine_begin(&vm->quarantine, until_ns);
	begin(vm, until_ns, kept->reason);
}

void vm_count_fault(struct vm *vm, const char *text)
{
	const struct quarantine_config *config = &vm->mediator->config->quarantine;
	char why[sizeof(vm->quarantine_kept.reason)];

	vm->usage.faults++;
	if (!quarantine_fault(&vm->quarantine, config, vgpu_now_ns()))
		return;
	snprintf(why, sizeof(why), "%u faults, the last: %s", config->faults, text);
	vm->usage.quarantines++;
	begin(vm, vm->quarantine.until_ns, why);
}
