/* SPDX-License-Identifier: Apache-2.0 */
/* What a domain's document says about its vGPU, and whether it fits together. */
#include <inttypes.h>
#include <string.h>

#include "xml/address.h"
#include "xml/commandline.h"
#include "xml/metadata.h"

void vgpu_domain_info_clear(struct vgpu_domain_info *info)
{
	free(info->name);
	free(info->emulator);
	free(info->original_emulator);
	free(info->link);
	free(info->bus);
	*info = (struct vgpu_domain_info){ .slot = -1 };
}

/* Copies where there is something to copy; what libxml2 allocates has its own free. */
static int copy(char **to, const char *from, struct vgpu_error **err)
{
	if (!from)
		return 0;
	*to = strdup(from);
	return *to ? 0 : vgpu_error_set(err, ENOMEM, "out of memory");
}

static enum vgpu_domain_state state_of(const struct metadata *metadata,
				       const struct commandline *commandline)
{
	if (metadata->element)
		return commandline->vgpu ? VGPU_DOMAIN_ATTACHED : VGPU_DOMAIN_REQUESTED;
	return commandline->vgpu ? VGPU_DOMAIN_FOREIGN : VGPU_DOMAIN_NONE;
}

static int copy_element(const xmlNode *element, char **to, struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *text = NULL;

	return tree_text(element, &text, err) < 0 ? -1 : copy(to, (const char *)text, err);
}

static int copy_device(const struct commandline *commandline, struct vgpu_domain_info *info,
		       struct vgpu_error **err)
{
	const struct device_option *option;

	if (!commandline->vgpu)
		return 0;
	option = &commandline->vgpu->option;
	info->slot = option->slot;
	info->function = option->function;
	if (option->window_size && device_size_parse(option->window_size, &info->window_size) < 0)
		info->window_size = 0;
	return copy(&info->link, option->link, err) < 0 ? -1 : copy(&info->bus, option->bus, err);
}

static int inspect(const struct vgpu_domain *domain, struct vgpu_domain_info *info,
		   struct vgpu_error **err)
{
	METADATA_AUTO struct metadata metadata = { 0 };
	COMMANDLINE_AUTO struct commandline commandline = { 0 };
	uint8_t uuid[16];
	int found;

	*info = (struct vgpu_domain_info){ .slot = -1 };
	if (metadata_read(domain, &metadata, err) < 0 ||
	    commandline_read(domain, &commandline, err) < 0)
		return -1;
	info->state = state_of(&metadata, &commandline);
	found = document_uuid(domain, uuid, err);
	if (found < 0)
		return -1;
	if (found)
		vgpu_uuid_format(uuid, info->uuid);
	strcpy(info->profile, metadata.profile);
	strcpy(info->pool, metadata.pool);
	strcpy(info->priority, metadata.priority);
	strcpy(info->policy, metadata.policy);
	strcpy(info->seat, metadata.seat);
	info->quotas = metadata.quotas;
	if (copy_element(tree_child(domain->root, NULL, "name"), &info->name, err) < 0 ||
	    copy_element(document_emulator(domain), &info->emulator, err) < 0 ||
	    copy(&info->original_emulator, (const char *)metadata.emulator, err) < 0)
		return -1;
	return copy_device(&commandline, info, err);
}

int vgpu_domain_inspect(const struct vgpu_domain *domain, struct vgpu_domain_info *info,
			struct vgpu_error **err)
{
	return document_result(inspect(domain, info, err), err);
}

#define ATTACH_AGAIN "; run vgpu-xml attach on it again"

static int check_link(const struct vgpu_domain *domain, const struct device_option *option,
		      struct vgpu_error **err)
{
	char expected[VGPU_UUID_TEXT + sizeof("/.sock")];
	char text[VGPU_UUID_TEXT];
	size_t length, tail;
	uint8_t uuid[16];
	int found = document_uuid(domain, uuid, err);

