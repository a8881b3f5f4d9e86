/* SPDX-License-Identifier: Apache-2.0 */
/* Which folders' changes the kernel tells of. */
#ifndef VGPU_MEDIATORD_FILES_WATCH_H
#define VGPU_MEDIATORD_FILES_WATCH_H

#include <stdint.h>

/*
 * Has inotify (which may be -1) tell of these events in an open folder. Returns the watch's number,
 * or -1 where the folder has to be looked at: its file system changes without this host's kernel,
 * or there can be no more watches.
 */
int files_watch(int inotify, int folder, uint32_t events);

#endif
