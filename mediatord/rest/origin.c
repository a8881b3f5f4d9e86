/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose page a browser's request comes from. The control socket asks for no token, and operators
 * forward it to a port of their own machine, where any web page that they have open can send
 * requests. Such a page gives itself away by its Origin, or, where its own name was made to lead to
 * that port (DNS rebinding), by its Host.
 */
#include <strings.h>

#include "mediatord/rest/internal.h"

#define SCHEME_END "://"

/* Whether Host names this machine, with or without a port. */
static bool is_loopback(const char *host)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t length = strlen(names[i]);

		if (strncasecmp(host, names[i], length) != 0)
			continue;
		if (host[length] == '\0')
			return true;
		if (host[length] == ':' &&
		    host[length + 1 + strspn(host + length + 1, "0123456789")] == '\0')
			return true;
	}
	return false;
}

const char *rest_origin_refusal(bool local, const char *host, const char *origin)
{
	const char *authority;

	if (local && host && !is_loopback(host))
		return "on the control socket, Host must be localhost, 127.0.0.1 or [::1], with "
		       "or without a port: ask for http://localhost/";
	if (!origin)
		return NULL;
	authority = strstr(origin, SCHEME_END);
	if (!authority || !host || strcasecmp(authority + strlen(SCHEME_END), host) != 0)
		return "Origin is not what Host names, and another site's page may not send "
		       "requests here; a proxy must pass Host on as it is";
	return NULL;
}
