/* SPDX-License-Identifier: Apache-2.0 */
/* Which mediator is asked, and as whom. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>

#include "mediatord/ctl/ctl.h"
#include "mediatord/ctl/show.h"

#define TOKEN_MAX 4096u
#define REPLY_MAX ((size_t)64 << 20)

/* One that the command line or the environment gives, in this order; NULL where neither does. */
static const char *given(const char *option, const char *variable)
{
	const char *value = option ? option : getenv(variable);

	return value && *value ? value : NULL;
}

/* Whether the host of "http://HOST[:PORT]" is this one, as nobody can listen in on. */
static bool is_loopback(const char *url)
{
	const char *host = url + strlen("http://");
	size_t length = strcspn(host, *host == '[' ? "]" : ":/");
	char text[INET6_ADDRSTRLEN];
	struct in_addr address;

	if (*host == '[')
		return strncmp(host, "[::1]", 5) == 0 && strchr(":/", host[5]);
	if (length >= sizeof(text))
		return false;
	memcpy(text, host, length);
	text[length] = '\0';
	return strcmp(text, "localhost") == 0 ||
	       (inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

/* Nothing but scheme, host and port: paths are ours, and a user's name is no token. */
static bool is_plain_url(const char *url)
{
	const char *host = strstr(url, "://") + 3;
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";

	return *host && host[strspn(host, allowed)] == '\0';
}

static int check_url(const char *url, struct vgpu_error **err)
{
	bool https = strncmp(url, "https://", 8) == 0;

	if ((!https && strncmp(url, "http://", 7) != 0) || !is_plain_url(url))
		return vgpu_error_set(err, EX_USAGE, "--url: '%s' is not https://HOST[:PORT]", url);
	if (!https && !is_loopback(url))
		return vgpu_error_set(err, EX_USAGE,
				      "--url: '%s' is without TLS, and not this host: https:// it "
				      "must be",
				      url);
	return 0;
}

/* A token is one word of visible characters; the file may end with a line break. */
static int check_token(char *token, size_t length, const char *path, struct vgpu_error **err)
{
	while (length > 0 && (token[length - 1] == '\n' || token[length - 1] == '\r'))
		token[--length] = '\0';
	for (size_t i = 0; i < length; i++)
		if (token[i] <= ' ' || token[i] > '~')
			length = 0;
	if (length == 0)
		return vgpu_error_set(err, EX_CONFIG, "%s: no token is in this file", path);
	return 0;
}

/* What others can read is known to them. Returns 0, or -1 and err (an exit status). */
static int read_token(const char *path, char **token, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	ssize_t length;

	if (fd < 0 || fstat(fd, &st) < 0)
		return vgpu_error_set(err, EX_NOINPUT, "%s: %s", path, strerror(errno));
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return vgpu_error_set(err, EX_CONFIG,
				      "%s: others than its owner may use it (mode %04o); chmod 600 "
				      "it, and make a new token",
				      path, st.st_mode & 07777u);
	*token = calloc(1, TOKEN_MAX + 1);
	if (!*token)
		return vgpu_error_set(err, EX_OSERR, "out of memory");
	length = read(fd, *token, TOKEN_MAX);
	if (length < 0)
		return vgpu_error_set(err, EX_NOINPUT, "%s: %s", path, strerror(errno));
	return check_token(*token, (size_t)length, path, err);
}

static int prepare(struct ctl *ctl, struct vgpu_error **err)
{
	const char *token_file = given(ctl->token_file, "VGPUCTL_TOKEN_FILE");

	if (ctl->socket && ctl->url)
		return vgpu_error_set(err, EX_USAGE, "--socket and --url exclude each other");
	ctl->server = (struct rest_server){
		.timeout_ms = ctl->timeout_ms,
		.reply_max = REPLY_MAX,
	};
	if (!ctl->socket)
		ctl->server.url = given(ctl->url, "VGPUCTL_URL");
	if (!ctl->server.url) {
		ctl->server.socket = given(ctl->socket, "VGPUCTL_SOCKET");
		if (!ctl->server.socket)
			ctl->server.socket = ctl->default_socket ? ctl->default_socket
								 : VGPU_RUN_DIR "/control.sock";
		return 0;
	}
	if (check_url(ctl->server.url, err) < 0)
		return -1;
	ctl->server.cacert = given(ctl->cacert, "VGPUCTL_CACERT");
	if (token_file && !ctl->token && read_token(token_file, &ctl->token, err) < 0)
		return -1;
	ctl->server.token = ctl->token;
	return 0;
}

int server_prepare(struct ctl *ctl)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	return prepare(ctl, &err) < 0 ? ctl_fail_exit(ctl, err) : 0;
}

char *server_version(const struct ctl *ctl)
{
	REST_AUTO_REPLY struct rest_reply reply = { 0 };
	VGPU_AUTO_JSON json_t *json = NULL;
	const struct rest_request request = { .method = "GET", .path = "/v1/version" };
	const char *version;

	if (rest_call(&ctl->server, &request, &reply, NULL) == 0 && rest_success(&reply))
		json = json_loadb(reply.body, reply.length, JSON_REJECT_DUPLICATES, NULL);
	version = show_text(json, "version", NULL);
	return version ? strdup(version) : NULL;
}
