/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/sync_config.h"

#include <stdlib.h>
#include <string.h>

#include "common/settings.h"

static int set_text(char **field, const char *value, struct vgpu_error **err)
{
	if (!*value)
		return vgpu_error_set(err, EINVAL, "the value is empty");
	free(*field);
	*field = strdup(value);
	return *field ? 0 : vgpu_error_set(err, ENOMEM, "out of memory");
}

static int set_path(char **field, const char *value, struct vgpu_error **err)
{
	if (*value != '/')
		return vgpu_error_set(err, EINVAL, "\"%s\" is not an absolute path", value);
	return set_text(field, value, err);
}

/* Digits, with a unit behind them or without one where it is "". */
static int set_number(unsigned int *field, const char *value, const char *unit, unsigned int min,
		      unsigned int max, struct vgpu_error **err)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || errno || strcmp(end, unit) != 0 || number < min ||
	    number > max)
		return vgpu_error_set(err, EINVAL, "\"%s\" is not from %u%s to %u%s", value, min,
				      unit, max, unit);
	*field = (unsigned int)number;
	return 0;
}

static int set_api_url(void *opaque, const char *value, struct vgpu_error **err)
{
	struct sync_config *config = opaque;

	if (strncmp(value, "https://", 8) != 0 && strncmp(value, "http://", 7) != 0)
		return vgpu_error_set(err, EINVAL,
				      "api-url \"%s\" does not begin with https:// or http://",
				      value);
	return set_text(&config->api_url, value, err);
}

static int set_api_ca(void *opaque, const char *value, struct vgpu_error **err)
{
	return set_path(&((struct sync_config *)opaque)->api_ca, value, err);
}

static int set_key_file(void *opaque, const char *value, struct vgpu_error **err)
{
	return set_path(&((struct sync_config *)opaque)->key_file, value, err);
}

static int set_insecure_http(void *opaque, const char *value, struct vgpu_error **err)
{
	struct sync_config *config = opaque;

	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return vgpu_error_set(err, EINVAL, "\"%s\" is neither yes nor no", value);
	config->insecure_http = strcmp(value, "yes") == 0;
	return 0;
}

static int set_host(void *opaque, const char *value, struct vgpu_error **err)
{
	return set_text(&((struct sync_config *)opaque)->host, value, err);
}

static int set_control_socket(void *opaque, const char *value, struct vgpu_error **err)
{
	return set_path(&((struct sync_config *)opaque)->control_socket, value, err);
}

static int set_webhook_listen(void *opaque, const char *value, struct vgpu_error **err)
{
	return set_text(&((struct sync_config *)opaque)->webhook_listen, value, err);
}

static int set_webhook_key_file(void *opaque, const char *value, struct vgpu_error **err)
{
	return set_path(&((struct sync_config *)opaque)->webhook_key_file, value, err);
}

static int set_interval(void *opaque, const char *value, struct vgpu_error **err)
{
	return set_number(&((struct sync_config *)opaque)->interval_s, value, "s",
			  SYNC_INTERVAL_MIN_S, SYNC_INTERVAL_MAX_S, err);
}

static int set_page_size(void *opaque, const char *value, struct vgpu_error **err)
{
	return set_number(&((struct sync_config *)opaque)->page_size, value, "", 1,
			  SYNC_PAGE_SIZE_MAX, err);
}

static int set_timeout(void *opaque, const char *value, struct vgpu_error **err)
{
	return set_number(&((struct sync_config *)opaque)->timeout_ms, value, "ms",
			  SYNC_TIMEOUT_MIN_MS, SYNC_TIMEOUT_MAX_MS, err);
}

static const struct settings_key keys[] = {
	{ "api-url", set_api_url },
	{ "api-ca", set_api_ca },
	{ "insecure-http", set_insecure_http },
	{ "key-file", set_key_file },
	{ "host", set_host },
	{ "control-socket", set_control_socket },
	{ "interval", set_interval },
	{ "page-size", set_page_size },
	{ "timeout", set_timeout },
	{ "webhook-listen", set_webhook_listen },
	{ "webhook-key-file", set_webhook_key_file },
};

