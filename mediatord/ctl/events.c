/* SPDX-License-Identifier: Apache-2.0 */
/* vgpuctl events. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mediatord/ctl/ctl.h"
#include "mediatord/ctl/show.h"
#include "mediatord/ctl/sse.h"
#include "mediatord/ctl/text.h"

/* The mediator says something at least every 15 s. */
#define SILENCE_SECONDS 60
/* Between attempts to reach it again. */
#define RETRY_SECONDS 1

struct follower {
	struct ctl *ctl;
	struct sse sse;
	bool failed;  /* standard output takes no more */
	bool refused; /* what came is no stream of events */
	bool done;    /* what was asked for is there */
	bool began;   /* there was a mediator that told events */
	/* Without --follow: when this was asked, in the form of the events' times. */
	char until[64];
};

/* A member that is no part of every line, as " KEY=VALUE". */
static void print_member(const char *key, const json_t *value)
{
	VGPU_AUTO_FREE char *dumped =
		json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	VGPU_AUTO_FREE char *name = text_visible(key, NULL);
	VGPU_AUTO_FREE char *text = text_visible(json_is_string(value) ? json_string_value(value)
						 : dumped	       ? dumped
								       : "",
						 NULL);

	printf(" %s=%s", name ? name : "", text ? text : "");
}

/* One line: when, what, and everything else that the event says. */
static void print_event(const struct sse_event *event, json_t *json)
{
	VGPU_AUTO_FREE char *type = text_visible(event->type, NULL);
	VGPU_AUTO_FREE char *id = text_visible(event->id, NULL);
	VGPU_AUTO_FREE char *when = text_visible(show_text(json, "time", "-"), NULL);
	const char *key;
	json_t *value;

	printf("%s %s %s", id && *id ? id : "-", when ? when : "-", type && *type ? type : "-");
	json_object_foreach (json, key, value)
		if (strcmp(key, "time") != 0 && strcmp(key, "type") != 0 && strcmp(key, "id") != 0)
			print_member(key, value);
	putchar('\n');
}

static bool take_event(void *opaque, const struct sse_event *event)
{
	struct follower *follower = opaque;
	VGPU_AUTO_JSON json_t *json =
		json_loadb(event->data, strlen(event->data), JSON_REJECT_DUPLICATES, NULL);

	/* A mediator that always has something to tell would have no end. */
	follower->done =
		follower->until[0] && strcmp(show_text(json, "time", ""), follower->until) > 0;
	/* Who asks for all that there is knows that there was more once. */
	if (follower->done || (follower->until[0] && strcmp(event->type, "lost") == 0))
		return !follower->done;
	/* What is no object is shown as it is. */
	if (!json_is_object(json)) {
		json_decref(json);
		json = json_pack("{s:s}", "data", event->data);
	}
	if (follower->ctl->json) {
		json_object_set_new(json, "id", json_string(event->id));
		if (*event->type)
			json_object_set_new(json, "type", json_string(event->type));
		json_dumpf(json, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
	} else {
		print_event(event, json);
	}
	follower->failed = fflush(stdout) != 0;
	return !follower->failed;
}

static bool take_bytes(void *opaque, const char *bytes, size_t length, struct vgpu_error **err)
{
	struct follower *follower = opaque;
	bool go_on = sse_take(&follower->sse, bytes, length, err);

	follower->began = true;
	follower->refused = !go_on && !follower->failed && !follower->done;
	return go_on;
}

/*
 * One connection, until it ends. Returns 0 where it was a stream of events, or an exit status. What
 * came before is not asked for again.
 */
static int follow_once(struct follower *follower)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	REST_AUTO_REPLY struct rest_reply reply = { 0 };
	struct ctl *ctl = follower->ctl;
	char header[SSE_TEXT_MAX + 32];
	const struct rest_request request = {
		.method = "GET",
		.path = "/v1/events",
		.header = follower->sse.id[0] ? header : NULL,
		.sink = take_bytes,
		.opaque = follower,
		/* Without --follow: what there is comes at once. */
		.silence_seconds = ctl->follow ? SILENCE_SECONDS : 1,
	};
	int result;

	snprintf(header, sizeof(header), "Last-Event-ID: %s", follower->sse.id);
	sse_restart(&follower->sse);
	result = rest_call(&ctl->server, &request, &reply, &err);
	if (follower->failed)
		return EX_IOERR; /* main() says so */
	if (follower->done)
		return 0;
	if (follower->refused || (result < 0 && !follower->began))
		return ctl_fail_error(ctl, err);
	if (result < 0 && !ctl->follow)
		return err->status == ETIMEDOUT ? 0 : ctl_fail_error(ctl, err);
	if (result < 0) {
		if (!ctl->json)
			fprintf(stderr, "vgpuctl: %s; trying again\n", err->message);
		return 0;
	}
	return rest_success(&reply) ? 0 : ctl_fail_reply(ctl, &reply);
}

static void set_until(struct follower *follower)
{
	struct timespec now;
	struct tm parts;
	char seconds[24];

	clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &parts) &&
	    strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &parts))
		snprintf(follower->until, sizeof(follower->until), "%s.%03ldZ", seconds,
			 now.tv_nsec / 1000000);
}

static int events(struct ctl *ctl, int count, char **operands)
{
	struct follower follower = { .ctl = ctl };
	int status = server_prepare(ctl);

	(void)count;
	(void)operands;
	if (status)
		return status;
	sse_init(&follower.sse, take_event, &follower);
	if (ctl->since) {
		if (strlen(ctl->since) >= SSE_TEXT_MAX ||
		    ctl->since[strspn(ctl->since, "0123456789")])
			return ctl_fail(ctl, EX_USAGE, "events: --since: '%s' is no event's id",
					ctl->since);
		strcpy(follower.sse.id, ctl->since);
	} else if (!ctl->follow) {
		strcpy(follower.sse.id, "0");
	}
	if (!ctl->follow)
		set_until(&follower);
	status = follow_once(&follower);
	while (status == 0 && ctl->follow) {
		sleep(RETRY_SECONDS);
		status = follow_once(&follower);
	}
	sse_clear(&follower.sse);
	return status;
}

const struct command command_events = {
	.name = "events",
	.summary = "what happens, as it happens",
	.usage =
		"Usage: vgpuctl events [--follow] [--since ID]\n"
		"Prints the events that the mediator still knows, one a line: id, time, type, and\n"
		"what belongs to it. With --json each is one line with an object.\n"
		"\n"
		"  -f, --follow    go on with those to come, also after a restart of the mediator\n"
		"      --since=ID  only those after the one with this id\n",
	.options = "fs",
	.run = events,
};
