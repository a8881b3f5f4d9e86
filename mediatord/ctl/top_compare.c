/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "mediatord/ctl/show.h"
#include "mediatord/ctl/top.h"
#include "mediatord/ctl/vm.h"

/* The VMs of a look by their uuid, so that a thousand are not compared with a thousand. */
static json_t *by_uuid(const json_t *vms)
{
	json_t *index = json_object();
	size_t i;
	json_t *vm;

	json_array_foreach (vms, i, vm) {
		json_object_set(index, show_text(vm, "uuid", ""), vm);
	}
	return index;
}

/* What a counter grew by, a second; -1: not known. */
static double rate(const json_t *earlier, const json_t *later, const char *path, double seconds)
{
	int64_t before = earlier ? show_number(earlier, path) : -1;
	int64_t now = show_number(later, path);

	if (before < 0 || now < 0 || seconds <= 0)
		return -1;
	return (double)(now >= before ? now - before : now) / seconds;
}

static int compare(const void *left, const void *right)
{
	const struct top_vm *a = left, *b = right;

	if (a->gpu_percent != b->gpu_percent)
		return a->gpu_percent < b->gpu_percent ? 1 : -1;
	if (a->requests_per_second != b->requests_per_second)
		return a->requests_per_second < b->requests_per_second ? 1 : -1;
	return strcmp(vm_label(a->vm), vm_label(b->vm));
}

struct top_vm *top_compare(const struct top_look *earlier, const struct top_look *later,
			   size_t *count)
{
	double seconds = (double)(later->when_ns - earlier->when_ns) / (double)VGPU_NS_PER_SECOND;
	VGPU_AUTO_JSON json_t *before = by_uuid(earlier->vms);
	struct top_vm *rows;
	size_t index;
	const json_t *vm;

	*count = json_array_size(later->vms);
	rows = calloc(*count + 1, sizeof(*rows));
	if (!rows)
		return NULL;
	json_array_foreach (later->vms, index, vm) {
		const json_t *old = json_object_get(before, show_text(vm, "uuid", ""));
		double ns = rate(old, vm, "usage.gpu_time_ns", seconds);

		rows[index] = (struct top_vm){
			.vm = vm,
			.gpu_percent = ns < 0 ? -1 : ns * 100 / (double)VGPU_NS_PER_SECOND,
			.requests_per_second = rate(old, vm, "counters.requests", seconds),
		};
	}
	qsort(rows, *count, sizeof(*rows), compare);
	return rows;
}
