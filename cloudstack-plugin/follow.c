/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/follow.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "common/rest_client.h"

#define RETRY_S	       5
#define SILENCE_S      60 /* a comment comes every few seconds */
#define LINE_MAX_BYTES 64

struct follow {
	char *socket;
	int eventfd;
	bool told; /* on this connection */
	/* The line that comes in: its beginning, which is all that matters. */
	char line[LINE_MAX_BYTES];
	size_t length;
};

static void wake(const struct follow *follow)
{
	const uint64_t one = 1;

	/* Full of those before is as good. */
	if (write(follow->eventfd, &one, sizeof(one)) < 0)
		return;
}

static void end_line(struct follow *follow)
{
	follow->line[follow->length] = '\0';
	/* lost: what happened is not known. */
	if (strcmp(follow->line, "event: vm.registered") == 0 ||
	    strcmp(follow->line, "event: vm.attached") == 0 ||
	    strcmp(follow->line, "event: lost") == 0)
		wake(follow);
	follow->length = 0;
}

static bool take(void *opaque, const char *bytes, size_t length, struct vgpu_error **err)
{
	struct follow *follow = opaque;

	(void)err;
	/* What happened while there was no connection is not known either. */
	if (!follow->told)
		wake(follow);
	follow->told = true;
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n')
			end_line(follow);
		else if (follow->length < sizeof(follow->line) - 1)
			follow->line[follow->length++] = bytes[i];
	}
	return true;
}

static void *run(void *opaque)
{
	struct follow *follow = opaque;
	const struct timespec pause = { .tv_sec = RETRY_S };
	const struct rest_server server = {
		.socket = follow->socket,
		.timeout_ms = RETRY_S * 1000,
		.reply_max = 4096,
	};
	const struct rest_request request = {
		.method = "GET",
		.path = "/v1/events",
		.sink = take,
		.opaque = follow,
		.silence_seconds = SILENCE_S,
	};

	for (;;) {
		REST_AUTO_REPLY struct rest_reply reply = { 0 };

		follow->told = false;
		follow->length = 0;
		rest_call(&server, &request, &reply, NULL);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

int follow_start(const char *socket, int eventfd, struct vgpu_error **err)
{
	struct follow *follow = calloc(1, sizeof(*follow));
	pthread_t thread;
	int failed = ENOMEM;

	/* Before there are two threads that might do it. */
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (follow) {
		/* The thread may outlive the caller's by a moment. */
		follow->socket = strdup(socket);
		follow->eventfd = eventfd;
		if (follow->socket)
			failed = pthread_create(&thread, NULL, run, follow);
	}
	if (failed) {
		if (follow)
			free(follow->socket);
		free(follow);
		return vgpu_error_errno(err, failed, "cannot start a thread");
	}
	pthread_detach(thread);
	return 0;
}
