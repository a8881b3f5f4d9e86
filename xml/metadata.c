/* SPDX-License-Identifier: Apache-2.0 */
#include "xml/metadata.h"

#include <string.h>

#include "xml/device_option.h"
#include "xml/quotas.h"

static const struct {
	const char *word;
	unsigned int flag;
} created_words[] = {
	{ "metadata", METADATA_CREATED_METADATA }, { "vgpu", METADATA_CREATED_VGPU },
	{ "profile", METADATA_CREATED_PROFILE },   { "uuid", METADATA_CREATED_UUID },
	{ "devices", METADATA_CREATED_DEVICES },   { "commandline", METADATA_CREATED_COMMANDLINE },
	{ "seat", METADATA_CREATED_SEAT },
};
#define CREATED_WORDS (sizeof(created_words) / sizeof(created_words[0]))

void metadata_clear(struct metadata *metadata)
{
	tree_cleanup_string(&metadata->wrapper);
	tree_cleanup_string(&metadata->emulator);
	*metadata = (struct metadata){ 0 };
}

const char *metadata_name_problem(const char *name, size_t size)
{
	if (!*name)
		return "is empty";
	if (strlen(name) >= size)
		return "is longer than 63 bytes";
	if (!xmlCheckUTF8(BAD_CAST name))
		return "is not UTF-8";
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return "has a control character";
	return NULL;
}

/* Copies a name from an attribute, "" where there is none. */
static int read_name(const xmlNode *element, const char *attribute, char *name, size_t size,
		     struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *value = NULL;
	const char *problem;

	name[0] = '\0';
	if (tree_attribute(element, attribute, &value, err) < 0)
		return -1;
	if (!value)
		return 0;
	problem = metadata_name_problem((const char *)value, size);
	if (problem)
		return vgpu_error_set(err, EINVAL, "vGPU metadata: %s \"%s\" %s", attribute,
				      (const char *)value, problem);
	strcpy(name, (const char *)value);
	return 0;
}

/* Copies one of a few words, "" where there is none. */
static int read_word(const xmlNode *element, const char *attribute, const char *const words[],
		     const char *choice, char *word, struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *value = NULL;

	word[0] = '\0';
	if (tree_attribute(element, attribute, &value, err) < 0)
		return -1;
	if (!value)
		return 0;
	for (; *words; words++)
		if (strcmp((const char *)value, *words) == 0) {
			strcpy(word, *words);
			return 0;
		}
	return vgpu_error_set(err, EINVAL, "vGPU metadata: %s \"%s\" is not %s", attribute,
			      (const char *)value, choice);
}

/* 0 where there is none. */
static int read_window_size(const xmlNode *element, uint64_t *bytes, struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *value = NULL;

	*bytes = 0;
	if (tree_attribute(element, "window-size", &value, err) < 0)
		return -1;
	if (value &&
	    (device_size_parse((const char *)value, bytes) < 0 || !device_window_size(*bytes)))
		return vgpu_error_set(
			err, EINVAL,
			"vGPU metadata: window-size \"%s\" is not " DEVICE_WINDOW_SIZES,
			(const char *)value);
	return 0;
}

static int read_seat(const xmlNode *element, char seat[VGPU_UUID_TEXT], struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *value = NULL;
	uint8_t uuid[16];

	seat[0] = '\0';
	if (tree_attribute(element, "seat", &value, err) < 0)
		return -1;
	if (!value)
		return 0;
	if (!document_read_uuid((const char *)value, uuid))
		return vgpu_error_set(err, EINVAL, "vGPU metadata: seat \"%s\" is not a UUID",
				      (const char *)value);
	vgpu_uuid_format(uuid, seat);
	return 0;
}

/* Whether an element has attributes of these names only; libxml2 keeps xmlns apart. */
static int check_attributes(const xmlNode *element, const char *const names[],
			    struct vgpu_error **err)
{
	for (const xmlAttr *attribute = element->properties; attribute;
	     attribute = attribute->next) {
		const char *const *name = names;

		while (*name && (attribute->ns || strcmp((const char *)attribute->name, *name)))
			name++;
		if (!*name)
			return vgpu_error_set(
				err, EINVAL, "vGPU metadata: <%s> has an unknown attribute \"%s\"",
				(const char *)element->name, (const char *)attribute->name);
	}
	return 0;
}

