/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments in a domain's <qemu:commandline>, whatever prefix the document binds. */
#ifndef VGPU_XML_COMMANDLINE_H
#define VGPU_XML_COMMANDLINE_H

#include "xml/device_option.h"
#include "xml/document.h"

#define COMMANDLINE_NAMESPACE "http://libvirt.org/schemas/domain/qemu/1.0"

/* One -device and its value. */
struct commandline_device {
	xmlNode *flag;	/* <arg value="-device"/> */
	xmlNode *value; /* the <arg> behind it */
	struct device_option option;
};

struct commandline {
	struct commandline_device *devices;
	size_t count;
	struct commandline_device *vgpu; /* in devices, or NULL */
	bool incomplete;		 /* the last argument is a -device without a value */
};

void commandline_clear(struct commandline *commandline);
#define COMMANDLINE_AUTO VGPU_CLEANUP(commandline_clear)

/*
 * Collects the devices, over several <qemu:commandline> as libvirt does. The caller clears
 * *commandline in either case. Returns 0, or -1 and err (EINVAL: several vGPUs; ENOMEM).
 */
int commandline_read(const struct vgpu_domain *domain, struct commandline *commandline,
		     struct vgpu_error **err);

/*
 * Adds -device with that value behind all other arguments. *created becomes true where there was
 * no <qemu:commandline> and one was made. Returns 0, or -1 and err (ENOMEM).
 */
int commandline_add(struct vgpu_domain *domain, const char *value, bool *created,
		    struct vgpu_error **err);

/* Removes a device, and where `created`, <qemu:commandline> if nothing is left in it. */
void commandline_remove(struct commandline_device *device, bool created);

#endif
