/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/events: server-sent events. A stream that has nothing to send is suspended and costs no
 * thread; the feed's thread wakes all of them. One whose client reads too slowly, so that what it
 * is to have next has left the ring, ends; the client comes back with the last id that it saw.
 */
#include <stdio.h>
#include <time.h>

#include "common/clock.h"
#include "common/uuid.h"
#include "mediatord/event_feed.h"
#include "mediatord/rest/internal.h"

#define STREAMS_MAX   64u
#define KEEP_ALIVE_NS (4 * VGPU_NS_PER_SECOND)
#define EVENT_BYTES   768 /* an event's text is never longer */

struct stream {
	struct rest_streams *streams;
	struct stream *next, **link;
	struct MHD_Connection *connection;
	uint64_t last_id;
	int64_t sent_ns;
	bool lost;	/* the client is to be told so, once */
	bool began;	/* something was sent */
	bool suspended; /* guarded by the lock, as the list */
};

struct rest_streams {
	struct event_feed *feed;
	pthread_mutex_t lock;
	struct stream *first;
	unsigned int count;
	bool stopping;
};

static void add_time(struct json_text *text, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm parts;
	char stamp[32] = "";

	if (gmtime_r(&seconds, &parts))
		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &parts);
	json_text_format(text, "{\"time\":\"%s.%03dZ\"", stamp, (int)(ms % 1000));
}

static bool is_of_gpu(enum event_type type)
{
	return type == EVENT_GPU_FAILED || type == EVENT_GPU_RESTORED;
}

static void add_event(struct json_text *text, const struct event *event)
{
	char uuid[VGPU_UUID_TEXT];

	json_text_format(text, "id: %llu\nevent: %s\ndata: ", (unsigned long long)event->id,
			 event_type_name(event->type));
	add_time(text, event->time_ms);
	if (event->has_vm) {
		vgpu_uuid_format(event->vm, uuid);
		json_text_format(text, ",\"vm\":\"%s\"", uuid);
	}
	if (event->has_number)
		json_text_format(text, ",\"%s\":%u", is_of_gpu(event->type) ? "gpu" : "channel",
				 event->number);
	if (event->pid)
		json_text_format(text, ",\"pid\":%d", (int)event->pid);
	if (event->text[0]) {
		JSON_TEXT_ADD(text, ",\"text\":");
		json_text_string(text, event->text);
	}
	JSON_TEXT_ADD(text, "}\n\n");
}

/* What there is to say now, within `size` bytes. */
static void fill(struct stream *stream, struct json_text *text, size_t size)
{
	struct event list[8];
	size_t room = size / EVENT_BYTES, count;
	bool lost;

	count = events_after(event_feed_events(stream->streams->feed), stream->last_id, list,
			     room < 8 ? room : 8, &lost);
	/* First it is told that it missed some; a second time its stream ends. */
	if (lost && !stream->began) {
		stream->lost = true;
	} else if (lost) {
		text->failed = true;
		return;
	}
	if (stream->lost) {
		JSON_TEXT_ADD(text, "event: lost\ndata: {}\n\n");
		stream->lost = false;
		count = count == room && count ? count - 1 : count;
		if (!count)
			stream->last_id = events_last(event_feed_events(stream->streams->feed));
	}
	for (size_t i = 0; i < count; i++) {
		add_event(text, &list[i]);
		stream->last_id = list[i].id;
	}
}

