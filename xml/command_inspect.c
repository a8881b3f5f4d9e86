/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "xml/vgpu_xml.h"

/* "key: value", in one line whatever the value holds; nothing where there is none. */
static void print_text(FILE *out, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	fprintf(out, "%s: ", key);
	for (const char *c = value; *c; c++)
		putc((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c, out);
	putc('\n', out);
}

static const char *state_name(enum vgpu_domain_state state)
{
	switch (state) {
	case VGPU_DOMAIN_NONE:
		return "none";
	case VGPU_DOMAIN_REQUESTED:
		return "requested";
	case VGPU_DOMAIN_ATTACHED:
		return "attached";
	case VGPU_DOMAIN_FOREIGN:
		return "foreign";
	}
	return "";
}

static void print_info(FILE *out, const struct vgpu_domain_info *info)
{
	print_text(out, "name", info->name);
	print_text(out, "uuid", info->uuid);
	print_text(out, "vgpu", state_name(info->state));
	print_text(out, "profile", info->profile);
	print_text(out, "pool", info->pool);
	print_text(out, "priority", info->priority);
	print_text(out, "policy", info->policy);
	for (unsigned int i = 0; i < VGPU_DOMAIN_QUOTAS; i++)
		if (info->quotas.given & (1u << i))
			fprintf(out, "%s: %" PRIu64 "\n", vgpu_domain_quota_name(i),
				info->quotas.values[i]);
	print_text(out, "link", info->link);
	if (info->window_size)
		fprintf(out, "window-size: %" PRIu64 "\n", info->window_size);
	print_text(out, "bus", info->bus);
	if (info->slot >= 0)
		fprintf(out, "slot: 0x%02x\nfunction: %d\n", (unsigned int)info->slot,
			info->function);
	print_text(out, "emulator", info->emulator);
	print_text(out, "original-emulator", info->original_emulator);
}

int command_inspect(const struct arguments *arguments, struct vgpu_domain *domain,
		    struct vgpu_error **err)
{
	VGPU_AUTO_DOMAIN_INFO struct vgpu_domain_info info = { .slot = -1 };

	(void)arguments;
	if (vgpu_domain_inspect(domain, &info, err) < 0) {
		vgpu_error_prefix(err, "inspect");
		return exit_status(*err);
	}
	print_info(stdout, &info);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		vgpu_error_errno(err, errno, "standard output: cannot write");
		return EX_IOERR;
	}
	return EX_OK;
}
