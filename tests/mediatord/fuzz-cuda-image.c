/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a tenant's module: what is chosen of them lies within, and is counted. */
#include <stdlib.h>
#include <string.h>

#include "mediatord/worker/cuda_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cuda_image chosen = { 0 };
	const char *reason = NULL;
	/* As the worker's copy: a zero byte follows it. */
	uint8_t *image = malloc(size + 1);
	uint64_t at;

	if (!image)
		return 0;
	memcpy(image, data, size);
	image[size] = 0;
	if (cuda_image_choose(image, size, 9u << 16, &chosen, &reason)) {
		if (!reason)
			abort();
		free(image);
		return 0;
	}
	at = (uint64_t)((const uint8_t *)chosen.data - image);
	if (at > size || chosen.bytes > size - at)
		abort();
	/* No sum of two overflows, and none is forgotten. */
	if (chosen.loaded_bytes >> 62 || (chosen.form != CUDA_IMAGE_CUBIN && chosen.loaded_bytes))
		abort();
	free(image);
	return 0;
}
