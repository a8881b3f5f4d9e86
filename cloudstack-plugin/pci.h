/* SPDX-License-Identifier: Apache-2.0 */
/* PCI addresses, and what the kernel says of the cards that have them. */
#ifndef VGPU_CLOUDSTACK_PCI_H
#define VGPU_CLOUDSTACK_PCI_H

#include <stdbool.h>

#include <jansson.h>

#include "xml/domain.h"

#define PCI_TEXT sizeof("ffffffff:ff:ff.f")

/* Reads "0000:41:00.0", with more zeros in front, or without the domain. */
bool pci_read(const char *text, struct vgpu_domain_pci *pci);

/* Writes it as the kernel does: "0000:41:00.0". */
void pci_format(const struct vgpu_domain_pci *pci, char text[PCI_TEXT]);

/*
 * A card in the form that CloudStack's gpudiscovery.sh has, without devices of its own, from the
 * kernel's folder of PCI devices, which is /sys/bus/pci/devices but in tests. What the kernel does
 * not say is null. Returns it, which the caller owns; or NULL where there is no such card, or no
 * memory.
 */
json_t *pci_card(const char *sysfs, const struct vgpu_domain_pci *pci);

#endif
