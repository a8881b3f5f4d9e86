/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what cuda_image_choose() makes of a file, for cuda-image-nvcc.sh: FILE MAJOR MINOR. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "mediatord/worker/cuda_image.h"

#define IMAGE_MAX ((size_t)16 << 20)

int main(int argc, char **argv)
{
	static const char *const forms[] = { "cubin", "ptx", "fatbin-member" };
	char *image = calloc(1, IMAGE_MAX + 1);
	FILE *file = argc == 4 ? fopen(argv[1], "re") : NULL;
	struct cuda_image chosen;
	const char *reason;
	size_t bytes;

	if (!image || !file)
		return 2;
	bytes = fread(image, 1, IMAGE_MAX, file);
	fclose(file);
	if (cuda_image_choose(image, bytes, (uint32_t)atoi(argv[2]) << 16 | (uint32_t)atoi(argv[3]),
			      &chosen, &reason))
		printf("refused: %s\n", reason);
	else
		printf("%s %" PRIu64 "%s\n", forms[chosen.form], chosen.loaded_bytes,
		       chosen.calls_driver ? " calls the driver" : "");
	free(image);
	return 0;
}
