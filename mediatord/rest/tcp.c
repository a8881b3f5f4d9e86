/* SPDX-License-Identifier: Apache-2.0 */
/* REST on TCP: with TLS, or without it on loopback, where that was asked for. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "mediatord/rest/internal.h"

#define BACKLOG		512
#define PEM_BYTES_MAX	(1u << 20)
#define THREADS		2u
#define CONNECTIONS_MAX 512u
#define PER_ADDRESS_MAX 128u
#define IDLE_SECONDS	10u
/* The library's choice, but for the versions that are deprecated (RFC 8996). */
#define TLS_PRIORITIES "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1"

/* A whole file as a text, which the caller frees; NULL and err. */
static char *read_pem(const char *key, const char *path, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	VGPU_AUTO_FREE char *text = NULL;
	struct stat st;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) < 0) {
		vgpu_error_errno(err, errno, "%s: cannot open %s", key, path);
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || st.st_size == 0 || st.st_size > PEM_BYTES_MAX) {
		vgpu_error_set(err, EINVAL, "%s: %s is no PEM file", key, path);
		return NULL;
	}
	text = calloc(1, (size_t)st.st_size + 1);
	got = text ? read(fd, text, (size_t)st.st_size) : -1;
	if (got != st.st_size) {
		vgpu_error_set(err, EIO, "%s: cannot read %s", key, path);
		return NULL;
	}
	return vgpu_steal_pointer(&text);
}

static int listen_on(const struct config *config, struct vgpu_error **err)
{
	const struct sockaddr *address = (const struct sockaddr *)&config->listen_address;
	VGPU_AUTO_CLOSE int fd =
		socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int one = 1;

	if (fd < 0)
		return vgpu_error_errno(err, errno, "cannot make a socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (address->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, address, config->listen_length) < 0 || listen(fd, BACKLOG) < 0)
		return vgpu_error_errno(err, errno, "cannot listen on %s", config->listen);
	return vgpu_steal_fd(&fd);
}

int rest_start_tcp(struct rest *rest, struct vgpu_error **err)
{
	const struct config *config = rest->config;
	VGPU_AUTO_FREE char *certificate = NULL;
	VGPU_AUTO_FREE char *key = NULL;
	VGPU_AUTO_CLOSE int fd = -1;
	unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME;
	struct MHD_OptionItem tls[] = { { MHD_OPTION_END, 0, NULL },
					{ MHD_OPTION_END, 0, NULL },
					{ MHD_OPTION_END, 0, NULL },
					{ MHD_OPTION_END, 0, NULL } };

	if (!config->listen)
		return 0;
	if (config->tls_certificate) {
		certificate = read_pem("tls-certificate", config->tls_certificate, err);
		key = certificate ? read_pem("tls-key", config->tls_key, err) : NULL;
		if (!key)
			return -1;
		flags |= MHD_USE_TLS;
		tls[0] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, certificate };
		tls[1] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, key };
		tls[2] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, TLS_PRIORITIES };
	}
	fd = listen_on(config, err);
	if (fd < 0)
		return -1;
	rest->remote_face = (struct rest_face){ .rest = rest, .local = false };
	errno = 0;
	rest->remote = MHD_start_daemon(
		flags, 0, NULL, NULL, rest_access, &rest->remote_face, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_THREAD_POOL_SIZE, THREADS, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, PER_ADDRESS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REST_CONNECTION_BYTES,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_NOTIFY_COMPLETED,
		rest_completed, &rest->remote_face, MHD_OPTION_UNESCAPE_CALLBACK, rest_keep_escapes,
		NULL, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
	if (!rest->remote)
		return vgpu_error_set(err, errno ? errno : EIO,
				      "cannot start the HTTP server on %s; are tls-certificate "
				      "and tls-key a pair?",
				      config->listen);
	vgpu_steal_fd(&fd);
	return 0;
}
