/* SPDX-License-Identifier: Apache-2.0 */
/* The value of QEMU's -device option, in both its forms: "driver,name=value,..." and JSON. */
#ifndef VGPU_XML_DEVICE_OPTION_H
#define VGPU_XML_DEVICE_OPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/protocol.h"

#define DEVICE_DRIVER "vgpu"

#define DEVICE_WINDOW_SIZES "a power of two from 1 MiB to 64 GiB"

/* Whether BAR2, the window, can have this size. */
static inline bool device_window_size(uint64_t bytes)
{
	return bytes >= VGPU_WINDOW_SIZE_MIN && bytes <= VGPU_WINDOW_SIZE_MAX &&
	       (bytes & (bytes - 1)) == 0;
}

/* What a -device argument says; NULL where it does not. */
struct device_option {
	char *driver;
	char *bus;
	char *addr;
	char *link;
	char *window_size;
	int slot; /* from addr; -1: QEMU chooses, or addr cannot be read */
	int function;
};

void device_option_clear(struct device_option *option);
#define DEVICE_OPTION_AUTO VGPU_CLEANUP(device_option_clear)

/*
 * Takes an argument apart. The caller clears *option in either case. Returns 0, or -1 with errno
 * ENOMEM; text that QEMU would refuse is read as far as it goes.
 */
int device_option_parse(const char *text, struct device_option *option);

/*
 * The vGPU's argument, freed with free(). Commas in link are doubled, as QEMU reads them. Returns
 * NULL with errno ENOMEM.
 */
char *device_option_format(const char *link, uint64_t window_size, const char *bus, int slot,
			   int function);

/*
 * Reads a size in bytes as QEMU or this project's configuration writes it: digits with an optional
 * K, M, G or T, or KiB, MiB, GiB or TiB. Returns 0, or -1 with errno EINVAL or ERANGE.
 */
int device_size_parse(const char *text, uint64_t *bytes);

#endif
