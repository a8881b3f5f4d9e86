/* SPDX-License-Identifier: Apache-2.0 */
#include <sysexits.h>

#include "xml/vgpu_xml.h"

int command_detach(const struct arguments *arguments, struct vgpu_domain *domain,
		   struct vgpu_error **err)
{
	if (vgpu_domain_detach(domain, err) < 0) {
		vgpu_error_prefix(err, "detach");
		return exit_status(*err);
	}
	return write_domain(arguments, domain, err);
}
