/* SPDX-License-Identifier: Apache-2.0 */
#include "xml/commandline.h"

#include <string.h>

#include "xml/tree.h"

void commandline_clear(struct commandline *commandline)
{
	for (size_t i = 0; i < commandline->count; i++)
		device_option_clear(&commandline->devices[i].option);
	free(commandline->devices);
	*commandline = (struct commandline){ 0 };
}

/* The next argument of all, in the order in which QEMU gets them; NULL begins. */
static xmlNode *next_argument(const struct vgpu_domain *domain, const xmlNode *argument)
{
	xmlNode *element, *next;

	if (argument) {
		element = argument->parent;
		next = tree_next(argument, COMMANDLINE_NAMESPACE, "arg");
	} else {
		element = tree_child(domain->root, COMMANDLINE_NAMESPACE, "commandline");
		next = tree_child(element, COMMANDLINE_NAMESPACE, "arg");
	}
	while (!next && element) {
		element = tree_next(element, COMMANDLINE_NAMESPACE, "commandline");
		next = tree_child(element, COMMANDLINE_NAMESPACE, "arg");
	}
	return next;
}

static int add_device(struct commandline *commandline, xmlNode *flag, xmlNode *value,
		      const char *text, struct vgpu_error **err)
{
	struct commandline_device *devices =
		reallocarray(commandline->devices, commandline->count + 1, sizeof(*devices));

	if (!devices)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	commandline->devices = devices;
	devices += commandline->count++;
	devices->flag = flag;
	devices->value = value;
	if (device_option_parse(text, &devices->option) < 0)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	return 0;
}

static int find_vgpu(struct commandline *commandline, struct vgpu_error **err)
{
	for (size_t i = 0; i < commandline->count; i++) {
		const char *driver = commandline->devices[i].option.driver;

		if (!driver || strcmp(driver, DEVICE_DRIVER) != 0)
			continue;
		if (commandline->vgpu)
			return vgpu_error_set(err, EINVAL,
					      "the domain has more than one -device vgpu");
		commandline->vgpu = &commandline->devices[i];
	}
	return 0;
}

int commandline_read(const struct vgpu_domain *domain, struct commandline *commandline,
		     struct vgpu_error **err)
{
	xmlNode *flag = NULL;

	*commandline = (struct commandline){ 0 };
	for (xmlNode *argument = next_argument(domain, NULL); argument;
	     argument = next_argument(domain, argument)) {
		TREE_AUTO_STRING xmlChar *value = NULL;
		const char *text;

		if (tree_attribute(argument, "value", &value, err) < 0)
			return -1;
		text = value ? (const char *)value : "";
		if (flag) {
			if (add_device(commandline, flag, argument, text, err) < 0)
				return -1;
			flag = NULL;
		} else if (strcmp(text, "-device") == 0 || strcmp(text, "--device") == 0) {
			flag = argument;
		}
	}
	commandline->incomplete = flag;
	return find_vgpu(commandline, err);
}

static int create_element(struct vgpu_domain *domain, xmlNode **element, struct vgpu_error **err)
{
	xmlNs *ns = xmlSearchNsByHref(domain->doc, domain->root, BAD_CAST COMMANDLINE_NAMESPACE);

	if (tree_insert(domain->root, tree_last_non_text(domain->root), ns, "commandline", NULL,
			element, err) < 0)
		return -1;
	if (ns)
		return 0;
	ns = xmlNewNs(*element, BAD_CAST COMMANDLINE_NAMESPACE, BAD_CAST "qemu");
	if (!ns)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	xmlSetNs(*element, ns);
	return 0;
}

static int append_argument(xmlNode *element, const char *value, struct vgpu_error **err)
{
	xmlNode *argument;

	if (tree_insert(element, tree_last_non_text(element), element->ns, "arg", NULL, &argument,
			err) < 0)
		return -1;
	return tree_set_attribute(argument, "value", value, err);
}

int commandline_add(struct vgpu_domain *domain, const char *value, bool *created,
		    struct vgpu_error **err)
{
	xmlNode *element = tree_child(domain->root, COMMANDLINE_NAMESPACE, "commandline");
	xmlNode *next = element;

	*created = !element;
	while (next) {
		element = next;
		next = tree_next(element, COMMANDLINE_NAMESPACE, "commandline");
	}
	if (!element && create_element(domain, &element, err) < 0)
		return -1;
	if (append_argument(element, "-device", err) < 0 ||
	    append_argument(element, value, err) < 0)
		return -1;
	return *created ? tree_indent_end(element, err) : 0;
}

void commandline_remove(struct commandline_device *device, bool created)
{
	xmlNode *element = device->flag->parent;

	tree_remove(device->value);
	tree_remove(device->flag);
	if (created && !tree_first_element(element))
		tree_remove(element);
}
