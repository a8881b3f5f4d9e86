/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/reconcile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

void domain_view_clear(struct domain_view *view)
{
	vgpu_domain_info_clear(&view->live.info);
	vgpu_domain_info_clear(&view->inactive.info);
}

/* Without what a person is told to do about it: that is for the reconciler to say. */
static void take_misfit(struct domain_xml *document, const char *message)
{
	char *cure;

	vgpu_text_cut(document->misfit, sizeof(document->misfit), message);
	cure = strstr(document->misfit, "; run vgpu-xml");
	if (cure)
		*cure = '\0';
}

void domain_xml_read(struct domain_xml *document, const char *xml)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_DOMAIN struct vgpu_domain *domain = NULL;
	size_t length = strlen(xml);

	*document = (struct domain_xml){ .there = true, .info = { .slot = -1 } };
	if (!strstr(xml, VGPU_DOMAIN_NAMESPACE))
		return;
	if (length > DOMAIN_XML_MAX)
		vgpu_error_set(&err, EFBIG, "its XML is longer than %zu MiB", DOMAIN_XML_MAX >> 20);
	else if (vgpu_domain_parse(&domain, xml, length, &err) == 0)
		vgpu_domain_inspect(domain, &document->info, &err);
	if (err)
		vgpu_text_cut(document->problem, sizeof(document->problem), err->message);
	else if (document->info.state == VGPU_DOMAIN_ATTACHED &&
		 vgpu_domain_check(domain, &err) < 0)
		take_misfit(document, err->message);
}

/* Whether a document's metadata asks for a vGPU. */
static bool asks(const struct domain_xml *document)
{
	return document->there && !document->problem[0] &&
	       (document->info.state == VGPU_DOMAIN_REQUESTED ||
		document->info.state == VGPU_DOMAIN_ATTACHED);
}

static bool has_device(const struct domain_xml *document)
{
	return asks(document) && document->info.state == VGPU_DOMAIN_ATTACHED;
}

/* What the metadata says of a value, or NULL; number is room for a quota. */
static const char *value_of(const struct vgpu_domain_info *info, unsigned int value,
			    char number[24])
{
	const char *text = NULL;

	switch (value) {
	case VM_VALUE_NAME:
		return info->name;
	case VM_VALUE_PROFILE:
		text = info->profile;
		break;
	case VM_VALUE_POOL:
		text = info->pool;
		break;
	case VM_VALUE_PRIORITY:
		text = info->priority;
		break;
	default:
		if (!(info->quotas.given & (1u << (value - VM_VALUE_QUOTAS))))
			return NULL;
		snprintf(number, 24, "%" PRIu64, info->quotas.values[value - VM_VALUE_QUOTAS]);
		return number;
	}
	return *text ? text : NULL;
}

/* Of a value, for one line. */
struct excerpt {
	char text[72];
};

static struct excerpt cut(const char *text)
{
	struct excerpt excerpt = { "" };

	vgpu_text_cut(excerpt.text, sizeof(excerpt.text), text ? text : "");
	return excerpt;
}

/* Whether a domain was ever registered for it, and not an operator alone. */
static bool had_domain(const struct vm_view *vm)
{
	for (unsigned int i = 0; i < VM_VALUES; i++)
		if (vm->values[i].source == VM_SOURCE_DOMAIN)
			return true;
	return false;
}

