/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/running.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <jansson.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "cloudstack-plugin/quiet.h"
#include "xml/domain.h"

/* libvirt would print its errors on standard error. */
static void no_print(void *opaque, virErrorPtr error)
{
	(void)opaque;
	(void)error;
}

static bool is_gone(void)
{
	const virError *error = virGetLastError();

	return error && error->code == VIR_ERR_NO_DOMAIN;
}

/* Returns 0, also where the domain has ended since it was listed; or -1. */
static int add_domain(virDomainPtr domain, json_t *seats)
{
	VGPU_AUTO_DOMAIN struct vgpu_domain *parsed = NULL;
	VGPU_AUTO_DOMAIN_INFO struct vgpu_domain_info info = { .slot = -1 };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE char *xml = virDomainGetXMLDesc(domain, 0);

	if (!xml)
		return is_gone() ? 0 : -1;
	/* One without a readable vGPU has no seat. */
	if (vgpu_domain_parse(&parsed, xml, strlen(xml), &err) < 0 ||
	    vgpu_domain_inspect(parsed, &info, &err) < 0) {
		quiet_say(LOG_WARNING, "discover: domain %s: %s", virDomainGetName(domain),
			  err->message);
		return 0;
	}
	if (!info.seat[0])
		return 0;
	return json_object_set_new(seats, info.seat, json_string(virDomainGetName(domain)));
}

static int print(virConnectPtr connection)
{
	virDomainPtr *domains = NULL;
	int count = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	json_t *seats = json_object();
	int status = count < 0 ? -1 : 0;

	for (int i = 0; i < count; i++) {
		if (status == 0)
			status = add_domain(domains[i], seats);
		virDomainFree(domains[i]);
	}
	free(domains);
	if (status == 0)
		status = json_dumpf(seats, stdout, JSON_COMPACT) < 0 || fflush(stdout) == EOF;
	json_decref(seats);
	return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int running_print(const char *uri)
{
	virConnectPtr connection;
	int status;

	virSetErrorFunc(NULL, no_print);
	connection = virConnectOpenReadOnly(uri);
	if (!connection)
		return EXIT_FAILURE;
	status = print(connection);
	virConnectClose(connection);
	return status;
}
