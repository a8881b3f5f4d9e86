/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The domains of libvirt's own tests, see corpus.sh: each is either attached, checked and detached
 * to the same canonical XML, or refused with a reason that is listed here. Where libvirt's tests
 * also have what libvirt made of a domain, with the addresses that it chose, the vGPU collides with
 * none of them.
 *
 * Usage: corpus SCHEMA DIRECTORY...; a document of one DIRECTORY is what libvirt made of the one
 * with the same name in another.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <libxml/xpath.h>

#include "xml/domain.h"
#include "xml/file.h"

/* The reasons for which a document may be refused; an x86 domain for none of them. */
static struct reason {
	const char *text; /* in the message */
	unsigned int count;
} reasons[] = {
	{ "the root element is <", 0 }, { "domain type is \"", 0 },  { "os type is \"", 0 },
	{ "architecture is \"", 0 },	{ "machine type is \"", 0 },
};
#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

static struct {
	unsigned int documents, attached, valid, made, failures;
} counts;

static xmlRelaxNG *schema;
static char **directories;

static void free_doc(xmlDoc **doc)
{
	if (*doc)
		xmlFreeDoc(*doc);
}

static void free_string(xmlChar **string)
{
	if (*string)
		xmlFree(*string);
}

static void failure(const char *path, const char *what, const struct vgpu_error *err)
{
	printf("FAILED: %s: %s%s%s\n", path, what, err ? ": " : "", err ? err->message : "");
	counts.failures++;
}

static xmlDoc *read_xml(const char *text, size_t length)
{
	return xmlReadMemory(text, (int)length, NULL, NULL,
			     XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
}

/* Whether an XPath expression is true of a document. */
static bool holds(xmlDoc *doc, const char *expression)
{
	xmlXPathContext *context = xmlXPathNewContext(doc);
	xmlXPathObject *object = xmlXPathEvalExpression(BAD_CAST expression, context);
	bool result = object && xmlXPathCastToBoolean(object);

	xmlXPathFreeObject(object);
	xmlXPathFreeContext(context);
	return result;
}

/* Not what the code under test says, but what libvirt runs with qemu-system-x86_64. */
static bool is_x86(xmlDoc *doc)
{
	return holds(doc, "/domain[@type='kvm' or @type='qemu']/os/type[. = 'hvm' and "
			  "(not(@arch) or @arch='x86_64' or @arch='i686') and "
			  "(not(@machine) or @machine='q35' or @machine='pc' or "
			  "starts-with(@machine, 'pc-'))]");
}

/* Without a handler they go to standard error. */
static void ignore_error(void *data, xmlErrorPtr error)
{
	(void)data;
	(void)error;
}

static bool is_valid(xmlDoc *doc)
{
	xmlRelaxNGValidCtxt *context = xmlRelaxNGNewValidCtxt(schema);
	bool valid;

	xmlRelaxNGSetValidStructuredErrors(context, ignore_error, NULL);
	valid = xmlRelaxNGValidateDoc(context, doc) == 0;
	xmlRelaxNGFreeValidCtxt(context);
	return valid;
}

static bool same_canonical(xmlDoc *one, xmlDoc *other)
{
	VGPU_CLEANUP(free_string) xmlChar *one_text = NULL, *other_text = NULL;

	return xmlC14NDocDumpMemory(one, NULL, XML_C14N_1_0, NULL, 1, &one_text) >= 0 &&
	       xmlC14NDocDumpMemory(other, NULL, XML_C14N_1_0, NULL, 1, &other_text) >= 0 &&
	       xmlStrEqual(one_text, other_text);
}

static void refused(const char *path, bool x86, const struct vgpu_error *err)
{
	if (x86)
		failure(path, "an x86 domain is refused", err);
	for (size_t i = 0; i < REASONS; i++)
		if (strstr(err->message, reasons[i].text)) {
			reasons[i].count++;
			return;
		}
	failure(path, "refused for a reason that is not listed", err);
}

/* Whether a document that libvirt printed has something where the vGPU is. */
static bool has_device_at(xmlDoc *doc, const struct vgpu_domain_info *info)
{
	VGPU_AUTO_FREE char *expression = NULL;
	char function[32] = "";

	/* With a function the vGPU shares the chipset's slot; otherwise the slot is its own. */
	if (info->function)
		snprintf(function, sizeof(function), " and @function='0x%x'",
			 (unsigned int)info->function);
	if (asprintf(&expression,
		     "/domain/devices/*/address[@type='pci' and @domain='0x0000' and "
		     "@bus='0x00' and @slot='0x%02x'%s]",
		     (unsigned int)info->slot, function) < 0)
		abort();
	return holds(doc, expression);
}

/* What libvirt made of the same domain, if that is there: nothing of it is where the vGPU is. */
static void check_made(const char *path, const struct vgpu_domain_info *info)
{
	static const char *const suffixes[] = { "", ".x86_64-latest" };
	const char *name = strrchr(path, '/') + 1;
	int stem = (int)(strlen(name) - strlen(".xml"));

	for (size_t i = 0; directories[i / 2]; i++) {
		VGPU_CLEANUP(free_doc) xmlDoc *doc = NULL;
		VGPU_AUTO_FREE char *made = NULL, *text = NULL;
		size_t length;

		if (asprintf(&made, "%s/%.*s%s.xml", directories[i / 2], stem, name,
			     suffixes[i % 2]) < 0)
			abort();
		if (strcmp(made, path) == 0 ||
		    file_read_path(made, VGPU_DOMAIN_BYTES_MAX, &text, &length, NULL) < 0)
			continue;
		doc = read_xml(text, length);
		if (!doc || !holds(doc, "/domain/devices/*/address[@type='pci']"))
			continue;
		counts.made++;
		if (has_device_at(doc, info))
			failure(path, made, NULL);
	}
}

/* The document that attach made: checked, attached again, detached. */
static void check_attached(const char *path, xmlDoc *original, struct vgpu_domain *attached)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_DOMAIN struct vgpu_domain *domain = NULL;
	VGPU_AUTO_DOMAIN_INFO struct vgpu_domain_info info = { .slot = -1 };
	VGPU_CLEANUP(free_doc) xmlDoc *doc = NULL, *detached = NULL;
	VGPU_AUTO_FREE char *text = NULL, *again = NULL, *plain = NULL;
	const struct vgpu_domain_options options = { .profile = NULL };
	size_t length, again_length, plain_length;

	if (vgpu_domain_format(attached, &text, &length, &err) < 0 ||
	    vgpu_domain_parse(&domain, text, length, &err) < 0 ||
	    vgpu_domain_check(domain, &err) < 0 || vgpu_domain_inspect(domain, &info, &err) < 0 ||
	    vgpu_domain_attach(domain, &options, &err) < 0 ||
	    vgpu_domain_format(domain, &again, &again_length, &err) < 0 ||
	    vgpu_domain_detach(domain, &err) < 0 ||
	    vgpu_domain_format(domain, &plain, &plain_length, &err) < 0) {
		failure(path, "attached", err);
		return;
	}
	if (again_length != length || memcmp(again, text, length) != 0)
		failure(path, "attaching twice is not attaching once", NULL);
	detached = read_xml(plain, plain_length);
	if (!detached || !same_canonical(original, detached))
		failure(path, "detach does not give the document back", NULL);
	/* Some of libvirt's documents are wrong on purpose. */
	doc = read_xml(text, length);
	if (is_valid(original)) {
		counts.valid++;
		if (!doc || !is_valid(doc))
			failure(path, "valid before attach, and not after", NULL);
	}
	check_made(path, &info);
}

