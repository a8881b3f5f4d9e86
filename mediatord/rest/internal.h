/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the files of REST:
 *
 *   rest/rest.c     starts and ends it
 *   rest/listen.c   the sockets
 *   rest/head.c     what its HTTP library lets through of a request's head, and must not
 *   rest/http.c     a request as it arrives, and the answer's form
 *   rest/who.c      who a client is, and what it may
 *   rest/origin.c   whose page a browser's request comes from
 *   rest/router.c   which handler
 *   rest/status.c   what VMs do, as of a moment ago
 *
 * The others are the handlers, a file a kind of resource.
 */
#ifndef VGPU_MEDIATORD_REST_INTERNAL_H
#define VGPU_MEDIATORD_REST_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include <jansson.h>

#include "mediatord/json_text.h"
#include "mediatord/rest/rest.h"
#include "mediatord/rest/query.h"
#include "mediatord/rest/router.h"

#define REST_JSON "application/json"

/* For the head of a request and of its answer, of each connection. */
#define REST_CONNECTION_BYTES 16384u

struct rest_status;
struct rest_streams;
struct tokens;

/* One of REST's sockets: what MHD's callbacks are given. */
struct rest_face {
	struct rest *rest;
	bool local; /* the control socket */
};

struct rest {
	struct rest_parts parts;
	const struct config *config;
	struct registry *registry;
	struct control *control;
	struct rest_status *status;
	struct tokens *tokens;
	struct rest_face local_face, remote_face;
	struct MHD_Daemon *local;  /* on the control socket */
	struct MHD_Daemon *remote; /* on TCP; or NULL */
	int local_fd;		   /* that MHD listens on */
	atomic_uint requests;	   /* that came and were not answered */
	atomic_bool draining;	   /* no connection is kept */
	char *socket_path;	   /* removed at the end, if it is still ours */
	unsigned long long socket_device, socket_inode;
	struct rest_streams *streams;
};

/* Who a client is. */
struct rest_caller {
	bool local;	     /* on the control socket, and no other site's page: may do all */
	char name[96];	     /* for the audit log; "" for nobody known */
	const char *refused; /* why it has no role, or NULL */
};

/* A request, whole and checked as far as HTTP goes. */
struct rest_request {
	struct rest_target target;
	struct rest_query query;
	struct registry_condition condition; /* of its headers */
	struct MHD_Connection *connection;
	const char *last_event_id; /* the header's value, or NULL */
	const char *if_none_match; /* the same */
	const char *body;
	size_t length;
};

struct rest_reply {
	unsigned int status;
	json_t *body;	       /* owned; NULL where there is a text, with 204, or without memory */
	struct json_text text; /* the body otherwise; owned */
	struct MHD_Response *response; /* instead of both; owned */
	const char *content_type;
	const char *allow;	  /* for 405 */
	const char *authenticate; /* for 401 */
	const char *retry_after;  /* seconds, for 429 */
	bool is_last;		  /* on its connection */
	char location[96];	  /* for 201; or "" */
	char etag[VM_ETAG_BYTES]; /* or "" */
};

/* Makes the reply a problem document. field may be "". */
void rest_problem(struct rest_reply *reply, unsigned int status, const char *detail,
		  const char *field);
/* The same of an error that carries the status; field may be NULL. */
void rest_error(struct rest_reply *reply, const struct vgpu_error *err,
		const struct vm_field_name *field);
/* Returns false and the reply (428) where a patch does not say what it was made from. */
bool rest_may_patch(const struct rest_request *request, struct rest_reply *reply);
/* JSON that was written; where there was no memory for it, the answer is 500. */
void rest_text(struct rest_reply *reply, struct json_text *text);

typedef void rest_handler(struct rest *rest, const struct rest_request *request,
			  struct rest_reply *reply);

rest_handler rest_health, rest_ready, rest_version, rest_openapi, rest_backup, rest_audit,
	rest_events;
