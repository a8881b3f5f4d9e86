/* SPDX-License-Identifier: Apache-2.0 */
/* The host's devices that a domain is given: mediated ones and those on its PCI buses. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xml/document.h"
#include "xml/tree.h"

static bool attribute_is(const xmlNode *node, const char *name, const char *wanted)
{
	TREE_AUTO_STRING xmlChar *value = NULL;

	return tree_attribute(node, name, &value, NULL) == 0 && value &&
	       strcmp((const char *)value, wanted) == 0;
}

/* The <source><address> of a <hostdev> of that type; or NULL. */
static const xmlNode *source_address(const xmlNode *node, const char *type)
{
	if (!tree_is(node, NULL, "hostdev") || !attribute_is(node, "mode", "subsystem") ||
	    !attribute_is(node, "type", type))
		return NULL;
	return tree_child(tree_child(node, NULL, "source"), NULL, "address");
}

/* What a node is read as: returns 1 and its value; 0 where it is none; or -1 and err (ENOMEM). */
typedef int read_function(const xmlNode *node, void *value, struct vgpu_error **err);

static int read_mdev(const xmlNode *node, void *uuid, struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *text = NULL;

	if (tree_attribute(source_address(node, "mdev"), "uuid", &text, err) < 0)
		return -1;
	return text && document_read_uuid((const char *)text, uuid);
}

/* A number as libvirt reads it. Returns as a read_function. */
static int read_number(const xmlNode *address, const char *name, unsigned int *number,
		       struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *value = NULL;
	unsigned long read;
	char *end;

	*number = 0;
	if (tree_attribute(address, name, &value, err) < 0)
		return -1;
	if (!value)
		return strcmp(name, "domain") == 0;
	errno = 0;
	read = strtoul((const char *)value, &end, 0);
	*number = (unsigned int)read;
	return !errno && end != (const char *)value && !*end && read <= 0xffff;
}

static int read_pci(const xmlNode *node, void *value, struct vgpu_error **err)
{
	const xmlNode *address = source_address(node, "pci");
	struct vgpu_domain_pci *pci = value;
	int read = address != NULL;

	if (read == 1)
		read = read_number(address, "domain", &pci->domain, err);
	if (read == 1)
		read = read_number(address, "bus", &pci->bus, err);
	if (read == 1)
		read = read_number(address, "slot", &pci->slot, err);
	if (read == 1)
		read = read_number(address, "function", &pci->function, err);
	return read;
}

/* The first child of the first <devices>, or what follows a node, also in the next <devices>. */
static xmlNode *next_device(const struct vgpu_domain *domain, xmlNode *devices, xmlNode *next)
{
	while (!next) {
		devices = devices ? tree_next(devices, NULL, "devices")
				  : tree_child(domain->root, NULL, "devices");
		if (!devices)
			return NULL;
		next = devices->children;
	}
	return next;
}

/* The values, of `size` bytes each, of all devices that read as one. Returns 0, or -1 and err. */
static int collect(const struct vgpu_domain *domain, read_function *read, size_t size, void **list,
		   size_t *count, struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *values = NULL;
	size_t room = 0;

	*count = 0;
	for (xmlNode *node = next_device(domain, NULL, NULL); node;
	     node = next_device(domain, node->parent, node->next)) {
		int found;

		if (*count == room) {
			char *longer = reallocarray(values, room ? 2 * room : 8, size);

			if (!longer)
				return vgpu_error_set(err, ENOMEM, "out of memory");
			values = longer;
			room = room ? 2 * room : 8;
		}
		found = read(node, values + *count * size, err);
		if (found < 0)
			return -1;
		*count += (size_t)found;
	}
	*list = vgpu_steal_pointer(&values);
	return 0;
}

int vgpu_domain_mdevs(const struct vgpu_domain *domain, uint8_t (**uuids)[16], size_t *count,
		      struct vgpu_error **err)
{
	void *list = NULL;
	int status = collect(domain, read_mdev, sizeof(**uuids), &list, count, err);

	*uuids = list;
	return status;
}

int vgpu_domain_pcis(const struct vgpu_domain *domain, struct vgpu_domain_pci **addresses,
		     size_t *count, struct vgpu_error **err)
{
	void *list = NULL;
	int status = collect(domain, read_pci, sizeof(**addresses), &list, count, err);

	*addresses = list;
	return status;
}

int vgpu_domain_remove_mdev(struct vgpu_domain *domain, const uint8_t uuid[16],
			    struct vgpu_error **err)
{
	xmlNode *next;

	for (xmlNode *node = next_device(domain, NULL, NULL); node; node = next) {
		uint8_t its[16];
		int found = read_mdev(node, its, err);

		if (found < 0)
			return -1;
		next = next_device(domain, node->parent, node->next);
		if (found && memcmp(its, uuid, sizeof(its)) == 0)
			tree_remove(node);
	}
	return 0;
}
