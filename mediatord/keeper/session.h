/* SPDX-License-Identifier: Apache-2.0 */
/* The connected mediator: what it asks for, and what it is told. */
#ifndef VGPU_MEDIATORD_KEEPER_SESSION_H
#define VGPU_MEDIATORD_KEEPER_SESSION_H

#include "mediatord/keeper/keeper.h"

/* A caller said HELLO: it is refused, or becomes the mediator. Ends its place among the callers. */
void session_hello(struct keeper *keeper, struct source *caller);

/* Whether a mediator is connected, and has not hung up. */
bool session_is_up(const struct keeper *keeper);

/* Its socket is readable: takes one message. */
void session_readable(struct keeper *keeper);

/* It is gone. Takes a message that it left, or the end of the stream. */
void session_hung_up(struct keeper *keeper);

/* Sends what it is owed, as far as it goes, and decides what its socket is watched for. */
void session_flush(struct keeper *keeper);

/* The mediator is gone. Its workers stay. */
void session_end(struct keeper *keeper);

#endif
