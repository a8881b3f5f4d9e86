/* SPDX-License-Identifier: Apache-2.0 */
/* How `set` and `add` of VMs and profiles change what there is. */
#ifndef VGPU_CTL_CHANGE_H
#define VGPU_CTL_CHANGE_H

#include "mediatord/ctl/ctl.h"

/*
 * Makes the body of a change from KEY=VALUE words, for a command of the group vm or profile, named
 * add or set. Returns 0, or an exit status with the error reported.
 */
int change_body(struct ctl *ctl, const struct command *command, int count, char **words,
		json_t *body);

/*
 * Changes what is at path, provided that nobody else did since it was read here; with --force,
 * tries that again where somebody did. make returns the body of the change, of which the caller
 * owns a reference, out of what there is; or NULL. Returns as ctl_send().
 */
typedef json_t *change_maker(const json_t *current, const json_t *change);
int change_send(struct ctl *ctl, const char *method, const char *path, change_maker *make,
		const json_t *change, json_t **answer);

#endif
