/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: their text, their JSON, and their exit status. */
#include <stdarg.h>
#include <stdio.h>

#include "mediatord/ctl/ctl.h"
#include "mediatord/ctl/text.h"

static const char *status_code(int status)
{
	switch (status) {
	case CTL_REFUSED:
		return "refused";
	case EX_USAGE:
		return "usage";
	case EX_NOINPUT:
		return "no-input";
	case EX_UNAVAILABLE:
		return "unavailable";
	case EX_OSERR:
		return "system";
	case EX_CANTCREAT:
		return "cannot-create";
	case EX_IOERR:
		return "io";
	case EX_TEMPFAIL:
		return "conflict";
	case EX_PROTOCOL:
		return "protocol";
	case EX_NOPERM:
		return "permission";
	case EX_CONFIG:
		return "configuration";
	default:
		return "error";
	}
}

/* problem: the mediator's document, or NULL; stays the caller's. */
static int say(const struct ctl *ctl, int status, const char *message, json_t *problem)
{
	VGPU_AUTO_JSON json_t *json = NULL;
	VGPU_AUTO_FREE char *line = NULL;

	if (ctl->quiet)
		return status;
	if (!ctl->json) {
		line = text_visible(message, NULL);
		fprintf(stderr, "vgpuctl: %s\n", line ? line : "out of memory");
		return status;
	}
	/* Bytes of the command line need not be UTF-8, which JSON's strings are. */
	json = json_string(message);
	if (!json) {
		line = text_visible(message, NULL);
		json = json_string(line ? line : "");
	}
	json = json_pack("{s:{s:s, s:o, s:i}}", "error", "code", status_code(status), "message",
			 json ? json : json_string("an error whose text is no UTF-8"),
			 "exit_status", status);
	if (problem)
		json_object_set(json_object_get(json, "error"), "problem", problem);
	ctl_print_json(json);
	return status;
}

int ctl_fail(const struct ctl *ctl, int status, const char *format, ...)
{
	VGPU_AUTO_FREE char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return say(ctl, status, text ? text : "out of memory", NULL);
}

/* What an errno value stands for. */
static int error_status(int status)
{
	switch (status) {
	case ENOENT:
	case ECONNREFUSED:
	case ECONNRESET:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ETIMEDOUT:
		return EX_UNAVAILABLE;
	case EACCES:
	case EPERM:
		return EX_NOPERM;
	case EPROTO:
		return EX_PROTOCOL;
	case EINVAL:
		return EX_USAGE;
	case ENOMEM:
		return EX_OSERR;
	default:
		return EX_SOFTWARE;
	}
}

int ctl_fail_error(const struct ctl *ctl, const struct vgpu_error *err)
{
	return say(ctl, error_status(err->status), err->message, NULL);
}

int ctl_fail_exit(const struct ctl *ctl, const struct vgpu_error *err)
{
	return say(ctl, err->status, err->message, NULL);
}

static int reply_status(long http)
{
	switch (http) {
	case 401:
	case 403:
		return EX_NOPERM;
	case 409:
	case 412:
		return EX_TEMPFAIL;
	case 503:
		return EX_UNAVAILABLE;
	default:
		return http >= 400 && http < 600 ? CTL_REFUSED : EX_PROTOCOL;
	}
}

int ctl_fail_reply(const struct ctl *ctl, const struct rest_reply *reply)
{
	VGPU_AUTO_JSON json_t *problem =
		json_loadb(reply->body, reply->length, JSON_REJECT_DUPLICATES, NULL);
	const char *field = json_string_value(json_object_get(problem, "field"));
	VGPU_AUTO_FREE char *text = rest_reply_problem(reply);
	VGPU_AUTO_FREE char *message = NULL;

	if (asprintf(&message, "%s%s%s", field ? field : "", field ? ": " : "",
		     text ? text : "out of memory") < 0)
		message = NULL;
	return say(ctl, reply_status(reply->status), message ? message : "out of memory",
		   json_is_object(problem) ? problem : NULL);
}
