/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vGPU as a QEMU device: PCI, MSI-X, properties, timers and descriptors around the device core,
 * which decides everything that a guest or a mediator can observe. docs/device-spec.md specifies
 * the device; device/core.h the core.
 *
 * Everything here runs under QEMU's big lock.
 *
 * The core must not be re-entered, and a guest chooses where its MSI-X messages go: to the device's
 * own registers, to the configuration space (a function-level reset), even to the slot's control
 * register (an unplug). So no message is sent from within a call into the core: the core's wish is
 * noted, and a bottom half sends it from the main loop.
 */
#include "qemu/osdep.h"

#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/event_notifier.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "migration/vmstate.h"
#include "hw/pci/msix.h"
#include "hw/pci/pcie.h"
#include "qom/object.h"

#include "device/qemu/compat.h"
#ifdef VGPU_QEMU_MODULE
#include "device/qemu/weak.h"
#endif
#include "device/qemu/vgpu-qemu.h"

#include "common/error.h"
#include "common/log.h"
#include "common/protocol.h"
#include "device/core.h"

#define TYPE_VGPU "vgpu"
OBJECT_DECLARE_SIMPLE_TYPE(VgpuDevice, VGPU)

/* Where the PCI Express capability stands; MSI-X goes where there is room. */
#define VGPU_EXPRESS_OFFSET 0x80

/* What a channel has of QEMU while it is open. */
typedef struct VgpuChannel {
	VgpuDevice *device;
	EventNotifier doorbell; /* around the core's descriptor */
	bool hooked;		/* the doorbell's register rings it */
	int completion;		/* the core's descriptor, watched; or -1 */
} VgpuChannel;

struct VgpuDevice {
	PCIDevice parent_obj;

	char *link;
	uint64_t window_size;

	struct vgpu_core *core; /* NULL while the device is not realized */
	MemoryRegion registers;
	MemoryRegion window;
	QEMUTimer timer;
	QEMUBH *deliver;
	uint64_t pending_vectors; /* what `deliver` is to send */
	int link_fd;		  /* the core's, or -1 */
	VgpuChannel channels[VGPU_CHANNELS_MAX];
};

QEMU_BUILD_BUG_ON(VGPU_MSIX_VECTORS > 64);

static void vgpu_deliver(void *opaque)
{
	VgpuDevice *s = opaque;
	PCIDevice *pci = PCI_DEVICE(s);
	uint64_t vectors = s->pending_vectors;

	/* A message may unplug the device, and one that makes the core wish another waits its turn.
	 */
	object_ref(OBJECT(s));
	s->pending_vectors = 0;
	for (unsigned int vector = 0; vector < VGPU_MSIX_VECTORS && s->core; vector++)
		if ((vectors & (UINT64_C(1) << vector)) && msix_enabled(pci))
			msix_notify(pci, vector);
	object_unref(OBJECT(s));
}

static void vgpu_op_interrupt(void *opaque, unsigned int vector)
{
	VgpuDevice *s = opaque;

	if (vector >= VGPU_MSIX_VECTORS)
		return;
	s->pending_vectors |= UINT64_C(1) << vector;
	qemu_bh_schedule(s->deliver);
}

static int64_t vgpu_op_now_ns(void *opaque)
{
	(void)opaque;
	/* Monotonic, and runs while the VM is stopped: the link has a life of its own. */
	return qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
}

static void vgpu_link_readable(void *opaque)
{
	VgpuDevice *s = opaque;

	vgpu_core_link_ready(s->core, true, false);
}

static void vgpu_link_writable(void *opaque)
{
	VgpuDevice *s = opaque;

	vgpu_core_link_ready(s->core, false, true);
}

static void vgpu_op_watch(void *opaque, int fd, bool read, bool write)
{
	VgpuDevice *s = opaque;

	if (s->link_fd >= 0 && s->link_fd != fd)
		qemu_set_fd_handler(s->link_fd, NULL, NULL, NULL);
	s->link_fd = fd;
	if (fd >= 0)
		qemu_set_fd_handler(fd, read ? vgpu_link_readable : NULL,
				    write ? vgpu_link_writable : NULL, s);
}

static void vgpu_timer(void *opaque)
{
	VgpuDevice *s = opaque;

	vgpu_core_timer(s->core);
}

static void vgpu_op_timer(void *opaque, int64_t deadline_ns)
{
	VgpuDevice *s = opaque;

	if (deadline_ns < 0)
		timer_del(&s->timer);
	else
		timer_mod_ns(&s->timer, deadline_ns);
}

static void vgpu_op_log(void *opaque, int level, const char *line)
{
	VgpuDevice *s = opaque;
	const char *id = DEVICE(s)->id ? DEVICE(s)->id : TYPE_VGPU;

	if (level <= VGPU_LOG_ERROR)
		error_report("%s: %s", id, line);
	else if (level <= VGPU_LOG_WARNING)
		warn_report("%s: %s", id, line);
	else if (level <= VGPU_LOG_INFO)
		info_report("%s: %s", id, line);
}

