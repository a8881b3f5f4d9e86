/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as mediatord.conf: a configuration whose promises hold, or an error with a message. */
#include <stdlib.h>
#include <string.h>

#include "mediatord/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	struct vgpu_error *err = NULL;

	if (config_parse((const char *)data, size, "fuzz", &config, &err) < 0) {
		if (config || !err || !err->message[0])
			abort();
		vgpu_error_free(&err);
		return 0;
	}
	if (!config->pool_count || config->default_pool >= config->pool_count ||
	    config->default_profile >= config->profile_count)
		abort();
	for (size_t i = 0; i < config->pool_count; i++)
		if ((!config->pools[i].gpu_count && !config->pools[i].all_gpus) ||
		    !config->pools[i].letter)
			abort();
	for (size_t i = 0; i < config->profile_count; i++)
		if (!config_pool_find(config, config->profiles[i].pool))
			abort();
	config_free(&config);
	return 0;
}
