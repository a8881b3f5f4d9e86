/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a vGPU in sysfs; apart from the transport so that tests can look at it. */
#ifndef VGPU_GUEST_TRANSPORT_PCI_H
#define VGPU_GUEST_TRANSPORT_PCI_H

#include "guest-agent/transport.h"

#define PCI_ADDRESS_BYTES 13 /* "0000:00:05.0" and its terminator */

/* Whether the text is a PCI address in full, in lower-case hexadecimal. */
bool pci_address_ok(const char *text);

/* The lowest address of a vGPU under SYSFS/bus/pci/devices. */
enum vgpu_result pci_find(const char *sysfs, char address[PCI_ADDRESS_BYTES]);

/* The lowest one above `after`, "" for all: VGPU_E_NO_DEVICE where there are no more. */
enum vgpu_result pci_find_after(const char *sysfs, const char *after,
				char address[PCI_ADDRESS_BYTES]);

#endif