/*
 * With KVM the kernel itself then writes the eventfd; without, QEMU does, before it would come to
 * vgpu_register_write(). Writes of another size than 4 go to the core as before.
 */
static void vgpu_op_doorbell(void *opaque, unsigned int channel, int fd)
{
	VgpuDevice *s = opaque;
	VgpuChannel *c = &s->channels[channel];
	hwaddr address = VGPU_REG_CHANNEL_DOORBELL(channel);

	if (c->hooked)
		memory_region_del_eventfd(&s->registers, address, 4, false, 0, &c->doorbell);
	c->hooked = fd >= 0;
	if (!c->hooked)
		return;
	event_notifier_init_fd(&c->doorbell, fd);
	memory_region_add_eventfd(&s->registers, address, 4, false, 0, &c->doorbell);
}

static void vgpu_completion(void *opaque)
{
	VgpuChannel *c = opaque;

	vgpu_core_completion(c->device->core, (unsigned int)(c - c->device->channels));
}

/*
 * The message goes through the main loop, whether or not KVM is there. An irqfd (msix_vector_use
 * notifiers and kvm_irqchip_add_irqfd_notifier) would take this place.
 */
static void vgpu_op_completion(void *opaque, unsigned int channel, int fd)
{
	VgpuDevice *s = opaque;
	VgpuChannel *c = &s->channels[channel];

	if (c->completion >= 0 && c->completion != fd)
		qemu_set_fd_handler(c->completion, NULL, NULL, NULL);
	c->completion = fd;
	if (fd >= 0)
		qemu_set_fd_handler(fd, vgpu_completion, NULL, c);
}

static const struct vgpu_core_ops vgpu_ops = {
	.interrupt = vgpu_op_interrupt,
	.now_ns = vgpu_op_now_ns,
	.watch = vgpu_op_watch,
	.timer = vgpu_op_timer,
	.log = vgpu_op_log,
	.doorbell = vgpu_op_doorbell,
	.completion = vgpu_op_completion,
};

static uint64_t vgpu_register_read(void *opaque, hwaddr offset, unsigned int size)
{
	VgpuDevice *s = opaque;

	/* An access that had found its region before the device was unplugged. */
	if (!s->core)
		return 0;
	return vgpu_core_read(s->core, offset, size);
}

static void vgpu_register_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size)
{
	VgpuDevice *s = opaque;

	if (s->core)
		vgpu_core_write(s->core, offset, value, size);
}

