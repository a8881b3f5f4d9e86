/* SPDX-License-Identifier: Apache-2.0 */
/* What a mediator may send, and with which descriptors. */
#ifndef VGPU_MEDIATORD_KEEPER_MESSAGE_H
#define VGPU_MEDIATORD_KEEPER_MESSAGE_H

#include "mediatord/keeper_protocol.h"

/* NULL for a HELLO as it must be; otherwise what is wrong with it. */
const char *message_hello_fault(const union vgpu_keeper_message *message, size_t length);

/* How many descriptors a message has to carry. */
size_t message_fds(const union vgpu_keeper_message *message);

/*
 * The same for the bytes of what follows WELCOME. What it has to carry of descriptors is checked
 * by message_fds_fault(), for as many as message_fds() says; they stay the caller's.
 */
const char *message_fault(const union vgpu_keeper_message *message, size_t length);
const char *message_fds_fault(const union vgpu_keeper_message *message, const int *fds);

#endif
