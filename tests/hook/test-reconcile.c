/* SPDX-License-Identifier: Apache-2.0 */
/* What is done for each pair of a domain and a VM, and what is said of their differences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "hook/reconcile.h"

#define UUID "6f1f2c3d-0a1b-4c5d-8e9f-001122334455"
#define NS   "xmlns:v='" VGPU_DOMAIN_NAMESPACE "'"
#define DEVICE                                                                                     \
	"<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"                     \
	"<q:arg value='-device'/>"                                                                 \
	"<q:arg value='vgpu,link=/l/" UUID ".sock,bus=pcie.0,addr=0x1c'/></q:commandline>"
/* As a copy has it: the link is another domain's. */
#define COPIED                                                                                     \
	DOMAIN("<v:vgpu " NS "/>",                                                                 \
	       "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"              \
	       "<q:arg value='-device'/><q:arg value='vgpu,link=/l/x.sock,bus=pcie.0,addr=0x1c'/>" \
	       "</q:commandline>")
#define DOMAIN(vgpu, rest)                                                                         \
	"<domain type='kvm'><name>guest</name><uuid>" UUID "</uuid><metadata>" vgpu                \
	"</metadata><os><type machine='q35'>hvm</type></os>" rest "</domain>"
#define ASKS	  DOMAIN("<v:vgpu " NS " profile='gold'/>", "")
#define ASKS_MORE DOMAIN("<v:vgpu " NS " profile='gold' priority='low'/>", DEVICE)
#define HAS	  DOMAIN("<v:vgpu " NS " profile='gold'/>", DEVICE)
#define PLAIN	  DOMAIN("", "")
#define BAD	  DOMAIN("<v:vgpu " NS " frob='1'/>", "")

/* A VM that its domain registered with profile gold, and what comes before the closing brace. */
#define VM(attached, domain)                                                                       \
	"{\"uuid\":\"" UUID "\",\"name\":\"guest\",\"profile\":\"gold\",\"pool\":\"A\","           \
	"\"priority\":\"high\",\"quotas\":{\"burst\":5,\"channels\":7},"                           \
	"\"sources\":{\"name\":\"domain\",\"profile\":\"domain\",\"pool\":\"profile\","            \
	"\"priority\":\"profile\",\"quotas.burst\":\"operator\",\"quotas.channels\":\"profile\"}," \
	"\"attached\":" attached ",\"domain\":" domain "}"
#define SEEN(state) "{\"state\":\"" state "\",\"starts\":3,\"drift\":[]}"

static struct reconcile_plan plan;

/* live and inactive: NULL where the domain does not run or is not persistent; vm: or NULL. */
static void decide(const char *live, const char *inactive, const char *vm, const char *no_attach)
{
	DOMAIN_AUTO_VIEW struct domain_view view = { .running = live, .persistent = inactive };
	struct vm_view known = { .registered = false };

	if (live)
		domain_xml_read(&view.live, live);
	if (inactive)
		domain_xml_read(&view.inactive, inactive);
	if (vm)
		assert_int_equal(vm_view_read(vm, strlen(vm), &known, NULL), 0);
	reconcile(&view, &known, no_attach, &plan);
}

static void expect(bool attach, bool register_vm, bool report, enum vm_domain_state state,
		   size_t drift)
{
	assert_int_equal(plan.attach, attach);
	assert_int_equal(plan.register_vm, register_vm);
	assert_int_equal(plan.report, report);
	if (report)
		assert_int_equal(plan.state, state);
	assert_int_equal(plan.drift.count, drift);
}

static void a_definition_that_asks_gets_its_vgpu(void **state)
{
	(void)state;
	decide(NULL, ASKS, NULL, NULL);
	expect(true, false, false, 0, 0);
	decide(NULL, ASKS, NULL, "off");
	expect(false, false, false, 0, 0);
	decide(NULL, HAS, NULL, NULL);
	expect(false, false, false, 0, 0);
	decide(NULL, PLAIN, NULL, NULL);
	expect(false, false, false, 0, 0);
	decide(NULL, BAD, NULL, NULL);
	expect(false, false, false, 0, 0);
	/* One that does not fit is none; but what runs runs with it. */
	decide(NULL, COPIED, NULL, NULL);
	expect(true, false, false, 0, 0);
	decide(NULL, COPIED, NULL, "off");
	expect(false, false, false, 0, 0);
	decide(COPIED, NULL, NULL, NULL);
	expect(false, true, false, 0, 0);
	/* Also while it runs; a transient domain has no definition. */
	decide(PLAIN, ASKS, NULL, NULL);
	expect(true, false, false, 0, 0);
	decide(ASKS, NULL, NULL, NULL);
	expect(false, false, false, 0, 0);
}

