/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/chores.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "mediatord/actions.h"
#include "mediatord/events.h"
#include "mediatord/mediator.h"

#define IDLE_MS 10000 /* where there is no watchdog */

struct chores {
	struct chores_parts parts;
	pthread_t thread;
	bool started;
	atomic_bool stopping;
};

static bool differ(const char *a, const char *b)
{
	return (!a) != (!b) || (a && strcmp(a, b) != 0);
}

/* Says what of the file only a restart brings in force. */
static void report_rest(const struct config *old, const struct config *new)
{
	const struct {
		const char *key;
		bool differs;
	} keys[] = {
		{ "control-socket", differ(old->control_socket, new->control_socket) },
		{ "control-group", old->has_control_group != new->has_control_group ||
					   old->control_gid != new->control_gid },
		{ "listen", differ(old->listen, new->listen) },
		{ "tls-certificate", differ(old->tls_certificate, new->tls_certificate) },
		{ "tls-key", differ(old->tls_key, new->tls_key) },
		{ "insecure-loopback", old->insecure_loopback != new->insecure_loopback },
		{ "link-dir", differ(old->link_dir, new->link_dir) },
		{ "link-group",
		  old->has_link_group != new->has_link_group || old->link_gid != new->link_gid },
		{ "libvirt-run-dir", differ(old->libvirt_run_dir, new->libvirt_run_dir) },
		{ "libvirt-uri", differ(old->libvirt_uri, new->libvirt_uri) },
		{ "libvirt-attach", old->libvirt_attach != new->libvirt_attach },
		{ "reconciler", differ(old->reconciler, new->reconciler) },
		{ "state", differ(old->state, new->state) },
		{ "worker", differ(old->worker, new->worker) },
		{ "gpuinfo", differ(old->gpuinfo, new->gpuinfo) },
		{ "keeper", differ(old->keeper, new->keeper) },
		{ "keeper-socket", differ(old->keeper_socket, new->keeper_socket) },
		{ "keeper-wait", old->keeper_wait_seconds != new->keeper_wait_seconds },
		{ "worker-uid-base", old->worker_uid_base != new->worker_uid_base },
		{ "backend", old->backend != new->backend },
		{ "software-gpus", old->software_gpus != new->software_gpus },
		{ "files-dir", differ(old->files_dir, new->files_dir) },
		{ "files-poll", old->files_poll_ms != new->files_poll_ms },
		{ "files-notify", old->files_notify != new->files_notify },
		{ "context-memory", old->context_memory_bytes != new->context_memory_bytes },
		{ "context-idle", old->context_idle_ms != new->context_idle_ms },
		{ "warm-workers", old->warm_workers != new->warm_workers },
		{ "allow-pageable-access",
		  old->allow_pageable_access != new->allow_pageable_access },
		{ "window-commitment",
		  old->window_commitment_bytes != new->window_commitment_bytes },
		{ "the number of pools", old->pool_count != new->pool_count },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (keys[i].differs)
			vgpu_log_warning("%s has changed: restart the mediator to have it in force",
					 keys[i].key);
	for (size_t i = 0; i < old->pool_count && i < new->pool_count; i++)
		if (strcmp(old->pools[i].name, new->pools[i].name) != 0 ||
		    old->pools[i].letter != new->pools[i].letter ||
		    old->pools[i].all_gpus != new->pools[i].all_gpus ||
		    (!old->pools[i].all_gpus &&
		     (old->pools[i].gpu_count != new->pools[i].gpu_count ||
		      memcmp(old->pools[i].gpus, new->pools[i].gpus,
			     old->pools[i].gpu_count * sizeof(old->pools[i].gpus[0])) != 0)))
			vgpu_log_warning("[pool %s] has changed beyond its memory-commitment: "
					 "restart the mediator to have that in force",
					 old->pools[i].name);
}

struct reload {
	struct config *old;
	const struct config *new;
};

/* On the loop, which reads these. */
static int take_over(struct mediator *mediator, void *argument, struct vgpu_error **err)
{
	const struct reload *reload = argument;

	if (sched_set_params(mediator->sched, &reload->new->sched, vgpu_now_ns()) < 0)
		return vgpu_error_errno(err, errno, "slice, yield, ageing or period");
	reload->old->sched = reload->new->sched;
	for (size_t i = 0; i < reload->old->pool_count; i++) {
		struct config_pool *pool = &reload->old->pools[i];
		const struct config_pool *new = config_pool_find(reload->new, pool->name);

		if (new)
			__atomic_store_n(&pool->memory_commitment, new->memory_commitment,
					 __ATOMIC_RELAXED);
	}
	reload->old->quarantine = reload->new->quarantine;
	reload->old->inflight_ms = reload->new->inflight_ms;
	mediator_publish(mediator);
	return 0;
}

static void take_configuration(const struct chores_parts *parts)
{
	VGPU_CLEANUP(config_free) struct config *new = NULL;
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct reload what = { .old = parts->config };

	if (config_load(parts->path, parts->may_lack, &new, &err) < 0) {
		vgpu_log_error("%s; the configuration stays as it was", err->message);
		return;
	}
	report_rest(parts->config, new);
	what.new = new;
	if (registry_reload(parts->registry, new, &err) < 0 ||
	    control_call(parts->control, take_over, &what, &err) < 0) {
		vgpu_log_error("%s: %s; the configuration stays as it was", parts->path,
			       err->message);
		return;
	}
	vgpu_log_set_level(new->log_level);
	vgpu_log_fields(VGPU_LOG_INFO,
			(const struct vgpu_log_field[])LOG_EVENT(EVENT_CONFIGURATION),
			"%s was read anew", parts->path);
}

/* The service manager waits for the second. */
static void reload(const struct chores_parts *parts)
{
	char state[64];

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)(vgpu_now_ns() / VGPU_NS_PER_US));
	if (parts->notify)
		parts->notify(state);
	take_configuration(parts);
	if (parts->notify)
		parts->notify("READY=1");
}

