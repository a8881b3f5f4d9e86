/* SPDX-License-Identifier: Apache-2.0 */
/* Putting the vGPU into a domain, and taking it out again. */
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/un.h>

#include "xml/address.h"
#include "xml/commandline.h"
#include "xml/metadata.h"

#define FOREIGN_DEVICE                                                                             \
	"the domain has a -device vgpu that vgpu-xml did not put there: remove it from "           \
	"<qemu:commandline> first"

/* An absolute path that can stand in an XML attribute and in QEMU's arguments. */
static int check_path(const char *what, const char *path, struct vgpu_error **err)
{
	if (path[0] != '/')
		return vgpu_error_set(err, EINVAL, "%s \"%s\" is not an absolute path", what, path);
	if (!xmlCheckUTF8(BAD_CAST path))
		return vgpu_error_set(err, EINVAL, "%s \"%s\" is not UTF-8", what, path);
	for (const char *c = path; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return vgpu_error_set(err, EINVAL, "%s \"%s\" has a control character",
					      what, path);
	return 0;
}

static int check_options(const struct vgpu_domain_options *options, struct vgpu_error **err)
{
	if (options->window_size && !device_window_size(options->window_size))
		return vgpu_error_set(err, EINVAL,
				      "window size %" PRIu64 " is not " DEVICE_WINDOW_SIZES,
				      options->window_size);
	if (options->link_dir && check_path("link directory", options->link_dir, err) < 0)
		return -1;
	if (options->emulator && check_path("emulator", options->emulator, err) < 0)
		return -1;
	return 0;
}

/* The domain's uuid, made from the options where there is none. */
static int ensure_uuid(struct vgpu_domain *domain, const struct vgpu_domain_options *options,
		       uint8_t uuid[16], unsigned int *created, struct vgpu_error **err)
{
	int found = document_uuid(domain, uuid, err);
	char text[VGPU_UUID_TEXT];
	xmlNode *element;

	if (found < 0)
		return -1;
	if (found) {
		if (options->uuid_must_match && memcmp(uuid, options->uuid, 16) != 0) {
			vgpu_uuid_format(uuid, text);
			return vgpu_error_set(err, EINVAL, "the domain has another uuid, %s", text);
		}
		return 0;
	}
	if (!options->uuid)
		return vgpu_error_set(err, EINVAL, "the domain has no uuid");
	memcpy(uuid, options->uuid, 16);
	vgpu_uuid_format(uuid, text);
	/* In front of everything: see remove_uuid(). */
	if (tree_insert(domain->root, NULL, NULL, "uuid", text, &element, err) < 0)
		return -1;
	*created |= METADATA_CREATED_UUID;
	return 0;
}

/*
 * A uuid that attach made stays once libvirt has the domain under it: without it, the next define
 * would be refused as a second domain of that name. Libvirt prints it behind the name, so one in
 * front of everything has not been through libvirt.
 */
static void remove_uuid(struct vgpu_domain *domain)
{
	xmlNode *first = tree_first_element(domain->root);

	if (first && tree_is(first, NULL, "uuid"))
		tree_remove(first);
}

/* Returns "DIR/UUID.sock" for free(), or NULL and err. */
static char *link_path(const struct vgpu_domain_options *options,
		       const struct device_option *present, const uint8_t uuid[16],
		       struct vgpu_error **err)
{
	const char *from = options->link_dir;
	char text[VGPU_UUID_TEXT];
	size_t length;
	char *path;

	if (!from && present && present->link && present->link[0] == '/') {
		from = present->link;
		length = (size_t)(strrchr(from, '/') - from);
	} else {
		from = from ? from : VGPU_LINK_DIR;
		length = strlen(from);
	}
	/* "/run/x/" and "/run/x" are one. */
	while (length > 0 && from[length - 1] == '/')
		length--;
	vgpu_uuid_format(uuid, text);
	if (length > INT_MAX || asprintf(&path, "%.*s/%s.sock", (int)length, from, text) < 0) {
		vgpu_error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	/* QEMU could read them; what else holds the path, as a security policy, need not. */
	if (strpbrk(path, "\"',\\")) {
		vgpu_error_set(err, EINVAL,
			       "link \"%s\" has a quote, a comma or a backslash: choose another "
			       "directory",
			       path);
		free(path);
		return NULL;
	}
	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
		vgpu_error_set(err, EINVAL,
			       "link \"%s\" is longer than a socket's path can be (%zu bytes): "
			       "choose a shorter directory",
			       path, sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
		free(path);
		return NULL;
	}
	return path;
}

/* The address that the vGPU has, where it can stay, or a new one. Returns 0, or -1 and err. */
static int choose_address(const struct vgpu_domain *domain, const struct machine *machine,
			  const struct commandline *commandline, struct address *address,
			  struct vgpu_error **err)
{
	const struct device_option *present = commandline->vgpu ? &commandline->vgpu->option : NULL;
	struct addresses addresses;

	if (address_used(domain, machine, commandline, &addresses, err) < 0)
		return -1;
	if (present && present->bus && strcmp(present->bus, machine->bus) == 0 &&
	    present->slot >= 0) {
		*address = (struct address){ present->slot, present->function };
		if (address_fits(&addresses, address))
			return 0;
	}
	return address_choose(&addresses, address, err);
}

/* The window's size: what is asked for, or what the vGPU has, or the default. Returns 0, or -1. */
static int choose_window(const struct vgpu_domain_options *options, const struct metadata *metadata,
			 const struct device_option *present, uint64_t *size,
			 struct vgpu_error **err)
{
	*size = VGPU_WINDOW_SIZE_DEFAULT;
	if (options->window_size && metadata->window_size &&
	    options->window_size != metadata->window_size)
		return vgpu_error_set(err, EINVAL,
				      "the metadata asks for a window of %" PRIu64
				      " bytes, not %" PRIu64 ": change it there",
				      metadata->window_size, options->window_size);
	if (options->window_size)
		*size = options->window_size;
	else if (metadata->window_size)
		*size = metadata->window_size;
	else if (present && present->window_size &&
		 (device_size_parse(present->window_size, size) < 0 || !device_window_size(*size)))
		return vgpu_error_set(err, EINVAL,
				      "the vGPU's window-size \"%s\" is not " DEVICE_WINDOW_SIZES
				      ": choose another",
				      present->window_size);
	return 0;
}

static int put_device(struct vgpu_domain *domain, const struct vgpu_domain_options *options,
		      const uint8_t uuid[16], const struct machine *machine,
		      struct commandline *commandline, struct metadata *metadata,
		      struct vgpu_error **err)
{
	const struct device_option *present = commandline->vgpu ? &commandline->vgpu->option : NULL;
	VGPU_AUTO_FREE char *link = link_path(options, present, uuid, err);
	VGPU_AUTO_FREE char *value = NULL;
	struct address address;
	bool made = false;
	uint64_t size;

	if (!link || choose_address(domain, machine, commandline, &address, err) < 0 ||
	    choose_window(options, metadata, present, &size, err) < 0)
		return -1;
	value = device_option_format(link, size, machine->bus, address.slot, address.function);
	if (!value)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	if (commandline->vgpu)
		return tree_set_attribute(commandline->vgpu->value, "value", value, err);
	if (commandline_add(domain, value, &made, err) < 0)
		return -1;
	if (made)
		metadata->created |= METADATA_CREATED_COMMANDLINE;
	return 0;
}

static bool same(const xmlChar *one, const char *other)
{
	return one && other && strcmp((const char *)one, other) == 0;
}

static int find_emulator(struct vgpu_domain *domain, unsigned int *created, xmlNode **emulator,
			 struct vgpu_error **err)
{
	xmlNode *devices = tree_child(domain->root, NULL, "devices");
	bool made = !devices;

	*emulator = document_emulator(domain);
	if (*emulator)
		return 0;
	if (made && tree_insert(domain->root, tree_last_non_text(domain->root), NULL, "devices",
				NULL, &devices, err) < 0)
		return -1;
	if (tree_insert(devices, NULL, NULL, "emulator", NULL, emulator, err) < 0)
		return -1;
	if (!made)
		return 0;
	*created |= METADATA_CREATED_DEVICES;
	return tree_indent_end(devices, err);
}

/*
 * Puts the wrapper in place of the emulator, and what was there into *metadata. An emulator that
 * somebody chose after the last attach is what the next detach puts back.
 */
static int put_emulator(struct vgpu_domain *domain, const struct vgpu_domain_options *options,
			struct metadata *metadata, struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *current = NULL, *wrapper = NULL;
	xmlNode *emulator = document_emulator(domain);

	if (options->emulator || !metadata->wrapper)
		wrapper =
			xmlStrdup(BAD_CAST(options->emulator ? options->emulator : VGPU_EMULATOR));
	else
		wrapper = xmlStrdup(metadata->wrapper);
	if (!wrapper)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	if (tree_text(emulator, &current, err) < 0)
		return -1;
	for (const xmlNode *node = emulator ? emulator->children : NULL; node; node = node->next)
		if (node->type != XML_TEXT_NODE)
			return vgpu_error_set(err, EINVAL, "<emulator> holds more than a path");
	if (find_emulator(domain, &metadata->created, &emulator, err) < 0)
		return -1;
	if (!same(current, (const char *)wrapper) &&
	    tree_set_text(emulator, (const char *)wrapper, err) < 0)
		return -1;
	if (!metadata->wrapper || (!same(current, (const char *)metadata->wrapper) &&
				   !same(current, (const char *)wrapper))) {
		tree_cleanup_string(&metadata->emulator);
		metadata->emulator = vgpu_steal_pointer(&current);
	}
	tree_cleanup_string(&metadata->wrapper);
	metadata->wrapper = vgpu_steal_pointer(&wrapper);
	return 0;
}

/* Whether a path ends in the name of a VM's link socket. */
static bool is_link(const char *path)
{
	const char *slash = strrchr(path, '/');
	char text[VGPU_UUID_TEXT];
	uint8_t uuid[16];

	if (!slash || strlen(slash + 1) != sizeof(text) - 1 + strlen(".sock") ||
	    strcmp(slash + sizeof(text), ".sock") != 0)
		return false;
	memcpy(text, slash + 1, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	return vgpu_uuid_parse(text, uuid) == 0;
}

/* Returns 1 where the vGPU is as attach writes it, in every byte; 0; or -1 and err. */
static int is_own(const struct commandline_device *device, struct vgpu_error **err)
{
	const struct device_option *option = &device->option;
	TREE_AUTO_STRING xmlChar *value = NULL;
	VGPU_AUTO_FREE char *own = NULL;
	uint64_t size;

	if (!option->link || !is_link(option->link) || !option->bus || option->slot < 0 ||
	    !option->window_size || device_size_parse(option->window_size, &size) < 0)
		return 0;
	if (tree_attribute(device->value, "value", &value, err) < 0)
		return -1;
	own = device_option_format(option->link, size, option->bus, option->slot, option->function);
	return own ? same(value, own) : vgpu_error_set(err, ENOMEM, "out of memory");
}

/*
 * Takes over a vGPU whose note is lost, as it is where `virsh metadata --set` replaces the element
 * with a new one, or --remove takes it away. What the emulator was before is lost with it: detach
 * leaves the choice to libvirt. A vGPU that is not attach's is refused.
 */
static int adopt(const struct vgpu_domain *domain, const struct commandline *commandline,
		 struct metadata *metadata, struct vgpu_error **err)
{
	static const char wrapper[] = VGPU_EMULATOR;
	TREE_AUTO_STRING xmlChar *current = NULL;
	const char *name;
	int own;

	if (metadata->attached || !commandline->vgpu)
		return 0;
	own = is_own(commandline->vgpu, err);
	if (own <= 0)
		return own < 0 ? -1 : vgpu_error_set(err, EINVAL, FOREIGN_DEVICE);
	metadata->created |= METADATA_CREATED_COMMANDLINE;
	if (tree_text(document_emulator(domain), &current, err) < 0)
		return -1;
	name = current ? strrchr((const char *)current, '/') : NULL;
	if (name && strcmp(name, strrchr(wrapper, '/')) == 0)
		metadata->wrapper = vgpu_steal_pointer(&current);
	return 0;
}

static int attach(struct vgpu_domain *domain, const struct vgpu_domain_options *options,
		  struct vgpu_error **err)
{
	METADATA_AUTO struct metadata metadata = { 0 };
	COMMANDLINE_AUTO struct commandline commandline = { 0 };
	struct machine machine;
	uint8_t uuid[16];

	if (check_options(options, err) < 0 || document_machine(domain, &machine, err) < 0 ||
	    metadata_read(domain, &metadata, err) < 0 ||
	    commandline_read(domain, &commandline, err) < 0 ||
	    adopt(domain, &commandline, &metadata, err) < 0)
		return -1;
	/* It would take the -device that is added behind it for its value. */
	if (commandline.incomplete)
		return vgpu_error_set(err, EINVAL,
				      "the last argument in <qemu:commandline> is a -device "
				      "without its value");
	if (!metadata.element && !options->profile)
		return vgpu_error_set(err, EINVAL,
				      "the metadata does not ask for a vGPU and no profile was "
				      "given: add <vgpu:vgpu xmlns:vgpu=\"" VGPU_DOMAIN_NAMESPACE
				      "\" profile=\"NAME\"/> to <metadata>, or use --profile NAME");
	if ((options->profile && metadata_request(domain, &metadata, options->profile, err) < 0) ||
	    (options->seat && metadata_seat(&metadata, options->seat, err) < 0) ||
	    ensure_uuid(domain, options, uuid, &metadata.created, err) < 0 ||
	    put_emulator(domain, options, &metadata, err) < 0 ||
	    put_device(domain, options, uuid, &machine, &commandline, &metadata, err) < 0)
		return -1;
	return metadata_note(&metadata, err);
}

int vgpu_domain_attach(struct vgpu_domain *domain, const struct vgpu_domain_options *options,
		       struct vgpu_error **err)
{
	return document_result(attach(domain, options, err), err);
}

static int detach(struct vgpu_domain *domain, struct vgpu_error **err)
{
	METADATA_AUTO struct metadata metadata = { 0 };
	COMMANDLINE_AUTO struct commandline commandline = { 0 };
	TREE_AUTO_STRING xmlChar *current = NULL;
	xmlNode *emulator = document_emulator(domain);

	if (metadata_read(domain, &metadata, err) < 0 ||
	    commandline_read(domain, &commandline, err) < 0 ||
	    adopt(domain, &commandline, &metadata, err) < 0 ||
	    tree_text(emulator, &current, err) < 0)
		return -1;
	if (commandline.vgpu)
		commandline_remove(commandline.vgpu,
				   metadata.created & METADATA_CREATED_COMMANDLINE);
	/* An emulator that somebody chose since stays. */
	if (metadata.wrapper && current && xmlStrEqual(current, metadata.wrapper)) {
		xmlNode *devices = emulator->parent;

		if (metadata.emulator) {
			if (tree_set_text(emulator, (const char *)metadata.emulator, err) < 0)
				return -1;
		} else {
			tree_remove(emulator);
			if (metadata.created & METADATA_CREATED_DEVICES &&
			    !tree_first_element(devices))
				tree_remove(devices);
		}
	}
	if (metadata.created & METADATA_CREATED_UUID)
		remove_uuid(domain);
	return metadata_restore(domain, &metadata, err);
}

int vgpu_domain_detach(struct vgpu_domain *domain, struct vgpu_error **err)
{
	return document_result(detach(domain, err), err);
}
