/* SPDX-License-Identifier: Apache-2.0 */
/* The vGPU on a test VM's PCI bus, as firmware and a driver see it. */
#ifndef VGPU_TESTS_QEMU_PCI_H
#define VGPU_TESTS_QEMU_PCI_H

#include "tests/qemu/vm.h"

/* Where the tests put the BARs. */
#define BAR0_ADDRESS UINT64_C(0xe0000000)
#define BAR4_ADDRESS UINT64_C(0xe0100000)
#define BAR2_ADDRESS UINT64_C(0x1000000000)

struct pci_device {
	struct vm *vm;
	unsigned int bus, slot;
	unsigned int msix;    /* offset of the MSI-X capability */
	unsigned int express; /* of the PCI Express capability, 0 without */
	uint64_t registers, window, table, pending;
};

uint32_t pci_config_read(struct vm *vm, unsigned int bus, unsigned int slot, unsigned int offset);
void pci_config_write(struct vm *vm, unsigned int bus, unsigned int slot, unsigned int offset,
		      uint32_t value);

/* Finds the nth vGPU, from 0, on the bus. Returns whether there is one; touches no BAR. */
bool pci_find(struct vm *vm, unsigned int bus, unsigned int nth, struct pci_device *device);
/* As pci_find() with the first on bus 0, which must be there; also does pci_place(). */
void pci_bring_up(struct vm *vm, struct pci_device *device);
/* Gives the BARs their addresses (shifted for the nth device) and enables memory and bus master. */
void pci_place(struct pci_device *device, unsigned int nth);

uint32_t reg_read(const struct pci_device *device, unsigned int offset);
void reg_write(const struct pci_device *device, unsigned int offset, uint32_t value);
/* Reads a register until it has the value. */
void reg_wait(const struct pci_device *device, unsigned int offset, uint32_t value);

/* Enables MSI-X, all vectors masked. */
void msix_enable(const struct pci_device *device);
/* Aims a vector's message and unmasks it. */
void msix_aim(const struct pci_device *device, unsigned int vector, uint64_t address,
	      uint32_t data);
void msix_mask(const struct pci_device *device, unsigned int vector, bool masked);

/* Puts the bytes into REQUEST_BUF and REQUEST_LEN, and rings the doorbell. */
void mailbox_submit(const struct pci_device *device, const void *bytes, uint32_t length);

#endif
