/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/keeper/held.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct held *held_new(uint64_t worker)
{
	struct held *held = calloc(1, sizeof(*held));

	if (!held)
		return NULL;
	held->process = (struct source){ .kind = SOURCE_PROCESS, .fd = -1 };
	held->worker = worker;
	held->told = HELD_TOLD;
	for (int i = 0; i < VGPU_KEEPER_FDS; i++)
		held->fds[i] = -1;
	return held;
}

void held_free(struct held *held)
{
	for (int i = 0; i < VGPU_KEEPER_FDS; i++)
		if (held->fds[i] >= 0)
			close(held->fds[i]);
	free(held);
}

/* As waitpid() has it. */
static int wait_status(const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		return info->si_status << 8;
	return info->si_status | (info->si_code == CLD_DUMPED ? WCOREFLAG : 0);
}

bool held_reap(struct held *held)
{
	siginfo_t info = { .si_pid = 0 };

	if (waitid(P_PIDFD, (id_t)held->fds[VGPU_KEEPER_FD_OTHER], &info, WEXITED | WNOHANG) < 0)
		held->status = -1; /* an earlier keeper's: it is init's child now */
	else if (info.si_pid == 0)
		return false;
	else
		held->status = wait_status(&info);
	held->ended = true;
	return true;
}

void held_kill(const struct held *held)
{
	pidfd_send_signal(held->fds[VGPU_KEEPER_FD_OTHER], SIGKILL, NULL, 0);
}
