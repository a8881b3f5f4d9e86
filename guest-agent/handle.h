/* SPDX-License-Identifier: Apache-2.0 */
/* What a struct vgpu is, and how requests are made on it. */
#ifndef VGPU_GUEST_HANDLE_H
#define VGPU_GUEST_HANDLE_H

#include <pthread.h>
#include <stdbool.h>

#include "guest-agent/mailbox.h"

struct vgpu {
	pthread_mutex_t mutex; /* held for all of a public function, or for each of its requests */
	struct transport *transport;
	int64_t timeout_ns;
	bool observe;
	bool lost;	     /* the allocations are gone; until vgpu_context_recover() */
	uint32_t generation; /* in which the allocations were made, where there are any */
	vgpu_pointer *allocations;
	size_t allocation_count;
	size_t allocation_capacity;
	struct vgpu_channel *channels; /* open ones */
	uint32_t claimed;	       /* a bit for each channel that this handle has */
};

/* An owning hold of the mutex: `HANDLE_LOCK(vgpu);` lasts until the end of the block. */
static inline struct vgpu *handle_lock(struct vgpu *vgpu)
{
	pthread_mutex_lock(&vgpu->mutex);
	return vgpu;
}

static inline void handle_unlock(struct vgpu **vgpu)
{
	pthread_mutex_unlock(&(*vgpu)->mutex);
}

#define HANDLE_LOCK(handle)                                                                        \
	struct vgpu *locked_ __attribute__((cleanup(handle_unlock), unused)) = handle_lock(handle)

/* vgpu_open(), with sysfs where tests have theirs. */
enum vgpu_result handle_open(const char *sysfs, const char *transport, unsigned int flags,
			     unsigned int timeout_ms, struct vgpu **vgpu);

/* Makes a request with the handle's timeout; the mutex is held. */
enum vgpu_result handle_call(struct vgpu *vgpu, const struct mailbox_request *request,
			     struct mailbox_response *response);

/*
 * The same for what needs the handle's device memory: refused once that was lost, and notices where
 * the request, or what happened before it, lost it.
 */
enum vgpu_result handle_call_memory(struct vgpu *vgpu, const struct mailbox_request *request,
				    struct mailbox_response *response);

/* Keeps or forgets a pointer that this handle is to free. */
enum vgpu_result handle_reserve(struct vgpu *vgpu);
void handle_remember(struct vgpu *vgpu, vgpu_pointer pointer);
void handle_forget(struct vgpu *vgpu, vgpu_pointer pointer);

/* VGPU_E_PROTOCOL, unless the response has this many results. */
enum vgpu_result handle_expect(const struct mailbox_response *response, uint32_t results);

#endif
