/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/running.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <jansson.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "cloudstack-plugin/pci.h"
#include "cloudstack-plugin/quiet.h"
#include "common/uuid.h"
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

static int add(json_t *devices, const char *device, const char *name)
{
	return json_object_set_new(devices, device, json_string(name));
}

/* The host's devices that it is given. Returns 0, or -1. */
static int add_hostdevs(const struct vgpu_domain *domain, const char *name, json_t *devices)
{
	VGPU_AUTO_FREE struct vgpu_domain_pci *pcis = NULL;
	VGPU_AUTO_FREE uint8_t(*mdevs)[16] = NULL;
	size_t mdev_count, pci_count;
	int status = 0;

	if (vgpu_domain_mdevs(domain, &mdevs, &mdev_count, NULL) < 0 ||
	    vgpu_domain_pcis(domain, &pcis, &pci_count, NULL) < 0)
		return -1;
	for (size_t i = 0; status == 0 && i < mdev_count; i++) {
		char uuid[VGPU_UUID_TEXT];

		vgpu_uuid_format(mdevs[i], uuid);
		status = add(devices, uuid, name);
	}
	for (size_t i = 0; status == 0 && i < pci_count; i++) {
		char address[PCI_TEXT];

		pci_format(&pcis[i], address);
		status = add(devices, address, name);
	}
	return status;
}

/* Returns 0, also where the domain has ended since it was listed; or -1. */
static int add_domain(virDomainPtr domain, json_t *devices)
{
	VGPU_AUTO_DOMAIN struct vgpu_domain *parsed = NULL;
	VGPU_AUTO_DOMAIN_INFO struct vgpu_domain_info info = { .slot = -1 };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE char *xml = virDomainGetXMLDesc(domain, 0);
	const char *name = virDomainGetName(domain);

	if (!xml)
		return is_gone() ? 0 : -1;
	if (vgpu_domain_parse(&parsed, xml, strlen(xml), &err) < 0) {
		quiet_say(LOG_WARNING, "discover: domain %s: %s", name, err->message);
		return 0;
	}
	/* One without a readable vGPU has no seat. */
	if (vgpu_domain_inspect(parsed, &info, &err) < 0)
		quiet_say(LOG_WARNING, "discover: domain %s: %s", name, err->message);
	else if (info.seat[0] && add(devices, info.seat, name) < 0)
		return -1;
	return add_hostdevs(parsed, name, devices);
}

static int print(virConnectPtr connection)
{
	virDomainPtr *domains = NULL;
	int count = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	json_t *devices = json_object();
	int status = count < 0 ? -1 : 0;

	for (int i = 0; i < count; i++) {
		if (status == 0)
			status = add_domain(domains[i], devices);
		virDomainFree(domains[i]);
	}
	free(domains);
	if (status == 0)
		status = json_dumpf(devices, stdout, JSON_COMPACT) < 0 || fflush(stdout) == EOF;
	json_decref(devices);
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
