/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file protocol: requests and answers as lines in the folders of files-dir, one a VM, for
 * guests without a device. docs/migration.md is its specification.
 *
 * A thread of its own does all that touches the files, so that a file system that hangs stops
 * nothing else; what it finds becomes a request of the VM, as any other. Whose it is follows from
 * the folder alone, which the host exports to that VM.
 */
#ifndef VGPU_MEDIATORD_FILES_H
#define VGPU_MEDIATORD_FILES_H

#include "mediatord/config.h"
#include "mediatord/control.h"

struct files;

/*
 * Serves config->files_dir, which need not be there yet, from now on; without one, *files is NULL.
 * Returns 0, or -1 and err.
 */
int files_start(const struct config *config, struct control *control, struct files **files,
		struct vgpu_error **err);

/*
 * Ends that. For the loop's thread, when the loop has ended and before the mediator is freed. A
 * thread that a file system does not let go is left behind. NULL is fine.
 */
void files_stop(struct files **files);

#endif
