/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a tenant gives as a module, before the driver sees it. The driver is told no length: it
 * believes what an image says of itself, and one of the forms that it takes is a pointer.
 */
#ifndef VGPU_WORKER_CUDA_IMAGE_H
#define VGPU_WORKER_CUDA_IMAGE_H

#include <stdint.h>

enum cuda_image_form {
	CUDA_IMAGE_PTX,
	CUDA_IMAGE_CUBIN,
	CUDA_IMAGE_FATBIN,
};

/*
 * Checks `bytes` of image, which a zero byte follows: that it has one of these forms, and that what
 * it says of its length stays within. *loaded_bytes is what of a cubin the GPU will hold, 0 for
 * other forms, which do not say it. Returns 0, or -1 and *reason, a static text.
 */
int cuda_image_check(const void *image, uint64_t bytes, enum cuda_image_form *form,
		     uint64_t *loaded_bytes, const char **reason);

#endif
