/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is refused before the parser sees it. Libxml2 takes 30 times a document's size for elements
 * of a few bytes, and time that grows with the square of an element's attributes and of the
 * namespaces in scope; its own limits are on depth and on single texts. To be counted a document
 * has to be UTF-8, as all is that goes through libvirt's API.
 */
#ifndef VGPU_XML_LIMITS_H
#define VGPU_XML_LIMITS_H

#include <stddef.h>

#include "common/error.h"

/* Elements, attributes and comments; a domain with a thousand disks has about half. */
#define LIMITS_MARKUP_MAX ((size_t)65536)

#define LIMITS_ATTRIBUTES_MAX ((size_t)256) /* of one element */
#define LIMITS_NAMESPACES_MAX ((size_t)1024)

/*
 * Returns 0; or -1 and err (EFBIG: more than VGPU_DOMAIN_BYTES_MAX or the limits above; EINVAL: not
 * UTF-8, by what it declares or by its NUL bytes). What is not well-formed is the parser's to
 * refuse: as far as the parser reads, a document is within the limits.
 */
int limits_check(const char *xml, size_t length, struct vgpu_error **err);

#endif
