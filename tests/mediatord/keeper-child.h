/* SPDX-License-Identifier: Apache-2.0 */
/* A keeper without a worker program, for mediators that tests make themselves. */
#ifndef VGPU_TESTS_KEEPER_CHILD_H
#define VGPU_TESTS_KEEPER_CHILD_H

/* Runs one in a child until its mediator ends; returns when it can be connected to. */
void keeper_child_start(const char *path);

#endif
