/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/control_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include "common/condition.h"
#include "mediatord/mediator.h"

/* On the caller's stack, which waits until `done`. */
struct command {
	struct command *next;
	enum {
		COMMAND_PUT,
		COMMAND_DELETE,
		COMMAND_STATUS,
		COMMAND_GPUS,
		COMMAND_USAGES,
		COMMAND_USAGE_RESTORE,
		COMMAND_CALL
	} kind;
	const struct vm_config *config;
	const uint8_t *uuid;
	struct vm_status *status;
	const struct gpu_report *report;
	const struct vm_usage *usage;
	bool all;
	struct vm_usage **usages;
	size_t *count;
	control_function *function;
	void *argument;
	int64_t limit_ns; /* how long to wait for the loop to take it; 0: for ever */
	struct vgpu_error **err;
	int result;
	bool done;
	pthread_cond_t finished;
};

struct control {
	struct mediator *mediator;
	struct source *source;
	int event_fd;
	pthread_t owner;      /* the loop's thread, which cannot wait for itself */
	pthread_mutex_t lock; /* of everything below, and of each command's `done` */
	struct command *first;
	struct command **end;
	bool closed;
};

int control_new(struct mediator *mediator, struct control **control, struct vgpu_error **err)
{
	struct control *made = calloc(1, sizeof(*made));

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->mediator = mediator;
	made->end = &made->first;
	made->owner = pthread_self();
	pthread_mutex_init(&made->lock, NULL);
	made->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (made->event_fd >= 0)
		made->source = loop_add(mediator->loop, SOURCE_COMMANDS, made->event_fd, made);
	if (!made->source) {
		vgpu_error_errno(err, errno, "cannot make the command queue");
		control_free(&made);
		return -1;
	}
	*control = made;
	return 0;
}

void control_free(struct control **control)
{
	if (!*control)
		return;
	loop_remove((*control)->mediator->loop, &(*control)->source);
	if ((*control)->event_fd >= 0)
		close((*control)->event_fd);
	pthread_mutex_destroy(&(*control)->lock);
	free(*control);
	*control = NULL;
}

static void carry_out(struct mediator *mediator, struct command *command)
{
	switch (command->kind) {
	case COMMAND_PUT:
		command->result = mediator_vm_put(mediator, command->config, command->err);
		break;
	case COMMAND_DELETE:
		mediator_vm_delete(mediator, command->uuid);
		command->result = 0;
		break;
	case COMMAND_STATUS:
		command->result =
			mediator_vm_status(mediator, command->uuid, command->status, command->err);
		break;
	case COMMAND_USAGES:
		command->result = mediator_usages(mediator, command->all, command->usages,
						  command->count, command->err);
		break;
	case COMMAND_USAGE_RESTORE:
		command->result = mediator_usage_restore(mediator, command->usage, command->err);
		break;
	case COMMAND_GPUS:
		mediator_gpus(mediator, command->report);
		command->result = 0;
		break;
	case COMMAND_CALL:
		command->result = command->function(mediator, command->argument, command->err);
		break;
	}
}

/* Takes the whole queue. */
static struct command *take(struct control *control, bool close_it)
{
	struct command *commands;

	pthread_mutex_lock(&control->lock);
	commands = control->first;
	control->first = NULL;
	control->end = &control->first;
	control->closed = control->closed || close_it;
	pthread_mutex_unlock(&control->lock);
	return commands;
}

/* The command belongs to its caller again, and may be gone when this returns. */
static void finish(struct control *control, struct command *command)
{
	pthread_mutex_lock(&control->lock);
	command->done = true;
	pthread_cond_signal(&command->finished);
	pthread_mutex_unlock(&control->lock);
}

void control_ready(struct control *control)
{
	struct command *commands;
	uint64_t count;
	ssize_t got = read(control->event_fd, &count, sizeof(count));

	(void)got; /* nothing there: another round took the commands already */
	commands = take(control, false);
	for (struct command *command = commands; command; command = command->next)
		carry_out(control->mediator, command);
	/* What was asked for is in force where the GPUs' owners are told, too. */
	mediator_schedule(control->mediator);
	while (commands) {
		struct command *next = commands->next;

		finish(control, commands);
		commands = next;
	}
}