rest_handler rest_metrics;
rest_handler rest_vm_list, rest_vm_get, rest_vm_put, rest_vm_patch, rest_vm_delete,
	rest_vm_channels, rest_vm_times, rest_cloudstack_get, rest_cloudstack_put, rest_domain_put,
	rest_domain_delete, rest_domain_report;
rest_handler rest_vm_pause, rest_vm_resume, rest_vm_drain, rest_vm_reset, rest_vm_quarantine,
	rest_vm_release;
rest_handler rest_token_list, rest_token_add, rest_token_delete;
rest_handler rest_gpu_list, rest_pool_list, rest_seat_list;
rest_handler rest_ui, rest_ui_file;
rest_handler rest_profile_list, rest_profile_get, rest_profile_put, rest_profile_patch,
	rest_profile_delete;

/* rest/http.c: MHD's callbacks; opaque is a struct rest_face. */
enum MHD_Result rest_access(void *opaque, struct MHD_Connection *connection, const char *url,
			    const char *method, const char *version, const char *upload_data,
			    size_t *upload_data_size, void **context);
void rest_completed(void *opaque, struct MHD_Connection *connection, void **context,
		    enum MHD_RequestTerminationCode why);
/*
 * Returns the status that answers a request at once for its head, whoever it is from, and *why; or
 * 0.
 */
unsigned int rest_head_refusal(struct MHD_Connection *connection, const char *version,
			       const char **why);
/* The value of a request's header, or NULL. */
const char *rest_header(struct MHD_Connection *connection, const char *name);

/* rest.c: nothing is decoded in paths and queries. */
size_t rest_keep_escapes(void *opaque, struct MHD_Connection *connection, char *text);

/* rest/tcp.c: listens where that is configured. Returns 0, or -1 and err. */
int rest_start_tcp(struct rest *rest, struct vgpu_error **err);

/* rest/who.c */
/* Whether a client may have what needs that. Returns 0, or the status that answers it. */
unsigned int rest_who_check(const struct rest_face *face, struct MHD_Connection *connection,
			    enum rest_need need, struct rest_caller *caller);
/* Who changed what, or tried to: in the log, and in the database. */
void rest_who_write_down(struct rest *rest, struct MHD_Connection *connection,
			 struct rest_caller *caller, const uint8_t uuid[16], const char *what,
			 unsigned int status);

/* A moment, in seconds since 1970, as RFC 3339 has it. */
json_t *rest_time_to_json(int64_t seconds);
/*
 * rest/origin.c: why a request with these headers, which may be NULL, is refused, or NULL. local:
 * it came by the control socket.
 */
const char *rest_origin_refusal(bool local, const char *host, const char *origin);

/* rest/listen.c: the control socket. Returns a listening socket, or -1 and err. */
int rest_listen_local(struct rest *rest, struct vgpu_error **err);
/* Removes it, if it is still ours. */
void rest_unlisten_local(struct rest *rest);

/* rest/status.c */
int rest_status_new(struct control *control, struct rest_status **status, struct vgpu_error **err);
void rest_status_free(struct rest_status **status);
/* Copies what is known of a VM, at most 100 ms old; nothing known: all zero. */
void rest_status_get(struct rest_status *status, const uint8_t uuid[16], struct vm_status *vm);
/* The next look shows what is so from now on. */
void rest_status_expire(struct rest_status *status);

/* rest/events.c */
int rest_streams_new(struct event_feed *feed, struct rest_streams **streams,
		     struct vgpu_error **err);
/* Ends them: before MHD is stopped. */
void rest_streams_end(struct rest_streams *streams);
void rest_streams_free(struct rest_streams **streams);

/* rest/vm_json.c: a VM as REST shows it. */
void rest_vm_write(struct json_text *text, const struct rest *rest, const struct vm_text *vm,
		   const struct vm_status *status);
void rest_channels_write(struct json_text *text, const struct vm_status *status);
void rest_times_write(struct json_text *text, const struct usage *usage);

#endif
