/* SPDX-License-Identifier: Apache-2.0 */
#include "xml/document.h"

#include <pthread.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/xmlsave.h>

#include "xml/limits.h"
#include "xml/tree.h"

/*
 * Nothing is loaded, and libxml2's own limits on depth and text lengths stay on (no HUGE). Entities
 * cannot occur: refuse_doctype() stops the parser before the first declaration.
 */
#define PARSE_OPTIONS                                                                              \
	(XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_BIG_LINES)

static pthread_once_t parser_ready = PTHREAD_ONCE_INIT;

static void cleanup_parser(xmlParserCtxt **context)
{
	if (*context)
		xmlFreeParserCtxt(*context);
}

static void cleanup_doc(xmlDoc **doc)
{
	if (*doc)
		xmlFreeDoc(*doc);
}

static void refuse_doctype(void *data, const xmlChar *name, const xmlChar *external_id,
			   const xmlChar *system_id)
{
	xmlParserCtxt *context = data;

	(void)name;
	(void)external_id;
	(void)system_id;
	*(bool *)context->_private = true;
	xmlStopParser(context);
}

#define MESSAGE_MAX 400

int document_result(int result, struct vgpu_error **err)
{
	size_t end = MESSAGE_MAX - strlen("...");

	if (result == 0 || !err || strlen((*err)->message) <= MESSAGE_MAX)
		return result;
	/* Not in the middle of a character. */
	while (((unsigned char)(*err)->message[end] & 0xc0) == 0x80)
		end--;
	strcpy((*err)->message + end, "...");
	return result;
}

static int parse_error(xmlParserCtxt *context, struct vgpu_error **err)
{
	const xmlError *error = xmlCtxtGetLastError(context);
	const char *message = error && error->message ? error->message : "unknown error\n";

	if (error && error->code == XML_ERR_NO_MEMORY)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	return vgpu_error_set(err, EINVAL, "not well-formed XML: line %d: %.*s",
			      error ? error->line : 0, (int)strcspn(message, "\n"), message);
}

static int parse(struct vgpu_domain **domain, const char *xml, size_t length,
		 struct vgpu_error **err)
{
	VGPU_CLEANUP(cleanup_parser) xmlParserCtxt *context = NULL;
	VGPU_CLEANUP(cleanup_doc) xmlDoc *doc = NULL;
	bool doctype = false;
	xmlNode *root;

	if (length == 0)
		return vgpu_error_set(err, EINVAL, "empty: expected a domain's XML");
	if (limits_check(xml, length, err) < 0)
		return -1;
	pthread_once(&parser_ready, xmlInitParser);
	context = xmlNewParserCtxt();
	if (!context)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	context->_private = &doctype;
	context->sax->internalSubset = refuse_doctype;
	/* As limits_check() has read it; the parser would guess where nothing is declared. */
	doc = xmlCtxtReadMemory(context, xml, (int)length, NULL, "UTF-8", PARSE_OPTIONS);
	if (doctype)
		return vgpu_error_set(err, EINVAL,
				      "has a DOCTYPE: libvirt writes none, and none is read");
	/* An undeclared prefix is to libxml2 a part of the name; it would come out as another. */
	if (!doc || !context->wellFormed || !context->nsWellFormed)
		return parse_error(context, err);
	root = xmlDocGetRootElement(doc);
	if (!root || !tree_is(root, NULL, "domain"))
		return vgpu_error_set(err, EINVAL, "the root element is <%s>, not <domain>",
				      root ? (const char *)root->name : "");
	*domain = malloc(sizeof(**domain));
	if (!*domain)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	**domain = (struct vgpu_domain){
		.doc = vgpu_steal_pointer(&doc),
		.root = root,
		.declaration = length >= 5 && memcmp(xml, "<?xml", 5) == 0,
	};
	return 0;
}

int vgpu_domain_parse(struct vgpu_domain **domain, const char *xml, size_t length,
		      struct vgpu_error **err)
{
	return document_result(parse(domain, xml, length, err), err);
}

void vgpu_domain_free(struct vgpu_domain **domain)
{
	if (!*domain)
		return;
	xmlFreeDoc((*domain)->doc);
	free(*domain);
	*domain = NULL;
}

int vgpu_domain_format(const struct vgpu_domain *domain, char **xml, size_t *length,
		       struct vgpu_error **err)
{
	int options = domain->declaration ? 0 : XML_SAVE_NO_DECL;
	xmlBuffer *buffer = xmlBufferCreate();
	xmlSaveCtxt *context;
	int failed;

