/* SPDX-License-Identifier: Apache-2.0 */
/* cloudstack.conf: see vgpu-cloudstack.conf(5). */
#ifndef VGPU_CLOUDSTACK_SYNC_CONFIG_H
#define VGPU_CLOUDSTACK_SYNC_CONFIG_H

#include <stdbool.h>

#include "cloudstack-plugin/api.h"
#include "common/error.h"

#define SYNC_INTERVAL_MIN_S 10
#define SYNC_INTERVAL_MAX_S 86400
#define SYNC_PAGE_SIZE_MAX  500 /* the API's default.page.size, unless somebody changed it */
#define SYNC_TIMEOUT_MIN_MS 100
#define SYNC_TIMEOUT_MAX_MS 300000

/* Texts are owned; NULL: not given. */
struct sync_config {
	char *api_url;
	char *api_ca;
	char *key_file;
	bool insecure_http;
	char *host; /* its name or its id in CloudStack */
	char *control_socket;
	char *webhook_listen; /* "ADDRESS:PORT" */
	char *webhook_key_file;
	unsigned int interval_s;
	unsigned int page_size;
	unsigned int timeout_ms;
	/* Of key_file. */
	char *api_key;
	char *secret_key;
	/* Of webhook_key_file. */
	char *webhook_secret;
};

/* Reads the text of a configuration over the defaults. Returns 0, or -1 and err. */
int sync_config_parse(struct sync_config *config, const char *text, size_t length, const char *name,
		      struct vgpu_error **err);

/* Reads the file and those that it names. Returns 0; or -1 and err. The caller clears *config. */
int sync_config_load(struct sync_config *config, const char *path, struct vgpu_error **err);

/* The API as the configuration, which must outlive what uses it, has it. */
struct cs_server sync_config_server(const struct sync_config *config);

void sync_config_clear(struct sync_config *config);
#define SYNC_AUTO_CONFIG VGPU_CLEANUP(sync_config_clear)

#endif