static int read_created(const xmlNode *attached, unsigned int *created, struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *value = NULL;
	char *rest = NULL, *word;

	*created = 0;
	if (tree_attribute(attached, "created", &value, err) < 0)
		return -1;
	if (!value)
		return 0;
	for (word = strtok_r((char *)value, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		size_t i = 0;

		while (i < CREATED_WORDS && strcmp(word, created_words[i].word) != 0)
			i++;
		if (i == CREATED_WORDS)
			return vgpu_error_set(
				err, EINVAL, "vGPU metadata: unknown word \"%s\" in created", word);
		*created |= created_words[i].flag;
	}
	return 0;
}

static int read_attached(struct metadata *metadata, struct vgpu_error **err)
{
	static const char *const names[] = { "wrapper", "emulator", "created", NULL };

	if (check_attributes(metadata->attached, names, err) < 0)
		return -1;
	if (!tree_is_blank(metadata->attached))
		return vgpu_error_set(err, EINVAL, "vGPU metadata: <attached> must be empty");
	if (tree_attribute(metadata->attached, "wrapper", &metadata->wrapper, err) < 0 ||
	    tree_attribute(metadata->attached, "emulator", &metadata->emulator, err) < 0)
		return -1;
	return read_created(metadata->attached, &metadata->created, err);
}

static int read_children(struct metadata *metadata, struct vgpu_error **err)
{
	for (xmlNode *node = metadata->element->children; node; node = node->next) {
		if (node->type == XML_COMMENT_NODE || xmlIsBlankNode(node))
			continue;
		if (tree_is(node, VGPU_DOMAIN_NAMESPACE, "quotas")) {
			if (metadata->quotas_element)
				return vgpu_error_set(err, EINVAL,
						      "vGPU metadata: more than one <quotas>");
			metadata->quotas_element = node;
			if (quotas_read(node, &metadata->quotas, err) < 0)
				return -1;
			continue;
		}
		if (!tree_is(node, VGPU_DOMAIN_NAMESPACE, "attached"))
			return vgpu_error_set(
				err, EINVAL, "vGPU metadata: unexpected %s%s%s in <vgpu>",
				node->type == XML_ELEMENT_NODE ? "<" : "", (const char *)node->name,
				node->type == XML_ELEMENT_NODE ? ">" : "");
		if (metadata->attached)
			return vgpu_error_set(err, EINVAL,
					      "vGPU metadata: more than one <attached>");
		metadata->attached = node;
	}
	return metadata->attached ? read_attached(metadata, err) : 0;
}

static int find_element(const struct vgpu_domain *domain, xmlNode **found, struct vgpu_error **err)
{
	xmlNode *metadata = tree_child(domain->root, NULL, "metadata");

	*found = NULL;
	if (metadata && tree_next(metadata, NULL, "metadata"))
		return vgpu_error_set(err, EINVAL,
				      "more than one <metadata>, of which libvirt keeps only the "
				      "first: put everything into that");
	for (xmlNode *node = metadata ? metadata->children : NULL; node; node = node->next) {
		if (!tree_in(node, VGPU_DOMAIN_NAMESPACE))
			continue;
		if (strcmp((const char *)node->name, "vgpu") != 0)
			return vgpu_error_set(err, EINVAL, "vGPU metadata: unknown element <%s>",
					      (const char *)node->name);
		if (*found)
			return vgpu_error_set(err, EINVAL, "vGPU metadata: more than one <vgpu>");
		*found = node;
	}
	return 0;
}

int metadata_read(const struct vgpu_domain *domain, struct metadata *metadata,
		  struct vgpu_error **err)
{
	static const char *const names[] = { "profile",	    "pool", "priority", "policy",
					     "window-size", "seat", NULL };
	static const char *const priorities[] = { "low", "medium", "high", NULL };
	static const char *const policies[] = { "required", "best-effort", NULL };

	*metadata = (struct metadata){ 0 };
	if (find_element(domain, &metadata->element, err) < 0)
		return -1;
	if (!metadata->element)
		return 0;
	if (check_attributes(metadata->element, names, err) < 0 ||
	    read_name(metadata->element, "profile", metadata->profile, sizeof(metadata->profile),
		      err) < 0 ||
	    read_name(metadata->element, "pool", metadata->pool, sizeof(metadata->pool), err) < 0 ||
	    read_word(metadata->element, "priority", priorities, "low, medium or high",
		      metadata->priority, err) < 0 ||
	    read_word(metadata->element, "policy", policies, "required or best-effort",
		      metadata->policy, err) < 0 ||
	    read_window_size(metadata->element, &metadata->window_size, err) < 0 ||
	    read_seat(metadata->element, metadata->seat, err) < 0)
		return -1;
	return read_children(metadata, err);
}

/* The element of a domain behind which libvirt prints <metadata>. */
static xmlNode *before_metadata(const struct vgpu_domain *domain)
{
	static const char *const names[] = { "name", "uuid", "genid", "title", "description" };
	xmlNode *last = NULL;

	for (xmlNode *node = domain->root->children; node; node = node->next)
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (tree_is(node, NULL, names[i]))
				last = node;
	return last;
}

static int create_element(struct vgpu_domain *domain, unsigned int *created, xmlNode **element,
			  struct vgpu_error **err)
{
	xmlNode *parent = tree_child(domain->root, NULL, "metadata");
	xmlNs *ns;

	if (!parent) {
		if (tree_insert(domain->root, before_metadata(domain), NULL, "metadata", NULL,
				&parent, err) < 0)
			return -1;
		*created |= METADATA_CREATED_METADATA;
	}
	if (tree_insert(parent, tree_last_non_text(parent), NULL, "vgpu", NULL, element, err) < 0)
		return -1;
	ns = xmlNewNs(*element, BAD_CAST VGPU_DOMAIN_NAMESPACE, BAD_CAST "vgpu");
	if (!ns)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	xmlSetNs(*element, ns);
	*created |= METADATA_CREATED_VGPU;
	return *created & METADATA_CREATED_METADATA ? tree_indent_end(parent, err) : 0;
}

int metadata_request(struct vgpu_domain *domain, struct metadata *metadata, const char *profile,
		     struct vgpu_error **err)
{
	const unsigned int ours = METADATA_CREATED_VGPU | METADATA_CREATED_PROFILE;
	const char *problem = metadata_name_problem(profile, sizeof(metadata->profile));
	unsigned int created = metadata->created;
	xmlNode *element = metadata->element;

	if (problem)
		return vgpu_error_set(err, EINVAL, "profile \"%s\" %s", profile, problem);
	if (element && strcmp(metadata->profile, profile) == 0)
		return 0;
	if (element && metadata->profile[0] && !(created & ours))
		return vgpu_error_set(err, EINVAL,
				      "the metadata asks for profile \"%s\", not \"%s\": change "
				      "it there",
				      metadata->profile, profile);
	if (!element) {
		if (create_element(domain, &created, &element, err) < 0)
			return -1;
	} else if (!metadata->profile[0] && !(created & METADATA_CREATED_VGPU)) {
		created |= METADATA_CREATED_PROFILE;
	}
	if (tree_set_attribute(element, "profile", profile, err) < 0)
		return -1;
	metadata->element = element;
	metadata->created = created;
	strcpy(metadata->profile, profile);
	return 0;
}

int metadata_seat(struct metadata *metadata, const uint8_t seat[16], struct vgpu_error **err)
{
	char text[VGPU_UUID_TEXT];

	vgpu_uuid_format(seat, text);
	if (strcmp(metadata->seat, text) == 0)
		return 0;
	if (metadata->seat[0] && !(metadata->created & METADATA_CREATED_SEAT))
		return vgpu_error_set(err, EINVAL,
				      "the metadata names seat %s, not %s: change it there",
				      metadata->seat, text);
	metadata->created |= METADATA_CREATED_SEAT;
	strcpy(metadata->seat, text);
	return tree_set_attribute(metadata->element, "seat", metadata->seat, err);
}

int metadata_note(struct metadata *metadata, struct vgpu_error **err)
{
	unsigned int created = metadata->created;
	char words[128] = "";

	for (size_t i = 0; i < CREATED_WORDS; i++)
		if (created & created_words[i].flag) {
			strcat(words, words[0] ? " " : "");
			strcat(words, created_words[i].word);
		}
	if (!metadata->attached) {
		if (tree_insert(metadata->element, tree_last_non_text(metadata->element),
				metadata->element->ns, "attached", NULL, &metadata->attached,
				err) < 0)
			return -1;
		if (created & METADATA_CREATED_VGPU && tree_indent_end(metadata->element, err) < 0)
			return -1;
	}
	if (tree_set_attribute(metadata->attached, "wrapper", (const char *)metadata->wrapper,
			       err) < 0 ||
	    tree_set_attribute(metadata->attached, "emulator", (const char *)metadata->emulator,
			       err) < 0)
		return -1;
	return tree_set_attribute(metadata->attached, "created", words[0] ? words : NULL, err);
}

int metadata_restore(struct vgpu_domain *domain, struct metadata *metadata, struct vgpu_error **err)
{
	xmlNode *parent = metadata->element ? metadata->element->parent : NULL;

	if (!parent)
		return 0;
	if (metadata->attached)
		tree_remove(metadata->attached);
	if (metadata->created & METADATA_CREATED_SEAT &&
	    tree_set_attribute(metadata->element, "seat", NULL, err) < 0)
		return -1;
	if (metadata->created & METADATA_CREATED_PROFILE &&
	    tree_set_attribute(metadata->element, "profile", NULL, err) < 0)
		return -1;
	if (metadata->created & METADATA_CREATED_VGPU)
		tree_remove(metadata->element);
	if (metadata->created & METADATA_CREATED_METADATA && parent->parent == domain->root &&
	    !tree_first_element(parent))
		tree_remove(parent);
	return 0;
}
