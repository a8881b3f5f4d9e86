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

/*
 * A vGPU for a domain without a seat, by what CloudStack wrote into its metadata. Returns 1, 0
 * where it gets none, or -1 and err.
 */
static int put_in(struct vgpu_domain *domain, const struct vgpu_domain_info *info,
		  const struct seats *seats, const struct profiles *profiles, bool *needed,
		  struct vgpu_error **err)
{
	OFFERING_NAMES_AUTO struct offering_names names = { .name = NULL };
	struct vgpu_domain_options options = { .link_dir = seats->link_dir };

	/* One that has it was here before. */
	if (info->state == VGPU_DOMAIN_ATTACHED || info->state == VGPU_DOMAIN_FOREIGN)
		return 0;
	if (offering_names_read(domain, &names, err) < 0)
		return -1;
	if (profiles_find(profiles, &names, &options.profile, err) < 0) {
		*needed = true;
		return -1;
	}
	*needed =
		options.profile || (info->state == VGPU_DOMAIN_REQUESTED && profiles->extraconfig);
	if (!*needed)
		return 0;
	if (info->state == VGPU_DOMAIN_REQUESTED && !profiles->extraconfig)
		return vgpu_error_set(
			err, EINVAL,
			"metadata that is not CloudStack's asks for a vGPU, beside its "
			"service offering");
	return vgpu_domain_attach(domain, &options, err) < 0 ? -1 : 1;
}

int transform(const char *xml, size_t length, const struct seats *seats,
	      const struct profiles *profiles, char **new, size_t *new_length, bool *needed,
	      struct vgpu_error **err)
{
	VGPU_AUTO_DOMAIN struct vgpu_domain *domain = NULL;
	VGPU_AUTO_DOMAIN_INFO struct vgpu_domain_info info = { .slot = -1 };
	const struct seat *seat;
	int changed;

	*needed = false;
	if (vgpu_domain_parse(&domain, xml, length, err) < 0 ||
	    vgpu_domain_inspect(domain, &info, err) < 0)
		return -1;
	if (!info.name || is_system_vm(info.name))
		return 0;
	if (find_seat(domain, seats, &seat, err) < 0)
		return -1;
	if (seat)
		changed = swap(domain, seats, seat, err) < 0 ? -1 : 1;
	else
		changed = put_in(domain, &info, seats, profiles, needed, err);
	if (changed <= 0)
		return changed;
	return vgpu_domain_format(domain, new, new_length, err) < 0 ? -1 : 1;
}
