/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/agent/agent.h"

volatile sig_atomic_t agent_caught;

static void catch_signal(int number)
{
	agent_caught = number;
}

void agent_catch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = catch_signal };

	/* A second one ends the program at once. */
	action.sa_flags = (int)SA_RESETHAND;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct sigaction before;

		/* nohup and background jobs ignore some; that stays. */
		if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
	}
}

int agent_end(int status)
{
	if (agent_caught) {
		signal(agent_caught, SIG_DFL);
		raise(agent_caught);
	}
	return status;
}
