/* SPDX-License-Identifier: Apache-2.0 */
#include <sysexits.h>

#include "xml/vgpu_xml.h"

int command_validate(const struct arguments *arguments, struct vgpu_domain *domain,
		     struct vgpu_error **err)
{
	(void)arguments;
	if (vgpu_domain_check(domain, err) < 0) {
		vgpu_error_prefix(err, "validate");
		return exit_status(*err);
	}
	return EX_OK;
}
