/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "guest-agent/last_error.h"
#include "guest-agent/transport_pci.h"

bool pci_address_ok(const char *text)
{
	static const char form[] = "xxxx:xx:xx.x";

	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		if (form[i] != 'x'
			    ? text[i] != form[i]
			    : !isxdigit((unsigned char)text[i]) || isupper((unsigned char)text[i]))
			return false;
	}
	return text[sizeof(form) - 1] == '\0';
}

/* Reads a number as sysfs writes it, "0x1af4\n". Returns -1 with errno. */
static long read_id(int directory, const char *device, const char *name)
{
	VGPU_AUTO_CLOSE int fd = -1;
	char path[PATH_MAX], text[32];
	ssize_t length;

	snprintf(path, sizeof(path), "%s/%s", device, name);
	fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	length = read(fd, text, sizeof(text) - 1);
	if (length < 0)
		return -1;
	text[length] = '\0';
	return strtol(text, NULL, 16);
}

static void close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

enum vgpu_result pci_find_after(const char *sysfs, const char *after,
				char address[PCI_ADDRESS_BYTES])
{
	VGPU_CLEANUP(close_directory) DIR *directory = NULL;
	char path[PATH_MAX];
	const struct dirent *entry;

	address[0] = '\0';
	snprintf(path, sizeof(path), "%s/bus/pci/devices", sysfs);
	directory = opendir(path);
	if (!directory)
		return last_error_errno(errno == EACCES ? VGPU_E_PERMISSION : VGPU_E_NO_DEVICE,
					errno, "no PCI bus: %s", path);
	while ((entry = readdir(directory))) {
		if (!pci_address_ok(entry->d_name) || strcmp(entry->d_name, after) <= 0 ||
		    read_id(dirfd(directory), entry->d_name, "vendor") != VGPU_PCI_VENDOR_ID ||
		    read_id(dirfd(directory), entry->d_name, "device") != VGPU_PCI_DEVICE_ID)
			continue;
		if (!address[0] || strcmp(entry->d_name, address) < 0)
			memcpy(address, entry->d_name, PCI_ADDRESS_BYTES);
	}
	if (!address[0])
		return last_error_set(VGPU_E_NO_DEVICE,
				      "no vGPU (%04x:%04x) on the PCI bus; is one attached to this "
				      "virtual machine?",
				      VGPU_PCI_VENDOR_ID, VGPU_PCI_DEVICE_ID);
	return VGPU_OK;
}

enum vgpu_result pci_find(const char *sysfs, char address[PCI_ADDRESS_BYTES])
{
	return pci_find_after(sysfs, "", address);
}
