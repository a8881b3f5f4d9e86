/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/mediatord/keeper-child.h"

#include <signal.h>
#include <unistd.h>

#include "mediatord/keeper/keeper.h"

static void run(const char *path)
{
	struct listener listener = LISTENER_NONE;
	struct keeper *keeper = NULL;

	signal(SIGPIPE, SIG_IGN);
	if (listener_open(&listener, path, NULL) == 0 &&
	    keeper_new(&listener, "/nonexistent", 1, &keeper, NULL) == 0)
		keeper_run(keeper, NULL);
	keeper_free(&keeper);
	listener_close(&listener);
	_exit(0);
}

void keeper_child_start(const char *path)
{
	if (fork() == 0)
		run(path);
	while (access(path, F_OK) < 0)
		usleep(1000);
}
