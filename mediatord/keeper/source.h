/* SPDX-License-Identifier: Apache-2.0 */
/* A descriptor that the keeper's loop waits for. */
#ifndef VGPU_MEDIATORD_KEEPER_SOURCE_H
#define VGPU_MEDIATORD_KEEPER_SOURCE_H

enum source_kind {
	SOURCE_SIGNALS,
	SOURCE_LISTENER,
	SOURCE_CALLER, /* connected, and has said no HELLO yet */
	SOURCE_MEDIATOR,
	SOURCE_PROCESS, /* the first member of a struct held */
};

struct source {
	enum source_kind kind;
	int fd; /* -1: none */
};

#endif
