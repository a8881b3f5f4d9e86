/* SPDX-License-Identifier: Apache-2.0 */
#include "xml/tree.h"

#include <string.h>

static bool blank(const xmlNode *node)
{
	return node && node->type == XML_TEXT_NODE && xmlIsBlankNode(node);
}

static int no_memory(struct vgpu_error **err)
{
	return vgpu_error_set(err, ENOMEM, "out of memory");
}

bool tree_in(const xmlNode *node, const char *ns)
{
	if (node->type != XML_ELEMENT_NODE)
		return false;
	if (!ns)
		return !node->ns;
	return node->ns && node->ns->href && strcmp((const char *)node->ns->href, ns) == 0;
}

bool tree_is(const xmlNode *node, const char *ns, const char *name)
{
	return tree_in(node, ns) && strcmp((const char *)node->name, name) == 0;
}

xmlNode *tree_child(const xmlNode *parent, const char *ns, const char *name)
{
	for (xmlNode *node = parent ? parent->children : NULL; node; node = node->next)
		if (tree_is(node, ns, name))
			return node;
	return NULL;
}

xmlNode *tree_next(const xmlNode *node, const char *ns, const char *name)
{
	for (xmlNode *next = node->next; next; next = next->next)
		if (tree_is(next, ns, name))
			return next;
	return NULL;
}

xmlNode *tree_first_element(const xmlNode *parent)
{
	for (xmlNode *node = parent->children; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE)
			return node;
	return NULL;
}

xmlNode *tree_last_non_text(const xmlNode *parent)
{
	for (xmlNode *node = parent->last; node; node = node->prev)
		if (node->type != XML_TEXT_NODE)
			return node;
	return NULL;
}

int tree_attribute(const xmlNode *node, const char *name, xmlChar **value, struct vgpu_error **err)
{
	*value = NULL;
	if (!node || !xmlHasNsProp(node, BAD_CAST name, NULL))
		return 0;
	*value = xmlGetNoNsProp(node, BAD_CAST name);
	return *value ? 0 : no_memory(err);
}

int tree_text(const xmlNode *node, xmlChar **value, struct vgpu_error **err)
{
	*value = NULL;
	if (!node)
		return 0;
	*value = xmlNodeGetContent(node);
	return *value ? 0 : no_memory(err);
}

int tree_set_attribute(xmlNode *node, const char *name, const char *value, struct vgpu_error **err)
{
	if (!value) {
		xmlUnsetNsProp(node, NULL, BAD_CAST name);
		return 0;
	}
	return xmlSetNsProp(node, NULL, BAD_CAST name, BAD_CAST value) ? 0 : no_memory(err);
}

/* The line break and blanks before an element, where there is nothing else; or NULL. */
static const char *own_indentation(const xmlNode *element)
{
	const char *text;

	if (!blank(element->prev))
		return NULL;
	text = strrchr((const char *)element->prev->content, '\n');
	return text;
}

/* What to put in front of a new child of parent; NULL for nothing. Freed with free(). */
static char *child_indentation(const xmlNode *parent)
{
	const char *indentation = NULL;
	char *deeper = NULL;

	for (const xmlNode *node = parent->children; node && !indentation; node = node->next)
		if (node->type == XML_ELEMENT_NODE)
			indentation = own_indentation(node);
	if (indentation)
		return strdup(indentation);
	if (tree_first_element(parent))
		return NULL;
	indentation = parent->type == XML_ELEMENT_NODE ? own_indentation(parent) : NULL;
	if (!indentation || asprintf(&deeper, "%s  ", indentation) < 0)
		return NULL;
	return deeper;
}

int tree_insert(xmlNode *parent, xmlNode *after, xmlNs *ns, const char *name, const char *text,
		xmlNode **inserted, struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *indentation = child_indentation(parent);
	xmlNode *element = xmlNewDocNode(parent->doc, ns, BAD_CAST name, NULL);
	xmlNode *linked, *space;

	if (!element)
		return no_memory(err);
	if (after)
		linked = xmlAddNextSibling(after, element);
	else if (parent->children)
		linked = xmlAddPrevSibling(parent->children, element);
	else
		linked = xmlAddChild(parent, element);
	if (!linked) {
		xmlFreeNode(element);
		return no_memory(err);
	}
	if (indentation) {
		space = xmlNewDocText(parent->doc, BAD_CAST indentation);
		if (!space || !xmlAddPrevSibling(element, space)) {
			xmlFreeNode(space);
			return no_memory(err);
		}
	}
	*inserted = element;
	return text ? tree_set_text(element, text, err) : 0;
}

int tree_indent_end(xmlNode *element, struct vgpu_error **err)
{
	const char *indentation = own_indentation(element);
	xmlNode *space;

	if (!indentation || !element->children || element->last->type == XML_TEXT_NODE)
		return 0;
	space = xmlNewDocText(element->doc, BAD_CAST indentation);
	if (!space || !xmlAddChild(element, space)) {
		xmlFreeNode(space);
		return no_memory(err);
	}
	return 0;
}

void tree_remove(xmlNode *element)
{
	xmlNode *space = element->prev;

	if (blank(space)) {
		xmlUnlinkNode(space);
		xmlFreeNode(space);
	}
	xmlUnlinkNode(element);
	xmlFreeNode(element);
}

int tree_set_text(xmlNode *element, const char *text, struct vgpu_error **err)
{
	xmlNode *node;

	while (element->children) {
		node = element->children;
		xmlUnlinkNode(node);
		xmlFreeNode(node);
	}
	if (!*text)
		return 0;
	/* Not xmlNodeSetContent(), which reads entities in what it gets. */
	node = xmlNewDocText(element->doc, BAD_CAST text);
	if (!node || !xmlAddChild(element, node)) {
		xmlFreeNode(node);
		return no_memory(err);
	}
	return 0;
}

bool tree_is_blank(const xmlNode *element)
{
	for (const xmlNode *node = element->children; node; node = node->next)
		if (node->type != XML_COMMENT_NODE && !blank(node))
			return false;
	return true;
}