/* The metadata against what is registered. */
static void compare_values(const struct vgpu_domain_info *info, const struct vm_view *vm,
			   struct vm_drift *drift)
{
	for (unsigned int i = 0; i < VM_VALUES; i++) {
		const char *registered = vm->values[i].text;
		char number[24];
		const char *said = value_of(info, i, number);

		if (vm->values[i].source == VM_SOURCE_HIGHER)
			continue;
		if (said && strcmp(said, registered) != 0)
			vm_drift_add(drift, vm_value_name(i),
				     "the domain says \"%s\", and \"%s\" is registered",
				     cut(said).text, cut(registered).text);
		else if (!said && vm->values[i].source == VM_SOURCE_DOMAIN)
			vm_drift_add(drift, vm_value_name(i),
				     "the domain does not say it, and \"%s\" is registered from "
				     "its last start",
				     cut(registered).text);
	}
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_device(const struct vgpu_domain_info *a, const struct vgpu_domain_info *b)
{
	return same_text(a->link, b->link) && same_text(a->bus, b->bus) && a->slot == b->slot &&
	       a->window_size == b->window_size;
}

static void compare_wishes(const struct vgpu_domain_info *live,
			   const struct vgpu_domain_info *inactive, struct vm_drift *drift)
{
	for (unsigned int i = VM_VALUE_PROFILE; i < VM_VALUES; i++) {
		char first[24], second[24];
		const char *now = value_of(live, i, first), *next = value_of(inactive, i, second);

		if (!same_text(now, next))
			vm_drift_add(drift, "definition",
				     "%s is \"%s\" from the next start on, and \"%s\" now",
				     vm_value_name(i), cut(next).text, cut(now).text);
	}
}

/* What runs against what the next start takes. */
static void compare_documents(const struct domain_view *domain, struct vm_drift *drift)
{
	const struct domain_xml *live = &domain->live, *inactive = &domain->inactive;

	if (!live->there || !inactive->there || live->problem[0])
		return;
	if (inactive->problem[0]) {
		vm_drift_add(drift, "definition", "cannot be read: %s", inactive->problem);
		return;
	}
	if (asks(live) && !asks(inactive))
		vm_drift_add(drift, "definition", "does not ask for a vGPU any more");
	if (!asks(live) || !asks(inactive))
		return;
	if (has_device(live) && has_device(inactive) && !same_device(&live->info, &inactive->info))
		vm_drift_add(drift, "definition", "the vGPU is another one from the next start on");
	compare_wishes(&live->info, &inactive->info, drift);
}

static void find_drift(const struct domain_view *domain, const struct vm_view *vm,
		       const char *no_attach, struct vm_drift *drift)
{
	const struct domain_xml *now = domain->running ? &domain->live : &domain->inactive;

	if (now->problem[0])
		vm_drift_add(drift, "metadata", "cannot be read: %s", now->problem);
	else if (!asks(now))
		vm_drift_add(drift, "metadata", "the domain does not ask for a vGPU");
	else if (vm->in_force && (domain->running || had_domain(vm)))
		compare_values(&now->info, vm, drift);
	if (domain->running && asks(now) && !has_device(now))
		vm_drift_add(drift, "device", "the domain runs without its vGPU: start it anew");
	if (domain->persistent && asks(&domain->inactive) && !has_device(&domain->inactive))
		vm_drift_add(drift, "device", "the definition has no vGPU%s%s",
			     no_attach ? ": " : "", no_attach ? no_attach : "");
	if (domain->persistent && domain->inactive.misfit[0])
		vm_drift_add(drift, "device", "the definition's vGPU does not fit: %s%s%s",
			     domain->inactive.misfit, no_attach ? ": " : "",
			     no_attach ? no_attach : "");
	if (domain->running)
		compare_documents(domain, drift);
}

static bool same_drift(const struct vm_drift *a, const struct vm_drift *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i].what, b->items[i].what) != 0 ||
		    strcmp(a->items[i].detail, b->items[i].detail) != 0)
			return false;
	return true;
}

void reconcile(const struct domain_view *domain, const struct vm_view *vm, const char *no_attach,
	       struct reconcile_plan *plan)
{
	bool there = domain->running || domain->persistent;

	*plan = (struct reconcile_plan){ .state = VM_DOMAIN_NONE };
	plan->attach = !no_attach && domain->persistent && asks(&domain->inactive) &&
		       (!has_device(&domain->inactive) || domain->inactive.misfit[0]);
	plan->register_vm =
		domain->running && has_device(&domain->live) && !(vm->registered && vm->attached);
	if (!vm->registered)
		return;
	if (there) {
		plan->state = domain->running ? VM_DOMAIN_RUNNING : VM_DOMAIN_INACTIVE;
		find_drift(domain, vm, no_attach, &plan->drift);
	}
	plan->report = plan->state != vm->state || !same_drift(&plan->drift, &vm->drift) ||
		       (vm->attached && !domain->running);
}