	if (!buffer)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	/* By itself it grows by the byte. */
	xmlBufferSetAllocationScheme(buffer, XML_BUFFER_ALLOC_DOUBLEIT);
	context = xmlSaveToBuffer(buffer, "UTF-8", options);
	failed = !context || xmlSaveDoc(context, domain->doc) < 0;
	if (context && xmlSaveClose(context) < 0)
		failed = 1;
	*length = (size_t)xmlBufferLength(buffer);
	*xml = failed ? NULL : malloc(*length + 1);
	if (*xml) {
		memcpy(*xml, xmlBufferContent(buffer), *length);
		(*xml)[*length] = '\0';
	}
	xmlBufferFree(buffer);
	return *xml ? 0 : vgpu_error_set(err, ENOMEM, "cannot write the document: out of memory");
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The names as libvirt knows them, and those of Ubuntu's QEMU. */
static bool is_q35(const char *machine)
{
	return strcmp(machine, "q35") == 0 || starts_with(machine, "pc-q35-") ||
	       strcmp(machine, "ubuntu-q35") == 0;
}

static bool is_i440fx(const char *machine)
{
	return strcmp(machine, "pc") == 0 || starts_with(machine, "pc-i440fx-") ||
	       starts_with(machine, "pc-0.") || starts_with(machine, "pc-1.") ||
	       starts_with(machine, "rhel") || strcmp(machine, "ubuntu") == 0;
}

int document_machine(const struct vgpu_domain *domain, struct machine *machine,
		     struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *type = NULL, *arch = NULL, *model = NULL, *os = NULL;
	const xmlNode *os_type = tree_child(tree_child(domain->root, NULL, "os"), NULL, "type");
	const char *name;

	if (tree_attribute(domain->root, "type", &type, err) < 0 ||
	    tree_attribute(os_type, "arch", &arch, err) < 0 ||
	    tree_attribute(os_type, "machine", &model, err) < 0 || tree_text(os_type, &os, err) < 0)
		return -1;
	name = type ? (const char *)type : "";
	if (strcmp(name, "kvm") != 0 && strcmp(name, "qemu") != 0)
		return vgpu_error_set(err, EINVAL,
				      "domain type is \"%s\": a vGPU needs kvm or qemu", name);
	if (!os || strcmp((const char *)os, "hvm") != 0)
		return vgpu_error_set(err, EINVAL, "os type is \"%s\": a vGPU needs hvm",
				      os ? (const char *)os : "");
	/* Libvirt runs an i686 domain in the wrapper too: its QEMU is a 64-bit one with 32-bit
	 * guests. */
	if (arch && strcmp((const char *)arch, "x86_64") != 0 &&
	    strcmp((const char *)arch, "i686") != 0)
		return vgpu_error_set(err, EINVAL,
				      "architecture is \"%s\": a vGPU needs x86_64 or i686",
				      (const char *)arch);
	/* Libvirt makes a domain without a machine type a pc. */
	name = model ? (const char *)model : "pc";
	machine->q35 = is_q35(name);
	if (!machine->q35 && !is_i440fx(name))
		return vgpu_error_set(err, EINVAL,
				      "machine type is \"%s\": a vGPU needs q35 or pc (i440fx)",
				      name);
	machine->bus = machine->q35 ? "pcie.0" : "pci.0";
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool document_read_uuid(const char *text, uint8_t uuid[16])
{
	static const char blanks[] = " \t\r\n";

	text += strspn(text, blanks);
	for (int byte = 0; byte < 16; byte++) {
		int high, low;

		while (byte > 0 && *text == '-')
			text++;
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return false;
		uuid[byte] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return text[strspn(text, blanks)] == '\0';
}

int document_uuid(const struct vgpu_domain *domain, uint8_t uuid[16], struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *text = NULL;
	const xmlNode *node = tree_child(domain->root, NULL, "uuid");

	if (!node)
		return 0;
	if (tree_text(node, &text, err) < 0)
		return -1;
	if (!document_read_uuid((const char *)text, uuid))
		return vgpu_error_set(err, EINVAL, "uuid \"%s\" is not a UUID", (const char *)text);
	return 1;
}

xmlNode *document_emulator(const struct vgpu_domain *domain)
{
	xmlNode *devices = tree_child(domain->root, NULL, "devices");

	for (; devices; devices = tree_next(devices, NULL, "devices")) {
		xmlNode *emulator = tree_child(devices, NULL, "emulator");

		if (emulator)
			return emulator;
	}
	return NULL;
}
