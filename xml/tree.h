/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elements of a document that keeps its white space. What is inserted carries at most one text in
 * front of it, an indentation, and always stands behind something that is no text (or at the very
 * front of its parent). So removing an element with the blank text before it undoes an insertion
 * exactly, also after the document was written and read in between.
 */
#ifndef VGPU_XML_TREE_H
#define VGPU_XML_TREE_H

#include <stdbool.h>

#include <libxml/tree.h>

#include "common/cleanup.h"
#include "common/error.h"

static inline void tree_cleanup_string(xmlChar **string)
{
	if (*string)
		xmlFree(*string);
}
#define TREE_AUTO_STRING VGPU_CLEANUP(tree_cleanup_string)

/* Whether node is an element in that namespace (NULL: none), and of that name. */
bool tree_in(const xmlNode *node, const char *ns);
bool tree_is(const xmlNode *node, const char *ns, const char *name);

/* The first such child element, or the next such sibling; NULL where there is none. */
xmlNode *tree_child(const xmlNode *parent, const char *ns, const char *name);
xmlNode *tree_next(const xmlNode *node, const char *ns, const char *name);

/* The first child element, or the last child that is no text. */
xmlNode *tree_first_element(const xmlNode *parent);
xmlNode *tree_last_non_text(const xmlNode *parent);

/*
 * The value of an attribute without namespace, or the text of an element, freed with xmlFree().
 * Returns 0, with *value NULL where there is no such attribute (or node is NULL); or -1 and err
 * (ENOMEM).
 */
int tree_attribute(const xmlNode *node, const char *name, xmlChar **value, struct vgpu_error **err);
int tree_text(const xmlNode *node, xmlChar **value, struct vgpu_error **err);

/* Sets an attribute, or removes it where value is NULL. */
int tree_set_attribute(xmlNode *node, const char *name, const char *value, struct vgpu_error **err);

/*
 * Makes an element in namespace ns, with text in it where that is not NULL, and inserts it behind
 * `after`, which is a child of parent and no text; NULL inserts it in front of everything.
 */
int tree_insert(xmlNode *parent, xmlNode *after, xmlNs *ns, const char *name, const char *text,
		xmlNode **inserted, struct vgpu_error **err);

/*
 * Puts the line break and indentation in that the end tag of an element needs once it has
 * children, where the element itself stands on its own line.
 */
int tree_indent_end(xmlNode *element, struct vgpu_error **err);

/* Removes an element and the blank text in front of it. */
void tree_remove(xmlNode *element);

/* Replaces what is in an element by text. */
int tree_set_text(xmlNode *element, const char *text, struct vgpu_error **err);

/* Whether there is nothing in an element but blank text and comments. */
bool tree_is_blank(const xmlNode *element);

#endif