/* Clients get their answers from a mediator that serves still. */
static void end(struct chores *chores)
{
	if (chores->parts.notify)
		chores->parts.notify("STOPPING=1\nSTATUS=Shutting down");
	rest_drain(chores->parts.rest);
	action_end(chores->parts.control, NULL);
}

static bool was_asked(int event_fd)
{
	uint64_t count;

	return read(event_fd, &count, sizeof(count)) == sizeof(count);
}

/* A loop that hangs does not answer, and then the service manager hears nothing. */
static void report_life(struct chores *chores)
{
	if (chores->parts.notify && action_ping(chores->parts.control, NULL) == 0)
		chores->parts.notify("WATCHDOG=1");
}

static void *run(void *opaque)
{
	struct chores *chores = opaque;
	int64_t half = chores->parts.watchdog_ns / (2 * VGPU_NS_PER_MS);
	int timeout = half > 0 && half < IDLE_MS ? (int)half : IDLE_MS;

	while (!atomic_load(&chores->stopping)) {
		struct pollfd poll_fds[] = {
			{ .fd = chores->parts.reload_fd, .events = POLLIN },
			{ .fd = chores->parts.end_fd, .events = POLLIN },
		};

		poll(poll_fds, 2, timeout);
		if (atomic_load(&chores->stopping))
			break;
		if (was_asked(chores->parts.end_fd))
			end(chores);
		else if (was_asked(chores->parts.reload_fd))
			reload(&chores->parts);
		report_life(chores);
	}
	return NULL;
}

int chores_start(const struct chores_parts *parts, struct chores **chores, struct vgpu_error **err)
{
	VGPU_CLEANUP(chores_stop) struct chores *made = calloc(1, sizeof(*made));
	int failed;

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->parts = *parts;
	failed = pthread_create(&made->thread, NULL, run, made);
	if (failed)
		return vgpu_error_errno(err, failed, "cannot start a thread");
	made->started = true;
	*chores = vgpu_steal_pointer(&made);
	return 0;
}

void chores_stop(struct chores **chores)
{
	const uint64_t one = 1;
	ssize_t written;

	if (!*chores)
		return;
	atomic_store(&(*chores)->stopping, true);
	if ((*chores)->started) {
		/* Fails only where the counter is full, and then the thread is awake anyway. */
		written = write((*chores)->parts.reload_fd, &one, sizeof(one));
		(void)written;
		pthread_join((*chores)->thread, NULL);
	}
	free(*chores);
	*chores = NULL;
}
