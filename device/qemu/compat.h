/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the QEMU versions that the device builds with, from 7.2 on. Include after
 * qemu/osdep.h.
 */
#ifndef VGPU_DEVICE_QEMU_COMPAT_H
#define VGPU_DEVICE_QEMU_COMPAT_H

#define VGPU_QEMU_AT_LEAST(major, minor)                                                           \
	(QEMU_VERSION_MAJOR > (major) ||                                                           \
	 (QEMU_VERSION_MAJOR == (major) && QEMU_VERSION_MINOR >= (minor)))

#if __has_include("hw/pci/pci_device.h")
#include "hw/pci/pci_device.h"
#else
#include "hw/pci/pci.h"
#endif
#if __has_include("hw/core/qdev-properties.h")
#include "hw/core/qdev-properties.h"
#else
#include "hw/qdev-properties.h"
#endif
#if __has_include("hw/core/resettable.h")
#include "hw/core/resettable.h"
#else
#include "hw/resettable.h"
#endif

/* Property tables became constant and lost their end marker. */
#if VGPU_QEMU_AT_LEAST(10, 0)
#define VGPU_QEMU_PROPERTIES static const Property
#define VGPU_QEMU_PROPERTIES_END
#else
#define VGPU_QEMU_PROPERTIES	 static Property
#define VGPU_QEMU_PROPERTIES_END DEFINE_PROP_END_OF_LIST(),
#endif

/* So did the data of class_init() and the list of interfaces. */
#if VGPU_QEMU_AT_LEAST(10, 1)
#define VGPU_QEMU_CLASS_DATA const void
#define VGPU_QEMU_INTERFACES static const InterfaceInfo
#else
#define VGPU_QEMU_CLASS_DATA void
#define VGPU_QEMU_INTERFACES static InterfaceInfo
#endif

/* A reset's hold phase learned the kind of reset. */
#if VGPU_QEMU_AT_LEAST(9, 1)
#define VGPU_QEMU_HOLD(name, object) void name(Object *object, ResetType type G_GNUC_UNUSED)
#else
#define VGPU_QEMU_HOLD(name, object) void name(Object *object)
#endif

#endif
