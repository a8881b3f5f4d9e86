/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PTX is compiled into a cubin in the host's memory, by the driver's own linker, so that what it
 * takes of the GPU is known before any of it is there.
 */
#include <string.h>

#include "mediatord/worker/backend_cuda.h"

/* A fatbin of one member. Returns it, or NULL; the zero bytes behind it end a text. */
static uint8_t *make_fatbin(const struct cuda_image *image, size_t *bytes)
{
	uint8_t *fatbin = calloc(1, CUDA_FATBIN_HEADER_BYTES + image->bytes + sizeof(uint64_t));

	if (!fatbin)
		return NULL;
	cuda_image_fatbin_header(fatbin, image->bytes);
	memcpy(fatbin + CUDA_FATBIN_HEADER_BYTES, image->data, image->bytes);
	*bytes = CUDA_FATBIN_HEADER_BYTES + image->bytes;
	return fatbin;
}

static cuda_error add_input(struct backend_cuda *cuda, cuda_link_state state,
			    const struct cuda_image *image)
{
	VGPU_AUTO_FREE uint8_t *fatbin = NULL;
	size_t bytes = 0;

	/* The driver does not change what it is given. */
	if (image->form == CUDA_IMAGE_PTX)
		return cuda->api.link_add(state, CUDA_JIT_INPUT_PTX, (void *)(uintptr_t)image->data,
					  image->bytes + 1, "module", 0, NULL, NULL);
	fatbin = make_fatbin(image, &bytes);
	if (!fatbin)
		return CUDA_ERROR_OUT_OF_MEMORY;
	return cuda->api.link_add(state, CUDA_JIT_INPUT_FATBINARY, fatbin, bytes, "module", 0, NULL,
				  NULL);
}

/* What the compiler has to say, where it says something, is its first line. */
static cuda_error link_failed(struct backend_cuda *cuda, const char *call, cuda_error error,
			      char *log)
{
	cuda_failed(cuda, call, error);
	log[strcspn(log, "\n")] = '\0';
	if (*log)
		backend_explain(&cuda->backend, "%s", log);
	return error;
}

cuda_error cuda_link(struct backend_cuda *cuda, const struct cuda_image *image,
		     struct cuda_linked *linked)
{
	const char *call = "cuLinkCreate", *reason = NULL;
	void *cubin = NULL;
	size_t bytes = 0;
	cuda_error error;

	*linked = (struct cuda_linked){
		.options = { CUDA_JIT_ERROR_LOG_BUFFER, CUDA_JIT_ERROR_LOG_BUFFER_SIZE_BYTES },
		.values = { linked->log, (void *)(uintptr_t)(sizeof(linked->log) - 1) },
	};
	error = cuda->api.link_create(2, linked->options, linked->values, &linked->state);
	if (error) {
		linked->state = NULL;
		return cuda_failed(cuda, call, error);
	}
	call = "cuLinkAddData";
	error = add_input(cuda, linked->state, image);
	if (!error) {
		call = "cuLinkComplete";
		error = cuda->api.link_complete(linked->state, &cubin, &bytes);
	}
	if (!error) {
		call = "the linked cubin";
		error = cuda_image_choose(cubin, bytes, cuda->backend.info.compute_capability,
					  &linked->image, &reason);
	}
	if (error) {
		link_failed(cuda, reason ? reason : call, error, linked->log);
		cuda_unlink(cuda, linked);
	}
	return error;
}

void cuda_unlink(struct backend_cuda *cuda, struct cuda_linked *linked)
{
	if (linked->state)
		cuda->api.link_destroy(linked->state);
	linked->state = NULL;
}
