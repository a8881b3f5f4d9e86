/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's end of control.h: commands that other threads leave. For the loop's thread only. */
#ifndef VGPU_MEDIATORD_CONTROL_QUEUE_H
#define VGPU_MEDIATORD_CONTROL_QUEUE_H

#include "mediatord/control.h"

struct mediator;

/* Returns 0, or -1 and err. */
int control_new(struct mediator *mediator, struct control **control, struct vgpu_error **err);

/* No other thread may use it any more. */
void control_free(struct control **control);

/* SOURCE_COMMANDS: carries out what was left. */
void control_ready(struct control *control);

/* From now on every call fails with ESHUTDOWN, those that wait included. */
void control_close(struct control *control);

#endif
