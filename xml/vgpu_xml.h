/* SPDX-License-Identifier: Apache-2.0 */
/* What main() and the subcommands of vgpu-xml share. */
#ifndef VGPU_XML_VGPU_XML_H
#define VGPU_XML_VGPU_XML_H

#include "xml/domain.h"
#include "xml/file.h"

/* What the command line says, for every subcommand. */
struct arguments {
	const char *file; /* or NULL: standard input to standard output */
	bool in_place;
	struct vgpu_domain_options options;
	uint8_t uuid[16]; /* where options.uuid points */
};

/*
 * Each runs one subcommand on the document that was read. Returns 0; or an exit status of
 * sysexits.h and err.
 */
int command_attach(const struct arguments *arguments, struct vgpu_domain *domain,
		   struct vgpu_error **err);
int command_detach(const struct arguments *arguments, struct vgpu_domain *domain,
		   struct vgpu_error **err);
int command_inspect(const struct arguments *arguments, struct vgpu_domain *domain,
		    struct vgpu_error **err);
int command_validate(const struct arguments *arguments, struct vgpu_domain *domain,
		     struct vgpu_error **err);

/* The exit status for an error of the domain functions. */
int exit_status(const struct vgpu_error *err);

/* Writes the document to where the arguments say. Returns as a command. */
int write_domain(const struct arguments *arguments, const struct vgpu_domain *domain,
		 struct vgpu_error **err);

#endif
