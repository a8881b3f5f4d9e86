/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reconciler reads: a domain's document or, behind a 'v', a VM as the mediator shows it,
 * or behind a 'p' a page of them. What it says then must be something that it can send.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hook/reconcile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_page(const char *text, size_t length)
{
	VGPU_AUTO_FREE uint8_t(*uuids)[16] = NULL;
	size_t count = 0;
	char next[128];

	if (vm_page_read(text, length, &uuids, &count, next, NULL) == 0 && next[0] &&
	    next[0] != '/')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	DOMAIN_AUTO_VIEW struct domain_view domain = { .running = true, .persistent = true };
	VGPU_AUTO_FREE char *text = malloc(size + 1);
	VGPU_AUTO_FREE char *body = NULL;
	struct vm_view vm = { .registered = true, .in_force = true };
	struct reconcile_plan plan;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (text[0] == 'p') {
		read_page(text + 1, size - 1);
		return 0;
	}
	if (text[0] == 'v' && vm_view_read(text + 1, size - 1, &vm, NULL) < 0)
		return 0;
	domain_xml_read(&domain.live, text);
	domain_xml_read(&domain.inactive, text[0] == 'v' ? "" : text + size / 2);
	reconcile(&domain, &vm, "off", &plan);
	body = vm_state_body(plan.state, vm.starts, &plan.drift);
	if (!body)
		abort();
	return 0;
}