/* MHD asks for more, from its own thread. */
static ssize_t read_stream(void *opaque, uint64_t position, char *buffer, size_t size)
{
	struct stream *stream = opaque;
	struct rest_streams *streams = stream->streams;
	struct json_text text = { .length = 0 };
	int64_t now = vgpu_now_ns();
	ssize_t length = MHD_CONTENT_READER_END_OF_STREAM;

	(void)position;
	pthread_mutex_lock(&streams->lock);
	if (!streams->stopping && size >= 2 * EVENT_BYTES)
		fill(stream, &text, size);
	/* Also at once, so that the client has its headers. */
	if (text.length == 0 && (!stream->began || now - stream->sent_ns >= KEEP_ALIVE_NS))
		JSON_TEXT_ADD(&text, ":\n\n");
	if (!streams->stopping && !text.failed && text.length <= size) {
		memcpy(buffer, text.data ? text.data : "", text.length);
		length = (ssize_t)text.length;
		stream->began = true;
		if (length > 0)
			stream->sent_ns = now;
	}
	if (length == 0) {
		stream->suspended = true;
		MHD_suspend_connection(stream->connection);
	}
	pthread_mutex_unlock(&streams->lock);
	free(text.data);
	return length;
}

static void free_stream(void *opaque)
{
	struct stream *stream = opaque;
	struct rest_streams *streams = stream->streams;

	pthread_mutex_lock(&streams->lock);
	*stream->link = stream->next;
	if (stream->next)
		stream->next->link = stream->link;
	streams->count--;
	pthread_mutex_unlock(&streams->lock);
	free(stream);
}

/* Has each stream look whether there is something for it. */
static void wake_all(void *opaque)
{
	struct rest_streams *streams = opaque;

	pthread_mutex_lock(&streams->lock);
	for (struct stream *stream = streams->first; stream; stream = stream->next)
		if (stream->suspended) {
			stream->suspended = false;
			MHD_resume_connection(stream->connection);
		}
	pthread_mutex_unlock(&streams->lock);
}

int rest_streams_new(struct event_feed *feed, struct rest_streams **streams,
		     struct vgpu_error **err)
{
	struct rest_streams *made = calloc(1, sizeof(*made));

	if (!made)
		return vgpu_error_set(err, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
	made->feed = feed;
	pthread_mutex_init(&made->lock, NULL);
	event_feed_listen(feed, wake_all, made);
	*streams = made;
	return 0;
}

void rest_streams_end(struct rest_streams *streams)
{
	pthread_mutex_lock(&streams->lock);
	streams->stopping = true;
	pthread_mutex_unlock(&streams->lock);
	wake_all(streams);
}

void rest_streams_free(struct rest_streams **streams)
{
	if (!*streams)
		return;
	event_feed_listen((*streams)->feed, NULL, NULL);
	pthread_mutex_destroy(&(*streams)->lock);
	free(*streams);
	*streams = NULL;
}

/* Takes the stream in, unless there are too many. */
static bool enlist(struct rest_streams *streams, struct stream *stream)
{
	bool room;

	pthread_mutex_lock(&streams->lock);
	room = streams->count < STREAMS_MAX && !streams->stopping;
	if (room) {
		stream->next = streams->first;
		stream->link = &streams->first;
		if (stream->next)
			stream->next->link = &stream->next;
		streams->first = stream;
		streams->count++;
	}
	pthread_mutex_unlock(&streams->lock);
	return room;
}

void rest_events(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	struct rest_streams *streams = rest->streams;
	VGPU_AUTO_FREE struct stream *stream = calloc(1, sizeof(*stream));
	uint64_t last = events_last(event_feed_events(streams->feed));

	if (request->last_event_id && !event_id_parse(request->last_event_id, &last)) {
		rest_problem(reply, MHD_HTTP_BAD_REQUEST,
			     "Last-Event-ID must be the id of an event, as this server gives them",
			     "Last-Event-ID");
		return;
	}
	if (!stream) {
		rest_problem(reply, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory", "");
		return;
	}
	stream->streams = streams;
	stream->connection = request->connection;
	stream->last_id = last;
	if (!enlist(streams, stream)) {
		rest_problem(reply, MHD_HTTP_SERVICE_UNAVAILABLE,
			     "too many streams of events are open", "");
		return;
	}
	reply->status = MHD_HTTP_OK;
	reply->content_type = "text/event-stream";
	reply->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 8192, read_stream,
							    stream, free_stream);
	if (!reply->response)
		free_stream(stream);
	vgpu_steal_pointer(&stream);
}