	if (found < 0)
		return -1;
	if (!found)
		return vgpu_error_set(err, EINVAL, "the domain has no uuid" ATTACH_AGAIN);
	if (!option->link)
		return vgpu_error_set(err, EINVAL, "the vGPU has no link" ATTACH_AGAIN);
	vgpu_uuid_format(uuid, text);
	tail = (size_t)snprintf(expected, sizeof(expected), "/%s.sock", text);
	length = strlen(option->link);
	if (option->link[0] != '/' || length < tail ||
	    strcmp(option->link + length - tail, expected) != 0)
		return vgpu_error_set(err, EINVAL,
				      "the vGPU's link \"%s\" is not this domain's, "
				      "DIR%s" ATTACH_AGAIN,
				      option->link, expected);
	return 0;
}

static int check_address(const struct vgpu_domain *domain, const struct commandline *commandline,
			 struct vgpu_error **err)
{
	const struct device_option *option = &commandline->vgpu->option;
	const struct address address = { option->slot, option->function };
	struct addresses addresses;
	struct machine machine;

	if (document_machine(domain, &machine, err) < 0 ||
	    address_used(domain, &machine, commandline, &addresses, err) < 0)
		return -1;
	if (!option->bus || option->slot < 0)
		return vgpu_error_set(err, EINVAL, "the vGPU has no PCI address" ATTACH_AGAIN);
	if (strcmp(option->bus, machine.bus) != 0)
		return vgpu_error_set(err, EINVAL,
				      "the vGPU is on bus %s, and this machine has %s" ATTACH_AGAIN,
				      option->bus, machine.bus);
	if (!address_fits(&addresses, &address))
		return vgpu_error_set(err, EINVAL,
				      "the vGPU's address %02x.%x on %s is taken by another "
				      "device" ATTACH_AGAIN,
				      (unsigned int)address.slot, (unsigned int)address.function,
				      option->bus);
	return 0;
}

static int check_window(const struct device_option *option, const struct metadata *metadata,
			struct vgpu_error **err)
{
	uint64_t size = VGPU_WINDOW_SIZE_DEFAULT;

	if (option->window_size &&
	    (device_size_parse(option->window_size, &size) < 0 || !device_window_size(size)))
		return vgpu_error_set(err, EINVAL,
				      "the vGPU's window-size \"%s\" is not " DEVICE_WINDOW_SIZES,
				      option->window_size);
	if (metadata->window_size && metadata->window_size != size)
		return vgpu_error_set(err, EINVAL,
				      "the vGPU's window has %" PRIu64
				      " bytes, and the metadata asks for %" PRIu64 ATTACH_AGAIN,
				      size, metadata->window_size);
	return 0;
}

static int check_emulator(const struct vgpu_domain *domain, const struct metadata *metadata,
			  struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *current = NULL;

	if (!metadata->wrapper)
		return 0;
	if (tree_text(document_emulator(domain), &current, err) < 0)
		return -1;
	if (!current || !xmlStrEqual(current, metadata->wrapper))
		return vgpu_error_set(err, EINVAL,
				      "the emulator is \"%s\", not \"%s\", which has the "
				      "vGPU" ATTACH_AGAIN,
				      current ? (const char *)current : "",
				      (const char *)metadata->wrapper);
	return 0;
}

static int check(const struct vgpu_domain *domain, struct vgpu_error **err)
{
	METADATA_AUTO struct metadata metadata = { 0 };
	COMMANDLINE_AUTO struct commandline commandline = { 0 };

	if (metadata_read(domain, &metadata, err) < 0 ||
	    commandline_read(domain, &commandline, err) < 0)
		return -1;
	switch (state_of(&metadata, &commandline)) {
	case VGPU_DOMAIN_NONE:
		return 0;
	case VGPU_DOMAIN_REQUESTED:
		return vgpu_error_set(err, EINVAL,
				      "the metadata asks for a vGPU and the domain has none; run "
				      "vgpu-xml attach on it");
	case VGPU_DOMAIN_FOREIGN:
		return vgpu_error_set(err, EINVAL,
				      "the domain has a -device vgpu, and its metadata does not "
				      "ask for one");
	case VGPU_DOMAIN_ATTACHED:
		break;
	}
	if (check_link(domain, &commandline.vgpu->option, err) < 0 ||
	    check_address(domain, &commandline, err) < 0 ||
	    check_window(&commandline.vgpu->option, &metadata, err) < 0)
		return -1;
	return check_emulator(domain, &metadata, err);
}

int vgpu_domain_check(const struct vgpu_domain *domain, struct vgpu_error **err)
{
	return document_result(check(domain, err), err);
}
