/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading: the module is an LD_PRELOADed object, which registers the device's type from its
 * constructor, before QEMU's main() initialises object types.
 *
 * QEMU's structures differ between versions, so nothing of QEMU is touched before its version is
 * known to be the one that the module was compiled for. In a process that is not QEMU the module
 * does nothing: all of QEMU's symbols are weak here (weak.h).
 */
#include "qemu/osdep.h"

#include "qemu/module.h"
#include "qapi/qapi-commands-control.h"
#include "qapi/qapi-types-control.h"
#include "qom/object.h"
#include "qemu-version.h"

#include "device/qemu/weak.h"
#include "device/qemu/vgpu-qemu.h"

/* What the headers belong to; the tests build a module for a QEMU that nobody has. */
#ifndef VGPU_QEMU_VERSION
#define VGPU_QEMU_VERSION QEMU_FULL_VERSION
#endif

#define MODULE_FILE "vgpu-qemu.so"

static bool is_module(const char *path, size_t length)
{
	size_t name = strlen(MODULE_FILE);

	return length >= name && memcmp(path + length - name, MODULE_FILE, name) == 0 &&
	       (length == name || path[length - name - 1] == '/');
}

/* Takes the module out of LD_PRELOAD, so that QEMU's children do not load it. */
static void leave_preload(void)
{
	const char *preload = getenv("LD_PRELOAD");
	char *rest;
	size_t used = 0;

	if (!preload)
		return;
	rest = malloc(strlen(preload) + 1);
	if (!rest) {
		unsetenv("LD_PRELOAD");
		return;
	}
	/* ld.so(8): the list is separated by spaces or colons. */
	for (const char *at = preload; *at;) {
		size_t length = strcspn(at, " :");

		if (length > 0 && !is_module(at, length)) {
			if (used > 0)
				rest[used++] = ':';
			memcpy(rest + used, at, length);
			used += length;
		}
		at += length;
		at += strspn(at, " :");
	}
	rest[used] = '\0';
	if (used > 0)
		setenv("LD_PRELOAD", rest, 1);
	else
		unsetenv("LD_PRELOAD");
	free(rest);
}

/* Drops the "+bN" of a rebuild from the same source, which changes no structure. */
static void drop_rebuild(char *version)
{
	char *plus = strrchr(version, '+');

	if (plus && plus[1] == 'b' && plus[2] != '\0') {
		size_t digits = strspn(plus + 2, "0123456789");

		if (digits > 0 && strcmp(plus + 2 + digits, ")") == 0)
			strcpy(plus, ")");
	}
}

/* The running QEMU's version in QEMU_FULL_VERSION's form. */
static bool running_version(char *text, size_t size)
{
	/* The one call made before the version is known; its result has had this form since 2.4. */
	VersionInfo *info = qmp_query_version(NULL);

	if (!info || !info->qemu)
		return false;
	/* What it allocated is little and is left: freeing it would be one more call into QEMU. */
	snprintf(text, size, "%" PRId64 ".%" PRId64 ".%" PRId64, info->qemu->major,
		 info->qemu->minor, info->qemu->micro);
	if (info->package && info->package[0] != '\0') {
		size_t length = strlen(text);

		snprintf(text + length, size - length, " (%s)", info->package);
	}
	drop_rebuild(text);
	return true;
}

static void __attribute__((constructor)) vgpu_module_load(void)
{
	static const char expected[] = VGPU_QEMU_VERSION;
	char running[256] = "of an unknown version";

	if (!qmp_query_version || !register_module_init || !type_register_static) {
		if (strncmp(program_invocation_short_name, "qemu-system-", 12) == 0) {
			fprintf(stderr,
				"%s: vgpu: this QEMU exports no symbols to modules "
				"(it was built without --enable-modules)\n",
				program_invocation_short_name);
			_exit(EXIT_FAILURE);
		}
		return;
	}
	leave_preload();
	if (!running_version(running, sizeof(running)) || strcmp(running, expected) != 0) {
		fprintf(stderr,
			"%s: vgpu: the device module is for QEMU %s, but this is QEMU %s: "
			"run vgpu-rebuild-module as root\n",
			program_invocation_short_name, expected, running);
		_exit(EXIT_FAILURE);
	}
	register_module_init(vgpu_qemu_register_types, MODULE_INIT_QOM);
}
