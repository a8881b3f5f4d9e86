/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu.h as libvgpu's own sources see it: what it declares is exported. */
#ifndef VGPU_GUEST_PUBLIC_H
#define VGPU_GUEST_PUBLIC_H

#define VGPU_API __attribute__((visibility("default")))
#include "guest-agent/vgpu.h"

/* Values that both headers define must be the same: the compiler refuses them otherwise. */
#include "common/ring.h"

#endif
