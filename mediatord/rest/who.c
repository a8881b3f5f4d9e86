/* SPDX-License-Identifier: Apache-2.0 */
/* Who a client is, what it may, and what is written down of what it did. */
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "common/log.h"
#include "common/uuid.h"
#include "mediatord/rest/internal.h"
#include "mediatord/state/state.h"
#include "mediatord/token.h"

static bool role_suffices(enum rest_need need, enum token_role role)
{
	switch (need) {
	case REST_NEED_NOTHING:
	case REST_NEED_READ:
		return true;
	case REST_NEED_HOOK:
		return role == TOKEN_HOOK || role == TOKEN_OPERATE;
	case REST_NEED_OPERATE:
		return role == TOKEN_OPERATE;
	case REST_NEED_LOCAL:
		return false;
	}
	return false;
}

unsigned int rest_who_check(const struct rest_face *face, struct MHD_Connection *connection,
			    enum rest_need need, struct rest_caller *caller)
{
	enum token_role role = TOKEN_READ;
	char name[64];

	caller->refused =
		rest_origin_refusal(face->local, rest_header(connection, MHD_HTTP_HEADER_HOST),
				    rest_header(connection, MHD_HTTP_HEADER_ORIGIN));
	if (caller->refused)
		return MHD_HTTP_FORBIDDEN;
	caller->local = face->local;
	if (face->local || need == REST_NEED_NOTHING)
		return 0;
	switch (tokens_check(face->rest->tokens,
			     rest_header(connection, MHD_HTTP_HEADER_AUTHORIZATION), &role, name)) {
	case TOKEN_GOOD:
		break;
	case TOKEN_NONE:
		caller->refused = "an Authorization header with a bearer token is needed";
		return MHD_HTTP_UNAUTHORIZED;
	case TOKEN_WRONG:
		caller->refused = "there is no such token";
		return MHD_HTTP_UNAUTHORIZED;
	case TOKEN_EXPIRED:
		snprintf(caller->name, sizeof(caller->name), "token=%s", name);
		caller->refused = "the token has expired";
		return MHD_HTTP_UNAUTHORIZED;
	case TOKEN_TOO_OFTEN:
		caller->refused = "too many requests";
		return MHD_HTTP_TOO_MANY_REQUESTS;
	}
	snprintf(caller->name, sizeof(caller->name), "token=%s", name);
	if (role_suffices(need, role))
		return 0;
	caller->refused = need == REST_NEED_LOCAL ? "this is for the control socket alone"
						  : "the token's role does not allow that";
	return MHD_HTTP_FORBIDDEN;
}

/* The process on the control socket's other end. */
static void name_peer(struct MHD_Connection *connection, struct rest_caller *caller)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (info && getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0)
		snprintf(caller->name, sizeof(caller->name), "uid=%u,pid=%d",
			 (unsigned int)peer.uid, (int)peer.pid);
}

void rest_who_write_down(struct rest *rest, struct MHD_Connection *connection,
			 struct rest_caller *caller, const uint8_t uuid[16], const char *what,
			 unsigned int status)
{
	static const uint8_t none[16];
	char number[16], vm[VGPU_UUID_TEXT];
	struct state_audit audit = { .time = (int64_t)time(NULL), .what = what, .status = status };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (caller->local)
		name_peer(connection, caller);
	audit.who = caller->name[0] ? caller->name : "nobody";
	snprintf(number, sizeof(number), "%u", status);
	vgpu_uuid_format(uuid, vm);
	vgpu_log_fields(VGPU_LOG_INFO,
			(const struct vgpu_log_field[]){
				{ "VGPU_WHO", audit.who },
				{ "VGPU_REQUEST", what },
				{ "VGPU_STATUS", number },
				/* Where the path names one. */
				{ memcmp(uuid, none, sizeof(none)) ? "VGPU_VM" : NULL, vm },
				{ NULL, NULL } },
			"audit: who=%s status=%u what=%s", audit.who, status, what);
	/* What was refused to nobody known is in the log alone: a flood would fill the table. */
	if (!caller->name[0] || status == MHD_HTTP_UNAUTHORIZED)
		return;
	if (state_add_audit(rest->parts.state, &audit, &err) < 0)
		vgpu_log_error("audit: not in the database: %s", err->message);
}
