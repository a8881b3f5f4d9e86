/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/ctl/change.h"

#include <stdio.h>
#include <string.h>

#include "mediatord/ctl/values.h"

#define PRECONDITION_FAILED 412

/* How often --force tries; somebody who changes it each time is no operator. */
#define TRIES_MAX 20u

int change_body(struct ctl *ctl, const struct command *command, int count, char **words,
		json_t *body)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	char title[32];

	for (int i = 0; i < count; i++) {
		if (values_add(body, words[i], strcmp(command->group, "profile") == 0,
			       strcmp(command->name, "set") == 0, &err) == 0)
			continue;
		vgpu_error_prefix(&err, "%s", command_title(command, title, sizeof(title)));
		return ctl_fail_error(ctl, err);
	}
	return 0;
}

/* Reads what is there, with its ETag as a header. Returns 0, or an exit status. */
static int read_current(struct ctl *ctl, const char *path, char *header, size_t size,
			json_t **current)
{
	REST_AUTO_REPLY struct rest_reply reply = { 0 };
	const struct rest_request request = { .method = "GET", .path = path };
	int status = ctl_call(ctl, &request, &reply);

	if (status)
		return status;
	if (!rest_success(&reply))
		return ctl_fail_reply(ctl, &reply);
	if (!reply.etag[0])
		return ctl_fail(ctl, EX_PROTOCOL, "the mediator's answer has no ETag");
	snprintf(header, size, "If-Match: %s", reply.etag);
	return ctl_parse(ctl, &reply, current);
}

/* One try. *lost: somebody was quicker; it is reported unless there is to be another try. */
static int try_change(struct ctl *ctl, struct rest_request request, change_maker *make,
		      const json_t *change, json_t **answer, bool *lost)
{
	REST_AUTO_REPLY struct rest_reply reply = { 0 };
	VGPU_AUTO_JSON json_t *current = NULL, *body = NULL;
	VGPU_AUTO_FREE char *text = NULL;
	char header[sizeof(reply.etag) + 16];
	int status = read_current(ctl, request.path, header, sizeof(header), &current);

	if (status)
		return status;
	body = make(current, change);
	text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	if (!text)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	request.body = text;
	request.header = header;
	status = ctl_call(ctl, &request, &reply);
	if (status)
		return status;
	*lost = reply.status == PRECONDITION_FAILED;
	if (*lost && ctl->force)
		return EX_TEMPFAIL;
	if (*lost)
		return ctl_fail(ctl, EX_TEMPFAIL,
				"somebody else changed it in this moment, and nothing was changed "
				"now: look at it and try again, or use --force");
	return rest_success(&reply) ? ctl_parse(ctl, &reply, answer) : ctl_fail_reply(ctl, &reply);
}

int change_send(struct ctl *ctl, const char *method, const char *path, change_maker *make,
		const json_t *change, json_t **answer)
{
	const struct rest_request request = {
		.method = method,
		.path = path,
		.content_type =
			strcmp(method, "PATCH") == 0 ? "application/merge-patch+json" : NULL,
	};

	*answer = NULL;
	for (unsigned int i = 0; i < TRIES_MAX; i++) {
		bool lost = false;
		int status = try_change(ctl, request, make, change, answer, &lost);

		if (!lost || !ctl->force)
			return status;
	}
	return ctl_fail(ctl, EX_TEMPFAIL,
			"others changed it %u times meanwhile; nothing was changed", TRIES_MAX);
}
