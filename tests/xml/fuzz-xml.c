/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a domain: whatever can be attached validates, attaches again to the same text, and
 * detaches to what it was, where no note and no vGPU of an earlier attach was in it, and in any
 * case to what detaching once more leaves alone.
 */
#include <string.h>

#include "xml/domain.h"
#include "xml/offering.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			__builtin_trap();                                                          \
	} while (0)

static char *format(struct vgpu_domain *domain, size_t *length)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	char *text = NULL;

	/* What libxml2 cannot encode again (it could read it) is an error, not a crash. */
	return vgpu_domain_format(domain, &text, length, &err) < 0 ? NULL : text;
}

static void attach_again(const char *text, size_t length, const char *original)
{
	const struct vgpu_domain_options options = { .uuid = NULL };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_DOMAIN struct vgpu_domain *domain = NULL;
	VGPU_AUTO_FREE char *again = NULL, *detached = NULL, *twice = NULL;
	size_t again_length, detached_length, twice_length;

	REQUIRE(vgpu_domain_parse(&domain, text, length, &err) == 0);
	REQUIRE(vgpu_domain_check(domain, &err) == 0);
	REQUIRE(vgpu_domain_attach(domain, &options, &err) == 0);
	again = format(domain, &again_length);
	REQUIRE(again && again_length == length && memcmp(again, text, length) == 0);
	REQUIRE(vgpu_domain_detach(domain, &err) == 0);
	detached = format(domain, &detached_length);
	REQUIRE(vgpu_domain_detach(domain, &err) == 0);
	twice = format(domain, &twice_length);
	REQUIRE(detached && twice && twice_length == detached_length &&
		memcmp(twice, detached, twice_length) == 0);
	REQUIRE(strcmp(original, detached) == 0 || strstr(original, "attached") ||
		strstr(original, "vgpu,id=vgpu0,link="));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t uuid[16] = { 1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15 };
	const struct vgpu_domain_options options = { .profile = size % 2 ? "gold" : NULL,
						     .uuid = uuid };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_DOMAIN struct vgpu_domain *domain = NULL;
	VGPU_AUTO_DOMAIN_INFO struct vgpu_domain_info info = { .slot = -1 };
	OFFERING_NAMES_AUTO struct offering_names names = { .name = NULL };
	VGPU_AUTO_FREE char *original = NULL, *text = NULL;
	size_t length;

	if (vgpu_domain_parse(&domain, (const char *)data, size, &err) < 0)
		return 0;
	if (vgpu_domain_inspect(domain, &info, &err) < 0)
		vgpu_error_free(&err);
	if (offering_names_read(domain, &names, &err) < 0)
		vgpu_error_free(&err);
	original = format(domain, &length);
	if (vgpu_domain_attach(domain, &options, &err) < 0)
		return 0;
	text = format(domain, &length);
	if (original && text)
		attach_again(text, length, original);
	return 0;
}
