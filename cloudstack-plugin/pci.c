/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/pci.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "xml/file.h"

#define VALUE_MAX 64

bool pci_read(const char *text, struct vgpu_domain_pci *pci)
{
	char end;

	if (sscanf(text, "%8x:%2x:%2x.%1x%c", &pci->domain, &pci->bus, &pci->slot, &pci->function,
		   &end) == 4)
		return true;
	pci->domain = 0;
	return sscanf(text, "%2x:%2x.%1x%c", &pci->bus, &pci->slot, &pci->function, &end) == 3;
}

void pci_format(const struct vgpu_domain_pci *pci, char text[PCI_TEXT])
{
	snprintf(text, PCI_TEXT, "%04x:%02x:%02x.%x", pci->domain, pci->bus & 0xff,
		 pci->slot & 0xff, pci->function & 0xf);
}

/* A hexadecimal number in a file of the card's, as it has it behind 0x; or "". */
static void read_hex(const char *card, const char *name, char value[VALUE_MAX])
{
	VGPU_AUTO_FREE char *path = NULL, *text = NULL;
	size_t length;

	value[0] = '\0';
	if (asprintf(&path, "%s/%s", card, name) < 0) {
		path = NULL;
		return;
	}
	if (file_read_path(path, VALUE_MAX - 1, &text, &length, NULL) < 0 || length < 3 ||
	    strncmp(text, "0x", 2) != 0)
		return;
	length = strspn(text + 2, "0123456789abcdef");
	memcpy(value, text + 2, length);
	value[length] = '\0';
}

/* The last part of where a link of the card's leads; or null. */
static json_t *read_link(const char *card, const char *name)
{
	VGPU_AUTO_FREE char *path = NULL;
	char target[PATH_MAX];
	const char *slash;
	ssize_t length;

	if (asprintf(&path, "%s/%s", card, name) < 0) {
		path = NULL;
		return json_null();
	}
	length = readlink(path, target, sizeof(target) - 1);
	if (length <= 0)
		return json_null();
	target[length] = '\0';
	slash = strrchr(target, '/');
	return json_string(slash ? slash + 1 : target);
}

json_t *pci_card(const char *sysfs, const struct vgpu_domain_pci *pci)
{
	char address[PCI_TEXT], vendor[VALUE_MAX], device[VALUE_MAX], class[VALUE_MAX];
	VGPU_AUTO_FREE char *card = NULL;

	pci_format(pci, address);
	if (asprintf(&card, "%s/%s", sysfs, address) < 0) {
		card = NULL;
		return NULL;
	}
	read_hex(card, "vendor", vendor);
	read_hex(card, "device", device);
	read_hex(card, "class", class);
	if (!vendor[0] || !device[0])
		return NULL;
	/* The last byte of the class is the programming interface. */
	class[strlen(class) < 4 ? strlen(class) : 4] = '\0';
	return json_pack("{s:s, s:s, s:s, s:s?, s:n, s:o, s:s?, s:o, s:s, s:n, s:n, s:n, s:n, s:n,"
			 " s:n, s:n}",
			 "pci_address", address, "vendor_id", vendor, "device_id", device, "vendor",
			 strcmp(vendor, "10de") == 0 ? "NVIDIA Corporation" : NULL, "device",
			 "driver", read_link(card, "driver"), "pci_class", class[0] ? class : NULL,
			 "iommu_group", read_link(card, "iommu_group"), "pci_root", address,
			 "numa_node", "sriov_totalvfs", "max_instances", "video_ram", "max_heads",
			 "max_resolution_x", "max_resolution_y");
}
