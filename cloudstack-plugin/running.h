/* SPDX-License-Identifier: Apache-2.0 */
/* Which running domain has which of the host's devices: libvirt knows. */
#ifndef VGPU_CLOUDSTACK_RUNNING_H
#define VGPU_CLOUDSTACK_RUNNING_H

/*
 * Asks libvirt, on a read-only connection, and prints a JSON object on standard output: the names
 * of the running domains, under the uuids of their seats and mediated devices and the PCI addresses
 * of their hostdevs. Waits for libvirt, however long. Returns an exit status: 0 where libvirt said
 * it all.
 */
int running_print(const char *uri);

#endif
