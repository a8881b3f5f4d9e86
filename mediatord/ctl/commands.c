/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "mediatord/ctl/ctl.h"

const struct command *const commands[] = {
	&command_vm_list,	&command_vm_show,     &command_vm_add,	    &command_vm_set,
	&command_vm_rm,		&command_vm_pause,    &command_vm_resume,   &command_vm_drain,
	&command_vm_quarantine, &command_vm_release,  &command_vm_reset,    &command_profile_list,
	&command_profile_show,	&command_profile_add, &command_profile_set, &command_profile_rm,
	&command_pool_list,	&command_gpu_list,    &command_gpu_show,    &command_seat_list,
	&command_channel_list,	&command_token_list,  &command_token_add,   &command_token_rm,
	&command_top,		&command_events,      &command_audit,	    &command_backup,
	&command_doctor,	&command_version,     &command_help,	    NULL,
};

const struct command *command_find(int count, char *const *words, int *used)
{
	for (size_t i = 0; count > 0 && commands[i]; i++) {
		const struct command *command = commands[i];

		*used = command->group ? 2 : 1;
		if (*used > count || strcmp(words[*used - 1], command->name) != 0)
			continue;
		if (!command->group || strcmp(words[0], command->group) == 0)
			return command;
	}
	return NULL;
}

const char *command_title(const struct command *command, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", command->group ? command->group : "",
		 command->group ? " " : "", command->name);
	return text;
}
