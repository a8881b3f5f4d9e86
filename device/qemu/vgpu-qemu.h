/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VGPU_DEVICE_QEMU_H
#define VGPU_DEVICE_QEMU_H

/* Makes the type "vgpu" known to QEMU. Called once, when QEMU initialises its object types. */
void vgpu_qemu_register_types(void);

#endif
