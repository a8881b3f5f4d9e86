/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the hook reads, chosen by the first byte: hook.conf, the mediator's answer, or a domain that
 * it registers.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hook/hook.h"
#include "hook/hook_config.h"
#include "hook/registration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_config(const char *text, size_t length)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct hook_config config;

	hook_config_defaults(&config);
	hook_config_parse(&config, text, length, "hook.conf", &err);
	if (config.timeout_ms > HOOK_TIMEOUT_MS_MAX || config.control_socket[0] != '/')
		abort();
}

static void read_answer(char *text, size_t length)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE char *line = NULL;
	const struct rest_reply reply = {
		.status = 200 + (length % 4) * 100,
		.body = text,
		.length = length,
	};

	if (hook_judge(&reply, "6f1f2c3d-0a1b-4c5d-8e9f-001122334455", &err) == HOOK_ADMITTED)
		return;
	line = hook_line(err->message, "; end");
	if (line && (strchr(line, '\n') || strlen(line) > 600))
		abort();
}

static void read_domain(const char *xml, size_t length)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_DOMAIN struct vgpu_domain *domain = NULL;
	VGPU_AUTO_DOMAIN_INFO struct vgpu_domain_info info = { .slot = -1 };
	VGPU_AUTO_FREE char *body = NULL;

	if (hook_read_domain(xml, length, &domain, &info, &err) <= 0 ||
	    vgpu_domain_check(domain, &err) < 0)
		return;
	body = registration_body(&info, info.name ? info.name : "", &err);
	if (!body)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VGPU_AUTO_FREE char *text = malloc(size + 1);

	if (!text || size == 0)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 3) {
	case 0:
		read_config(text, size - 1);
		break;
	case 1:
		read_answer(text, size - 1);
		break;
	default:
		read_domain(text, size - 1);
	}
	return 0;
}