static void a_running_vm_that_is_unknown_is_registered(void **state)
{
	(void)state;
	decide(HAS, HAS, NULL, NULL);
	expect(false, true, false, 0, 0);
	decide(HAS, NULL, NULL, NULL);
	expect(false, true, false, 0, 0);
	decide(HAS, HAS, VM("false", SEEN("unknown")), NULL);
	expect(false, true, true, VM_DOMAIN_RUNNING, 0);
	decide(HAS, HAS, VM("true", SEEN("unknown")), NULL);
	expect(false, false, true, VM_DOMAIN_RUNNING, 0);
	decide(HAS, HAS, VM("true", SEEN("running")), NULL);
	expect(false, false, false, 0, 0);
	/* What runs counts, not what the next start takes. */
	decide(PLAIN, HAS, NULL, NULL);
	expect(false, false, false, 0, 0);
	decide(ASKS, HAS, NULL, NULL);
	expect(false, false, false, 0, 0);
	decide(HAS, PLAIN, NULL, NULL);
	expect(false, true, false, 0, 0);
}

static void what_ended_or_is_gone_is_said(void **state)
{
	(void)state;
	decide(NULL, HAS, VM("true", SEEN("running")), NULL);
	expect(false, false, true, VM_DOMAIN_INACTIVE, 0);
	decide(NULL, HAS, VM("false", SEEN("running")), NULL);
	expect(false, false, true, VM_DOMAIN_INACTIVE, 0);
	decide(NULL, HAS, VM("false", SEEN("inactive")), NULL);
	expect(false, false, false, 0, 0);
	decide(NULL, HAS, VM("true", SEEN("inactive")), NULL);
	expect(false, false, true, VM_DOMAIN_INACTIVE, 0);
	decide(NULL, NULL, VM("true", SEEN("running")), NULL);
	expect(false, false, true, VM_DOMAIN_NONE, 0);
	decide(NULL, NULL, VM("false", SEEN("unknown")), NULL);
	expect(false, false, true, VM_DOMAIN_NONE, 0);
	/* An operator's VM that no domain has: said once. */
	decide(NULL, NULL, VM("false", SEEN("none")), NULL);
	expect(false, false, false, 0, 0);
	decide(NULL, NULL, NULL, NULL);
	expect(false, false, false, 0, 0);
}

static void drifts(const char *what, const char *detail)
{
	for (size_t i = 0; i < plan.drift.count; i++)
		if (strcmp(plan.drift.items[i].what, what) == 0 &&
		    strcmp(plan.drift.items[i].detail, detail) == 0)
			return;
	for (size_t i = 0; i < plan.drift.count; i++)
		print_message("%s: %s\n", plan.drift.items[i].what, plan.drift.items[i].detail);
	fail_msg("no drift %s: %s", what, detail);
}

static void metadata_against_what_is_registered(void **state)
{
	static const char vm[] = VM("true", SEEN("running"));

	(void)state;
	decide(DOMAIN("<v:vgpu " NS " profile='silver' pool='B'><v:quotas burst='6' "
		      "channels='8' window='1M'/></v:vgpu>",
		      DEVICE),
	       NULL, vm, NULL);
	drifts("profile", "the domain says \"silver\", and \"gold\" is registered");
	drifts("pool", "the domain says \"B\", and \"A\" is registered");
	drifts("quotas.channels", "the domain says \"8\", and \"7\" is registered");
	drifts("quotas.window_bytes", "the domain says \"1048576\", and \"\" is registered");
	/* The operator's burst goes before the domain's. */
	expect(false, false, true, VM_DOMAIN_RUNNING, 4);
	decide(DOMAIN("<v:vgpu " NS "/>", DEVICE), NULL, vm, NULL);
	drifts("profile",
	       "the domain does not say it, and \"gold\" is registered from its last start");
	expect(false, false, true, VM_DOMAIN_RUNNING, 1);
	decide(DOMAIN("<v:vgpu " NS " profile='gold'/>", DEVICE "<name>other</name>"), NULL, vm,
	       NULL);
	expect(false, false, false, 0, 0);
	decide(PLAIN, NULL, vm, NULL);
	drifts("metadata", "the domain does not ask for a vGPU");
	decide(BAD, NULL, vm, NULL);
	drifts("metadata",
	       "cannot be read: vGPU metadata: <vgpu> has an unknown attribute \"frob\"");
	expect(false, false, true, VM_DOMAIN_RUNNING, 1);
}

static void a_device_that_is_missing(void **state)
{
	(void)state;
	decide(NULL, ASKS, VM("false", SEEN("inactive")), "off");
	drifts("device", "the definition has no vGPU: off");
	expect(false, false, true, VM_DOMAIN_INACTIVE, 1);
	decide(ASKS, HAS, VM("true", SEEN("running")), NULL);
	drifts("device", "the domain runs without its vGPU: start it anew");
	expect(false, false, true, VM_DOMAIN_RUNNING, 1);
	decide(NULL, ASKS, VM("false", SEEN("inactive")), NULL);
	drifts("device", "the definition has no vGPU");
	expect(true, false, true, VM_DOMAIN_INACTIVE, 1);
	decide(NULL, COPIED, VM("false", SEEN("inactive")), "off");
	drifts("device", "the definition's vGPU does not fit: the vGPU's link \"/l/x.sock\" is not "
			 "this domain's, DIR/" UUID ".sock: off");
}

