/* SPDX-License-Identifier: Apache-2.0 */
#include "xml/offering.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xml/document.h"
#include "xml/tree.h"

#define BLANKS " \t\r\n"

/* The one child of that name, whether it is in CloudStack's namespace or in none. */
static int one_child(const xmlNode *parent, const char *ns, const char *name, const xmlNode **child,
		     struct vgpu_error **err)
{
	*child = NULL;
	for (const xmlNode *node = parent ? parent->children : NULL; node; node = node->next) {
		if (!tree_is(node, OFFERING_NAMESPACE, name) && (ns || !tree_is(node, NULL, name)))
			continue;
		if (*child)
			return vgpu_error_set(err, EINVAL,
					      "CloudStack's metadata: more than one <%s>", name);
		*child = node;
	}
	return 0;
}

static int add_tag(struct offering_names *names, const char *text, size_t length,
		   struct vgpu_error **err)
{
	char **longer;

	if (length == 0)
		return 0;
	longer = reallocarray(names->tags, names->tag_count + 1, sizeof(*longer));
	if (!longer)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	names->tags = longer;
	longer[names->tag_count] = strndup(text, length);
	if (!longer[names->tag_count])
		return vgpu_error_set(err, ENOMEM, "out of memory");
	names->tag_count++;
	return 0;
}

/* Names between commas and blanks. */
static int add_tags(struct offering_names *names, const xmlNode *node, struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *text = NULL;
	const char *at;

	if (tree_text(node, &text, err) < 0)
		return -1;
	for (at = (const char *)text; at && *at; at += strspn(at, "," BLANKS)) {
		size_t length = strcspn(at, "," BLANKS);

		if (add_tag(names, at, length, err) < 0)
			return -1;
		at += length;
	}
	return 0;
}

/* Its text without blanks around it. */
static int read_name(struct offering_names *names, const xmlNode *node, struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *text = NULL;
	const char *begin;
	size_t length;

	if (tree_text(node, &text, err) < 0)
		return -1;
	if (!text)
		return 0;
	begin = (const char *)text + strspn((const char *)text, BLANKS);
	length = strlen(begin);
	while (length > 0 && strchr(BLANKS, begin[length - 1]))
		length--;
	if (length == 0)
		return 0;
	names->name = strndup(begin, length);
	return names->name ? 0 : vgpu_error_set(err, ENOMEM, "out of memory");
}

static int read_names(const struct vgpu_domain *domain, struct offering_names *names,
		      struct vgpu_error **err)
{
	const xmlNode *instance, *offering, *name, *tags;

	if (one_child(tree_child(domain->root, NULL, "metadata"), OFFERING_NAMESPACE, "instance",
		      &instance, err) < 0 ||
	    one_child(instance, NULL, "service_offering", &offering, err) < 0 ||
	    one_child(offering, NULL, "name", &name, err) < 0 ||
	    one_child(offering, NULL, "host_tags", &tags, err) < 0 ||
	    read_name(names, name, err) < 0)
		return -1;
	if (!tags || !tree_first_element(tags))
		return add_tags(names, tags, err);
	for (const xmlNode *tag = tags->children; tag; tag = tag->next)
		if (tag->type == XML_ELEMENT_NODE && add_tags(names, tag, err) < 0)
			return -1;
	return 0;
}

int offering_names_read(const struct vgpu_domain *domain, struct offering_names *names,
			struct vgpu_error **err)
{
	*names = (struct offering_names){ .name = NULL };
	return document_result(read_names(domain, names, err), err);
}

void offering_names_clear(struct offering_names *names)
{
	for (size_t i = 0; i < names->tag_count; i++)
		free(names->tags[i]);
	free(names->tags);
	free(names->name);
	*names = (struct offering_names){ .name = NULL };
}