static void check_document(const char *path)
{
	static const uint8_t uuid[16] = { 1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15 };
	const struct vgpu_domain_options options = { .profile = "corpus", .uuid = uuid };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_DOMAIN struct vgpu_domain *domain = NULL;
	VGPU_CLEANUP(free_doc) xmlDoc *original = NULL;
	VGPU_AUTO_FREE char *text = NULL;
	size_t length;
	bool x86;

	if (file_read_path(path, VGPU_DOMAIN_BYTES_MAX, &text, &length, &err) < 0) {
		failure(path, "read", err);
		return;
	}
	counts.documents++;
	original = read_xml(text, length);
	x86 = original && is_x86(original);
	if (vgpu_domain_parse(&domain, text, length, &err) < 0 ||
	    vgpu_domain_attach(domain, &options, &err) < 0) {
		refused(path, x86, err);
		return;
	}
	counts.attached++;
	if (!x86)
		failure(path, "attached, though it is no x86 domain", NULL);
	check_attached(path, original, domain);
}

static int is_document(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 4 && strcmp(entry->d_name + length - 4, ".xml") == 0;
}

static void check_directory(const char *directory)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, is_document, alphasort);

	for (int i = 0; i < count; i++) {
		VGPU_AUTO_FREE char *path = NULL;

		if (asprintf(&path, "%s/%s", directory, entries[i]->d_name) < 0)
			abort();
		check_document(path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

int main(int argc, char **argv)
{
	xmlRelaxNGParserCtxt *parser;

	if (argc < 3) {
		fprintf(stderr, "Usage: corpus SCHEMA DIRECTORY...\n");
		return 2;
	}
	parser = xmlRelaxNGNewParserCtxt(argv[1]);
	schema = xmlRelaxNGParse(parser);
	xmlRelaxNGFreeParserCtxt(parser);
	if (!schema) {
		fprintf(stderr, "corpus: %s: cannot read the schema\n", argv[1]);
		return 2;
	}
	directories = argv + 2;
	for (char **directory = directories; *directory; directory++)
		check_directory(*directory);
	printf("%u documents: %u attached and detached (%u of them valid by libvirt's schema); "
	       "compared with %u that libvirt gave addresses; refused:\n",
	       counts.documents, counts.attached, counts.valid, counts.made);
	for (size_t i = 0; i < REASONS; i++)
		printf("  %4u %s\n", reasons[i].count, reasons[i].text);
	printf("%u failures\n", counts.failures);
	xmlRelaxNGFree(schema);
	xmlCleanupParser();
	return counts.failures > 0;
}