static int set_api_key(void *opaque, const char *value, struct vgpu_error **err)
{
	return set_text(&((struct sync_config *)opaque)->api_key, value, err);
}

static int set_secret_key(void *opaque, const char *value, struct vgpu_error **err)
{
	return set_text(&((struct sync_config *)opaque)->secret_key, value, err);
}

static const struct settings_key api_keys[] = {
	{ "api-key", set_api_key },
	{ "secret-key", set_secret_key },
};

static int set_webhook_secret(void *opaque, const char *value, struct vgpu_error **err)
{
	return set_text(&((struct sync_config *)opaque)->webhook_secret, value, err);
}

static const struct settings_key webhook_keys[] = {
	{ "secret-key", set_webhook_secret },
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void set_defaults(struct sync_config *config)
{
	*config = (struct sync_config){
		.interval_s = 300,
		.page_size = 200,
		.timeout_ms = 10000,
	};
}

/* What a host that nobody could name better may have as its own. */
static bool is_loopback(const char *url)
{
	static const char *const names[] = { "127.0.0.1", "localhost", "[::1]" };

	url += strlen("http://");
	for (size_t i = 0; i < COUNT(names); i++) {
		size_t length = strlen(names[i]);

		if (strncmp(url, names[i], length) == 0 &&
		    (url[length] == ':' || url[length] == '/' || !url[length]))
			return true;
	}
	return false;
}

static int check(const struct sync_config *config, const char *name, struct vgpu_error **err)
{
	if (!config->api_url || !config->key_file)
		return vgpu_error_set(err, EINVAL, "%s: api-url and key-file are needed", name);
	if (strncmp(config->api_url, "http://", 7) == 0 && !config->insecure_http &&
	    !is_loopback(config->api_url))
		return vgpu_error_set(
			err, EINVAL,
			"%s: over http:// anybody on the way can change what "
			"CloudStack answers; use https://, or set insecure-http = yes",
			name);
	if (!config->webhook_listen != !config->webhook_key_file)
		return vgpu_error_set(err, EINVAL,
				      "%s: webhook-listen and webhook-key-file go together", name);
	return 0;
}

int sync_config_parse(struct sync_config *config, const char *text, size_t length, const char *name,
		      struct vgpu_error **err)
{
	set_defaults(config);
	if (settings_parse(text, length, name, keys, COUNT(keys), config, err) < 0)
		return -1;
	return check(config, name, err);
}

int sync_config_load(struct sync_config *config, const char *path, struct vgpu_error **err)
{
	set_defaults(config);
	if (settings_load(path, false, keys, COUNT(keys), config, err) < 0 ||
	    check(config, path, err) < 0 ||
	    settings_load(config->key_file, true, api_keys, COUNT(api_keys), config, err) < 0)
		return -1;
	if (!config->api_key || !config->secret_key)
		return vgpu_error_set(err, EINVAL, "%s: api-key and secret-key are needed",
				      config->key_file);
	if (!config->webhook_key_file)
		return 0;
	if (settings_load(config->webhook_key_file, true, webhook_keys, COUNT(webhook_keys), config,
			  err) < 0)
		return -1;
	if (!config->webhook_secret)
		return vgpu_error_set(err, EINVAL, "%s: secret-key is needed",
				      config->webhook_key_file);
	return 0;
}

struct cs_server sync_config_server(const struct sync_config *config)
{
	return (struct cs_server){
		.url = config->api_url,
		.cacert = config->api_ca,
		.api_key = config->api_key,
		.secret_key = config->secret_key,
		.timeout_ms = config->timeout_ms,
		.pagesize = config->page_size,
	};
}

void sync_config_clear(struct sync_config *config)
{
	free(config->api_url);
	free(config->api_ca);
	free(config->key_file);
	free(config->host);
	free(config->control_socket);
	free(config->webhook_listen);
	free(config->webhook_key_file);
	free(config->api_key);
	free(config->secret_key);
	free(config->webhook_secret);
	*config = (struct sync_config){ 0 };
}