static void what_runs_against_the_definition(void **state)
{
	static const char vm[] = VM("true", SEEN("running"));

	(void)state;
	decide(HAS, ASKS_MORE, vm, NULL);
	drifts("definition", "priority is \"low\" from the next start on, and \"\" now");
	expect(false, false, true, VM_DOMAIN_RUNNING, 1);
	decide(HAS, PLAIN, vm, NULL);
	drifts("definition", "does not ask for a vGPU any more");
	decide(HAS, BAD, vm, NULL);
	drifts("definition",
	       "cannot be read: vGPU metadata: <vgpu> has an unknown attribute \"frob\"");
	decide(HAS,
	       DOMAIN("<v:vgpu " NS " profile='gold'/>",
		      "<q:commandline "
		      "xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"
		      "<q:arg value='-device'/><q:arg value='vgpu,link=/l/" UUID
		      ".sock,bus=pcie.0,addr=0x19'/></q:commandline>"),
	       vm, NULL);
	drifts("definition", "the vGPU is another one from the next start on");
	expect(false, false, true, VM_DOMAIN_RUNNING, 1);
}

/* What was said before is said again only where it is another. */
static void drift_is_said_once(void **state)
{
	static const char vm[] =
		VM("false", "{\"state\":\"inactive\",\"starts\":3,\"drift\":[{\"what\":\"device\","
			    "\"detail\":\"the definition has no vGPU: off\"}]}");

	(void)state;
	decide(NULL, ASKS, vm, "off");
	expect(false, false, false, 0, 1);
	decide(NULL, ASKS, vm, "another reason");
	expect(false, false, true, VM_DOMAIN_INACTIVE, 1);
	decide(NULL, HAS, vm, "off");
	expect(false, false, true, VM_DOMAIN_INACTIVE, 0);
}

/* A VM that only an operator registered is no start of its domain behind. */
static void an_operators_vm_does_not_drift(void **state)
{
	static const char vm[] =
		"{\"uuid\":\"" UUID "\",\"name\":\"\",\"profile\":\"default\",\"quotas\":{},"
		"\"sources\":{\"name\":\"default\",\"profile\":\"default\"},\"attached\":false,"
		"\"domain\":" SEEN("inactive") "}";

	(void)state;
	decide(NULL, HAS, vm, NULL);
	expect(false, false, false, 0, 0);
}

/* Hostile documents and answers: bounded, and what is said of them can be sent. */
static void what_is_hostile_is_bounded(void **state)
{
	static const char *const answers[] = {
		"",
		"[]",
		"{}",
		"<html>",
		"{\"uuid\":\"x\"}",
		"{\"uuid\":\"x\",\"domain\":{\"state\":\"asleep\",\"starts\":0,\"drift\":[]}}",
		"{\"uuid\":\"x\",\"domain\":{\"state\":\"none\",\"starts\":-1,\"drift\":[]}}",
		"{\"uuid\":\"x\",\"domain\":{\"state\":\"none\",\"starts\":0,\"drift\":[1]}}",
	};
	char *long_document = malloc(DOMAIN_XML_MAX + 1000);
	struct domain_xml document;
	struct vm_drift drift = { .count = 0 };
	struct vm_view view;
	char *body;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		assert_int_equal(vm_view_read(answers[i], strlen(answers[i]), &view, NULL), -1);
	assert_non_null(long_document);
	memset(long_document, ' ', DOMAIN_XML_MAX + 999);
	long_document[DOMAIN_XML_MAX + 999] = '\0';
	/* Of no concern: not even well-formed. */
	domain_xml_read(&document, long_document);
	assert_string_equal(document.problem, "");
	assert_int_equal(document.info.state, VGPU_DOMAIN_NONE);
	memcpy(long_document, VGPU_DOMAIN_NAMESPACE, strlen(VGPU_DOMAIN_NAMESPACE));
	domain_xml_read(&document, long_document);
	assert_string_equal(document.problem, "its XML is longer than 4 MiB");
	free(long_document);
	vm_drift_add(&drift, "a", "\xff\xfe%s", "b\n\"");
	for (int i = 0; i < 100; i++)
		vm_drift_add(&drift, "a", "%0*d", 1000, i);
	assert_int_equal(drift.count, VM_DRIFT_MAX);
	body = vm_state_body(VM_DOMAIN_RUNNING, 1, &drift);
	assert_non_null(body);
	assert_non_null(strstr(body, "\"detail\":\"??b\\n\\\"\""));
	free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_definition_that_asks_gets_its_vgpu),
		cmocka_unit_test(a_running_vm_that_is_unknown_is_registered),
		cmocka_unit_test(what_ended_or_is_gone_is_said),
		cmocka_unit_test(metadata_against_what_is_registered),
		cmocka_unit_test(a_device_that_is_missing),
		cmocka_unit_test(what_runs_against_the_definition),
		cmocka_unit_test(drift_is_said_once),
		cmocka_unit_test(an_operators_vm_does_not_drift),
		cmocka_unit_test(what_is_hostile_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
