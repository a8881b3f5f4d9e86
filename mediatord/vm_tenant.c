/* SPDX-License-Identifier: Apache-2.0 */
/* A VM as the scheduler has it. */
#include <errno.h>

#include "common/clock.h"
#include "mediatord/vm.h"

static int too_much(const struct vm_config *config, const struct config_pool *pool,
		    struct vgpu_error **err)
{
	return vgpu_error_set(err, ERANGE,
			      "gpu_time_guaranteed_percent: with %u %% for this VM, more than "
			      "100 %% of a GPU of pool %s would be guaranteed",
			      config->quotas.gpu_time_guaranteed_percent, pool->name);
}

int vm_tenant_check(const struct vm *vm, const struct vm_config *config,
		    const struct config_pool *pool, struct vgpu_error **err)
{
	uint32_t number = (uint32_t)(pool - vm->mediator->config->pools);

	if (sched_guarantee_fits(vm->mediator->sched, vm->config.vm_id, number,
				 config->quotas.gpu_time_guaranteed_percent))
		return 0;
	return too_much(config, pool, err);
}

int vm_tenant_set(struct mediator *mediator, const struct vm_config *config,
		  const struct config_pool *pool, struct vgpu_error **err)
{
	struct sched_tenant_config tenant = {
		.pool = (uint32_t)(pool - mediator->config->pools),
		.priority = config->priority,
		.weight = config->weight,
		.time_guaranteed_percent = config->quotas.gpu_time_guaranteed_percent,
		.time_max_percent = config->quotas.gpu_time_max_percent,
		.requests_per_second = config->quotas.requests_per_second,
		.burst = config->quotas.burst,
		.queue_depth = config->quotas.queue_depth ? config->quotas.queue_depth
							  : CONFIG_QUEUE_DEPTH_MAX,
		.longest_job_ns = (int64_t)config->quotas.longest_job_ms * VGPU_NS_PER_MS,
		.paused = config->hold == VM_HOLD_PAUSED,
		.closed = config->hold == VM_HOLD_DRAINING,
	};

	if (sched_tenant_set(mediator->sched, config->vm_id, &tenant, vgpu_now_ns()) == 0)
		return 0;
	if (errno == ERANGE)
		return too_much(config, pool, err);
	if (errno == EINVAL)
		return vgpu_error_set(err, EINVAL,
				      "priority %u, weight %u or a share of GPU time is out of "
				      "range",
				      config->priority, config->weight);
	return vgpu_error_errno(err, errno, "cannot schedule vm %u", config->vm_id);
}

int vm_tenant_change(const struct vm *vm, const struct vm_config *config,
		     const struct config_pool *pool, struct vgpu_error **err)
{
	struct sched *sched = vm->mediator->sched;
	uint32_t old_id = vm->config.vm_id;

	if (config->vm_id != old_id && sched_tenant_rename(sched, old_id, config->vm_id) < 0)
		return vgpu_error_errno(err, errno, "cannot give vm %u another id", old_id);
	if (vm_tenant_set(vm->mediator, config, pool, err) == 0)
		return 0;
	/* There is room where it was before. */
	sched_tenant_rename(sched, config->vm_id, old_id);
	return -1;
}
