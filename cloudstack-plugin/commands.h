/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of vgpu-cloudstack: each gets what follows its name, with its name as argv[0]. */
#ifndef VGPU_CLOUDSTACK_COMMANDS_H
#define VGPU_CLOUDSTACK_COMMANDS_H

/* Each returns the exit status. */
int command_discover(int argc, char **argv);
int command_offerings(int argc, char **argv);
int command_state(int argc, char **argv);
int command_sync(int argc, char **argv);
int command_transform(int argc, char **argv);

extern const char help_discover[], help_offerings[], help_state[], help_sync[], help_transform[];

#endif
