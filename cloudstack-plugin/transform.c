/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/transform.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Routers, secondary storage and console proxies. */
static bool is_system_vm(const char *name)
{
	return strncmp(name, "r-", 2) == 0 || strncmp(name, "s-", 2) == 0 ||
	       strncmp(name, "v-", 2) == 0;
}

/* The one seat among the domain's mediated devices. Returns 0, or -1 and err. */
static int find_seat(const struct vgpu_domain *domain, const struct seats *seats,
		     const struct seat **seat, struct vgpu_error **err)
{
	VGPU_AUTO_FREE uint8_t(*uuids)[16] = NULL;
	size_t count;

	*seat = NULL;
	if (vgpu_domain_mdevs(domain, &uuids, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const struct seat *found = seats_find(seats, uuids[i]);

		if (found && *seat && found != *seat)
			return vgpu_error_set(err, EINVAL,
					      "it has two seats, and a VM has one vGPU: use an "
					      "offering with a GPU count of 1");
		if (found)
			*seat = found;
	}
	return 0;
}

static int swap(struct vgpu_domain *domain, const struct seats *seats, const struct seat *seat,
		struct vgpu_error **err)
{
	const struct vgpu_domain_options options = {
		.profile = seat->profile,
		.link_dir = seats->link_dir,
		.seat = seat->uuid,
	};

	if (vgpu_domain_remove_mdev(domain, seat->uuid, err) < 0)
		return -1;
	return vgpu_domain_attach(domain, &options, err);
}

int transform(const char *xml, size_t length, const struct seats *seats, char **new,
	      size_t *new_length, struct vgpu_error **err)
{
	VGPU_AUTO_DOMAIN struct vgpu_domain *domain = NULL;
	VGPU_AUTO_DOMAIN_INFO struct vgpu_domain_info info = { .slot = -1 };
	const struct seat *seat;

	if (vgpu_domain_parse(&domain, xml, length, err) < 0 ||
	    vgpu_domain_inspect(domain, &info, err) < 0)
		return -1;
	if (!info.name || is_system_vm(info.name))
		return 0;
	if (find_seat(domain, seats, &seat, err) < 0)
		return -1;
	if (!seat)
		return 0;
	if (swap(domain, seats, seat, err) < 0 ||
	    vgpu_domain_format(domain, new, new_length, err) < 0)
		return -1;
	return 1;
}
