/* SPDX-License-Identifier: Apache-2.0 */
/* Mediated devices: what CloudStack writes for a GPU that is none of its own to pass through. */
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

/* Returns 1 where the node is a mediated device, and its uuid; 0; or -1 and err (ENOMEM). */
static int read_mdev(const xmlNode *node, uint8_t uuid[16], struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *text = NULL;
	const xmlNode *source;

	if (!tree_is(node, NULL, "hostdev") || !attribute_is(node, "mode", "subsystem") ||
	    !attribute_is(node, "type", "mdev"))
		return 0;
	source = tree_child(node, NULL, "source");
	if (tree_attribute(tree_child(source, NULL, "address"), "uuid", &text, err) < 0)
		return -1;
	return text && document_read_uuid((const char *)text, uuid);
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

int vgpu_domain_mdevs(const struct vgpu_domain *domain, uint8_t (**uuids)[16], size_t *count,
		      struct vgpu_error **err)
{
	uint8_t(*list)[16] = NULL;
	size_t n = 0, room = 0;

	for (xmlNode *node = next_device(domain, NULL, NULL); node;
	     node = next_device(domain, node->parent, node->next)) {
		uint8_t(*longer)[16];
		uint8_t uuid[16];
		int found = read_mdev(node, uuid, err);

		if (found < 0) {
			free(list);
			return -1;
		}
		if (!found)
			continue;
		if (n == room) {
			room = room ? 2 * room : 8;
			longer = reallocarray(list, room, sizeof(*list));
			if (!longer) {
				free(list);
				return vgpu_error_set(err, ENOMEM, "out of memory");
			}
			list = longer;
		}
		memcpy(list[n++], uuid, sizeof(uuid));
	}
	*uuids = list;
	*count = n;
	return 0;
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
