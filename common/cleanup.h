/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
/* Owning locals. Initialise them where they are declared; hand them on with an explicit steal. */
#ifndef VGPU_COMMON_CLEANUP_H
#define VGPU_COMMON_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define VGPU_CLEANUP(function) __attribute__((cleanup(function)))

/* Each keeps errno, so that a cleanup on an error path does not hide what went wrong. */
static inline void vgpu_cleanup_free(void *pointer)
{
	int saved = errno;

	free(*(void **)pointer);
	errno = saved;
}

static inline void vgpu_cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void vgpu_cleanup_fclose(FILE **file)
{
	int saved = errno;

	if (*file)
		fclose(*file);
	errno = saved;
}

#define VGPU_AUTO_FREE	 VGPU_CLEANUP(vgpu_cleanup_free)
#define VGPU_AUTO_CLOSE	 VGPU_CLEANUP(vgpu_cleanup_close)
#define VGPU_AUTO_FCLOSE VGPU_CLEANUP(vgpu_cleanup_fclose)

/* Takes a descriptor out of an owning local, which holds -1 afterwards. */
static inline int vgpu_steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

/* Takes a pointer out of an owning local, which holds NULL afterwards. */
#define vgpu_steal_pointer(pointer)                                                                \
	({                                                                                         \
		__typeof__(*(pointer)) stolen_ = *(pointer);                                       \
		*(pointer) = NULL;                                                                 \
		stolen_;                                                                           \
	})

#endif