void control_close(struct control *control)
{
	struct command *command = take(control, true);

	while (command) {
		struct command *next = command->next;

		command->result =
			vgpu_error_set(command->err, ESHUTDOWN, "the mediator is shutting down");
		finish(control, command);
		command = next;
	}
}

/* Takes a command back that the loop has not taken. Returns false where it has. */
static bool withdraw(struct control *control, struct command *command)
{
	struct command **place = &control->first;

	while (*place && *place != command)
		place = &(*place)->next;
	if (!*place)
		return false;
	*place = command->next;
	if (control->end == &command->next)
		control->end = place;
	return true;
}

/* Waits until it is done, or, where there is a limit, was withdrawn. The lock is held. */
static void await(struct control *control, struct command *command)
{
	int64_t due = vgpu_now_ns() + command->limit_ns;
	bool limited = command->limit_ns > 0;

	while (!command->done) {
		if (!limited) {
			pthread_cond_wait(&command->finished, &control->lock);
		} else if (!vgpu_condition_wait(&command->finished, &control->lock, due)) {
			/* One that it has taken belongs to it until it is done. */
			limited = false;
			if (withdraw(control, command)) {
				command->result =
					vgpu_error_set(command->err, ETIMEDOUT,
						       "the mediator's loop does not answer");
				return;
			}
		}
	}
}

static int call(struct control *control, struct command *command)
{
	const uint64_t one = 1;

	if (pthread_equal(pthread_self(), control->owner)) {
		carry_out(control->mediator, command);
		return command->result;
	}
	vgpu_condition_init(&command->finished);
	pthread_mutex_lock(&control->lock);
	if (control->closed) {
		command->result =
			vgpu_error_set(command->err, ESHUTDOWN, "the mediator is shutting down");
	} else {
		ssize_t written;

		*control->end = command;
		control->end = &command->next;
		/* Fails only where the counter is full, and then the loop is awake anyway. */
		written = write(control->event_fd, &one, sizeof(one));
		(void)written;
		await(control, command);
	}
	pthread_mutex_unlock(&control->lock);
	pthread_cond_destroy(&command->finished);
	return command->result;
}

int control_vm_put(struct control *control, const struct vm_config *config, struct vgpu_error **err)
{
	struct command command = { .kind = COMMAND_PUT, .config = config, .err = err };

	return call(control, &command);
}

int control_vm_delete(struct control *control, const uint8_t uuid[16], struct vgpu_error **err)
{
	struct command command = { .kind = COMMAND_DELETE, .uuid = uuid, .err = err };

	return call(control, &command);
}

int control_vm_status(struct control *control, const uint8_t uuid[16], struct vm_status *status,
		      struct vgpu_error **err)
{
	struct command command = {
		.kind = COMMAND_STATUS, .uuid = uuid, .status = status, .err = err
	};

	return call(control, &command);
}

int control_gpus(struct control *control, const struct gpu_report *report, struct vgpu_error **err)
{
	struct command command = { .kind = COMMAND_GPUS, .report = report, .err = err };

	return call(control, &command);
}

int control_usages(struct control *control, bool all, struct vm_usage **usages, size_t *count,
		   struct vgpu_error **err)
{
	struct command command = {
		.kind = COMMAND_USAGES, .all = all, .usages = usages, .count = count, .err = err
	};

	return call(control, &command);
}

int control_call_within(struct control *control, int64_t limit_ns, control_function *function,
			void *argument, struct vgpu_error **err)
{
	struct command command = { .kind = COMMAND_CALL,
				   .function = function,
				   .argument = argument,
				   .limit_ns = limit_ns,
				   .err = err };

	return call(control, &command);
}

int control_call(struct control *control, control_function *function, void *argument,
		 struct vgpu_error **err)
{
	return control_call_within(control, 0, function, argument, err);
}

int control_usage_restore(struct control *control, const struct vm_usage *usage,
			  struct vgpu_error **err)
{
	struct command command = { .kind = COMMAND_USAGE_RESTORE, .usage = usage, .err = err };

	return call(control, &command);
}