/* Every size and alignment reaches the core, which alone decides what an access does. */
static const MemoryRegionOps vgpu_register_ops = {
	.read = vgpu_register_read,
	.write = vgpu_register_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
	.impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

/* Maps the core's memfd as BAR2's memory. */
static bool vgpu_make_window(VgpuDevice *s, Error **errp)
{
	ERRP_GUARD();
	/* QEMU closes the descriptor with the memory region. */
	int fd = fcntl(vgpu_core_window_fd(s->core), F_DUPFD_CLOEXEC, 3);

	if (fd < 0) {
		error_setg_errno(errp, errno, "cannot duplicate the window's descriptor");
		return false;
	}
	memory_region_init_ram_from_fd(&s->window, OBJECT(s), "vgpu-window", s->window_size,
				       RAM_SHARED, fd, 0, errp);
	if (*errp) {
		close(fd);
		return false;
	}
	return true;
}

static void vgpu_exit(PCIDevice *pci)
{
	VgpuDevice *s = VGPU(pci);

	/* Undoes all that its operations did: doorbells, descriptors in the main loop. */
	vgpu_core_free(&s->core);
	vgpu_op_watch(s, -1, false, false);
	timer_del(&s->timer);
	if (s->deliver) {
		qemu_bh_delete(s->deliver);
		s->deliver = NULL;
	}
	s->pending_vectors = 0;
	if (msix_present(pci)) {
		msix_unuse_all_vectors(pci);
		msix_uninit_exclusive_bar(pci);
	}
	if (pci_is_express(pci) && pci->exp.exp_cap)
		pcie_cap_exit(pci);
}

static void vgpu_realize(PCIDevice *pci, Error **errp)
{
	VgpuDevice *s = VGPU(pci);
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (!s->link) {
		error_setg(errp, "property 'link' is required: the path of the mediator's link "
				 "socket for this VM");
		return;
	}

	timer_init_ns(&s->timer, QEMU_CLOCK_REALTIME, vgpu_timer, s);
	s->deliver = qemu_bh_new(vgpu_deliver, s);

	const struct vgpu_core_config config = {
		.link_path = s->link,
		.window_bytes = s->window_size,
		.vectors = VGPU_MSIX_VECTORS,
	};
	if (vgpu_core_new(&config, &vgpu_ops, s, &s->core, &err) < 0) {
		error_setg(errp, "%s", err->message);
		goto fail;
	}
	if (!vgpu_make_window(s, errp))
		goto fail;
	memory_region_init_io(&s->registers, OBJECT(s), &vgpu_register_ops, s, "vgpu-registers",
			      VGPU_BAR0_SIZE);

	if (pci_bus_is_express(pci_get_bus(pci))) {
		if (pcie_endpoint_cap_init(pci, VGPU_EXPRESS_OFFSET) < 0) {
			error_setg(errp, "cannot add the PCI Express capability");
			goto fail;
		}
		pcie_cap_flr_init(pci);
	}
	if (msix_init_exclusive_bar(pci, VGPU_MSIX_VECTORS, VGPU_BAR_MSIX, errp) < 0)
		goto fail;
	for (unsigned int vector = 0; vector < VGPU_MSIX_VECTORS; vector++)
		msix_vector_use(pci, vector);

	pci_register_bar(pci, VGPU_BAR_REGISTERS, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->registers);
	pci_register_bar(pci, VGPU_BAR_WINDOW,
			 PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_TYPE_64 |
				 PCI_BASE_ADDRESS_MEM_PREFETCH,
			 &s->window);
	return;

fail:
	vgpu_exit(pci);
}

static void vgpu_write_config(PCIDevice *pci, uint32_t address, uint32_t value, int length)
{
	pci_default_write_config(pci, address, value, length);
	if (pci_is_express(pci) && pci->exp.exp_cap)
		pcie_cap_flr_write_config(pci, address, value, length);
}

static VGPU_QEMU_HOLD(vgpu_reset_hold, object)
{
	VgpuDevice *s = VGPU(object);

	if (!s->core)
		return;
	s->pending_vectors = 0;
	vgpu_core_reset(s->core);
}

static void vgpu_instance_init(Object *object)
{
	VgpuDevice *s = VGPU(object);

	s->link_fd = -1;
	for (unsigned int channel = 0; channel < VGPU_CHANNELS_MAX; channel++) {
		s->channels[channel].device = s;
		s->channels[channel].completion = -1;
	}
	/* A PCI Express device where its bus is one, a conventional one elsewhere. */
	PCI_DEVICE(object)->cap_present |= QEMU_PCI_CAP_EXPRESS;
}

VGPU_QEMU_PROPERTIES vgpu_properties[] = { DEFINE_PROP_STRING("link", VgpuDevice, link),
					   DEFINE_PROP_SIZE("window-size", VgpuDevice, window_size,
							    VGPU_WINDOW_SIZE_DEFAULT),
					   VGPU_QEMU_PROPERTIES_END };

/* What a tenant holds on a GPU cannot be carried to another host. */
static const VMStateDescription vgpu_vmstate = {
	.name = TYPE_VGPU,
	.unmigratable = 1,
};

static void vgpu_class_init(ObjectClass *class, VGPU_QEMU_CLASS_DATA *data)
{
	DeviceClass *device = DEVICE_CLASS(class);
	PCIDeviceClass *pci = PCI_DEVICE_CLASS(class);

	(void)data;
	pci->realize = vgpu_realize;
	pci->exit = vgpu_exit;
	pci->config_write = vgpu_write_config;
	pci->vendor_id = VGPU_PCI_VENDOR_ID;
	pci->device_id = VGPU_PCI_DEVICE_ID;
	pci->revision = VGPU_PCI_REVISION;
	pci->class_id = VGPU_PCI_CLASS;
	device->desc = "vGPU: a share of the host's GPUs, through a mediator";
	device->vmsd = &vgpu_vmstate;
	device->user_creatable = true;
	RESETTABLE_CLASS(class)->phases.hold = vgpu_reset_hold;
	device_class_set_props(device, vgpu_properties);
	object_class_property_set_description(class, "link",
					      "path of the mediator's link socket for this VM");
	object_class_property_set_description(class, "window-size",
					      "bytes of shared memory in BAR2: a power of two");
	set_bit(DEVICE_CATEGORY_MISC, device->categories);
}

void vgpu_qemu_register_types(void)
{
	VGPU_QEMU_INTERFACES interfaces[] = {
		{ INTERFACE_PCIE_DEVICE },
		{ INTERFACE_CONVENTIONAL_PCI_DEVICE },
		{},
	};
	static const TypeInfo type = {
		.name = TYPE_VGPU,
		.parent = TYPE_PCI_DEVICE,
		.instance_size = sizeof(VgpuDevice),
		.instance_init = vgpu_instance_init,
		.class_init = vgpu_class_init,
		.interfaces = interfaces,
	};

	type_register_static(&type);
}

#ifndef VGPU_QEMU_MODULE
type_init(vgpu_qemu_register_types)
#endif
