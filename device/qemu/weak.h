/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every symbol of QEMU that the module uses, weak: where LD_PRELOAD reaches a process that is not
 * QEMU, ld.so then leaves them at zero rather than ending the process. A test preloads the module
 * into such a process with all symbols bound at once, so that none is forgotten here.
 */
#ifndef VGPU_DEVICE_QEMU_WEAK_H
#define VGPU_DEVICE_QEMU_WEAK_H

#pragma weak device_class_set_props
#pragma weak device_class_set_props_n
#pragma weak error_fatal
#pragma weak error_propagate
#pragma weak error_report
#pragma weak error_setg_errno_internal
#pragma weak error_setg_internal
#pragma weak event_notifier_init_fd
#pragma weak info_report
#pragma weak memory_region_add_eventfd
#pragma weak memory_region_del_eventfd
#pragma weak memory_region_init_io
#pragma weak memory_region_init_ram_from_fd
#pragma weak msix_enabled
#pragma weak msix_init_exclusive_bar
#pragma weak msix_notify
#pragma weak msix_present
#pragma weak msix_uninit_exclusive_bar
#pragma weak msix_unuse_all_vectors
#pragma weak msix_vector_use
#pragma weak object_class_dynamic_cast_assert
#pragma weak object_class_property_set_description
#pragma weak object_dynamic_cast_assert
#pragma weak object_ref
#pragma weak object_unref
#pragma weak pci_bus_is_express
#pragma weak pci_default_write_config
#pragma weak pci_register_bar
#pragma weak pcie_cap_exit
#pragma weak pcie_cap_flr_init
#pragma weak pcie_cap_flr_write_config
#pragma weak pcie_endpoint_cap_init
#pragma weak qdev_get_parent_bus
#pragma weak qdev_prop_size
#pragma weak qdev_prop_string
#pragma weak qemu_bh_delete
#pragma weak qemu_bh_new_full
#pragma weak qemu_bh_schedule
#pragma weak qemu_clock_get_ns
#pragma weak qemu_set_fd_handler
#pragma weak qmp_query_version
#pragma weak register_module_init
#pragma weak timer_del
#pragma weak timer_init_full
#pragma weak timer_mod_ns
#pragma weak type_register_static
#pragma weak warn_report

#endif
