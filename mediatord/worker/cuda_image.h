/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a tenant gives as a module, before the driver sees it. The driver is told no length: it
 * believes what an image says of itself, and one of the forms that it takes is a pointer. And it
 * does not say what a module takes of the GPU: that has to be known before it is loaded, so of a
 * fatbin, which has a member for each kind of GPU, it gets the one that was counted.
 */
#ifndef VGPU_WORKER_CUDA_IMAGE_H
#define VGPU_WORKER_CUDA_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "mediatord/worker/cuda_error.h"

enum cuda_image_form {
	CUDA_IMAGE_CUBIN,
	CUDA_IMAGE_PTX,		  /* to be compiled; a zero byte follows it */
	CUDA_IMAGE_FATBIN_MEMBER, /* a fatbin's member with PTX, its header included */
};

/* What of an image the driver is to be given. Borrows from the image. */
struct cuda_image {
	enum cuda_image_form form;
	const void *data;
	uint64_t bytes;
	uint64_t loaded_bytes; /* what of a cubin the GPU will hold; 0 for other forms */
	bool calls_driver;     /* a cubin's kernels call printf(), malloc(), free() or assert() */
};

/* The outer header of a fatbin, before its members. */
#define CUDA_FATBIN_HEADER_BYTES 16u
void cuda_image_fatbin_header(uint8_t header[CUDA_FATBIN_HEADER_BYTES], uint64_t member_bytes);

/*
 * Checks `bytes` of image, which a zero byte follows, and chooses what a GPU of this compute
 * capability (major << 16 | minor) is to load: that what the image says of its lengths stays
 * within, and is the truth about what the GPU will hold.
 *
 * Returns 0 and *chosen, or *reason, a static text, and CUDA_ERROR_INVALID_IMAGE,
 * CUDA_ERROR_NO_BINARY_FOR_GPU (a fatbin without a member for it), or CUDA_ERROR_NOT_SUPPORTED
 * (what it takes cannot be told).
 */
cuda_error cuda_image_choose(const void *image, uint64_t bytes, uint32_t compute_capability,
			     struct cuda_image *chosen, const char **reason);

#endif
