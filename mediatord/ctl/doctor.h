/* SPDX-License-Identifier: Apache-2.0 */
/* vgpuctl doctor: what may be wrong on this host, and what to do about it. */
#ifndef VGPU_CTL_DOCTOR_H
#define VGPU_CTL_DOCTOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "mediatord/config.h"
#include "mediatord/ctl/ctl.h"

enum doctor_result {
	DOCTOR_OK,
	DOCTOR_SKIPPED, /* it does not concern this host, or cannot be seen by this user */
	DOCTOR_WARNING,
	DOCTOR_FAILED,
};

/* What one check found. */
struct doctor_finding {
	enum doctor_result result;
	char *message;
	char *cure; /* one line; NULL where nothing needs one */
};

struct doctor {
	struct ctl *ctl;
	const struct config *config;
	const char *root; /* goes before the system's paths, not before the configuration's */
	pid_t mediator;	  /* 0 until doctor_check_mediator() has met it */
};

/* A check fills *finding, which is DOCTOR_OK without a message before. */
typedef void doctor_check(struct doctor *doctor, struct doctor_finding *finding);

/* In doctor_mediator.c */
doctor_check doctor_check_mediator;
doctor_check doctor_check_control_socket;
doctor_check doctor_check_keeper;
doctor_check doctor_check_links;
doctor_check doctor_check_programs;
doctor_check doctor_check_state;
/* In doctor_libvirt.c */
doctor_check doctor_check_qemu;
doctor_check doctor_check_hook;
doctor_check doctor_check_reconciler;
/* In doctor_install.c */
doctor_check doctor_check_caches;
doctor_check doctor_check_folders;
doctor_check doctor_check_units;
/* In doctor_access.c */
doctor_check doctor_check_groups;
doctor_check doctor_check_apparmor;
doctor_check doctor_check_selinux;
/* In doctor_gpu.c */
doctor_check doctor_check_gpus;
doctor_check doctor_check_pageable_access;
doctor_check doctor_check_mps;
doctor_check doctor_check_persistence;
/* In doctor_kernel.c */
doctor_check doctor_check_namespaces;
doctor_check doctor_check_cgroups;
doctor_check doctor_check_limits;

/* Says what was found. cure may be NULL. */
void doctor_found(struct doctor_finding *finding, enum doctor_result result, const char *cure,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A path of the system's, below the root; freed with free(), NULL: no memory. */
char *doctor_path(const struct doctor *doctor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Reads the beginning of a file of the system's into text, and cuts the line break off its end.
 * Returns 0, or -1 with errno.
 */
int doctor_read(const struct doctor *doctor, const char *path, char *text, size_t size);

/* The pid of a process that has this name, at most 15 bytes, or 0. */
pid_t doctor_find_process(const struct doctor *doctor, const char *name);

#endif
