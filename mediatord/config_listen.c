/* SPDX-License-Identifier: Apache-2.0 */
/* Where REST listens on TCP, and that nobody listens in there. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "mediatord/config_keys.h"
#include "mediatord/config_value.h"

#define PORT_MAX 65535u

static bool is_loopback(const struct sockaddr_storage *address)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (address->ss_family == AF_INET) {
		memcpy(&v4, address, sizeof(v4));
		return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
	}
	memcpy(&v6, address, sizeof(v6));
	return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

/* Reads "ADDR:PORT", "[ADDR]:PORT". Returns the address' length, or 0. */
static socklen_t parse(const char *value, struct sockaddr_storage *address)
{
	const char *colon = strrchr(value, ':'), *end;
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	char host[64];
	size_t length;
	uint64_t port;

	if (!colon || config_value_digits(colon + 1, PORT_MAX, &port, &end) < 0 || *end || !port)
		return 0;
	length = (size_t)(colon - value);
	if (length >= 2 && value[0] == '[' && value[length - 1] == ']') {
		value++;
		length -= 2;
		v6.sin6_port = htons((uint16_t)port);
	} else {
		v4.sin_port = htons((uint16_t)port);
	}
	if (length == 0 || length >= sizeof(host))
		return 0;
	memcpy(host, value, length);
	host[length] = '\0';
	memset(address, 0, sizeof(*address));
	if (v4.sin_port && inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
		memcpy(address, &v4, sizeof(v4));
		return sizeof(v4);
	}
	if (v6.sin6_port && inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
		memcpy(address, &v6, sizeof(v6));
		return sizeof(v6);
	}
	return 0;
}

int config_set_listen(struct config_reader *reader, const char *value)
{
	struct config *config = reader->config;

	config->listen_length = parse(value, &config->listen_address);
	if (!config->listen_length)
		return vgpu_error_set(reader->err, EINVAL,
				      "\"%s\" is no address and port, as 192.0.2.1:8443 or "
				      "[2001:db8::1]:8443",
				      value);
	free(config->listen);
	config->listen = strdup(value);
	return config->listen ? 0 : vgpu_error_set(reader->err, ENOMEM, "out of memory");
}

int config_check_listen(const struct config *config, struct vgpu_error **err)
{
	if (!config->listen)
		return 0;
	if (!config->tls_certificate != !config->tls_key)
		return vgpu_error_set(err, EINVAL,
				      "tls-certificate and tls-key: there must be both");
	if (config->tls_certificate)
		return 0;
	if (!config->insecure_loopback || !is_loopback(&config->listen_address))
		return vgpu_error_set(err, EINVAL,
				      "listen = %s needs tls-certificate and tls-key: without "
				      "them, only a loopback address with insecure-loopback = yes",
				      config->listen);
	return 0;
}
