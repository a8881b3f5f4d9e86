/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mediator: the VMs, and what serves them. All of it belongs to the thread that runs the loop,
 * which never touches disk, HTTP or libvirt; other threads go through control.h.
 */
#ifndef VGPU_MEDIATORD_MEDIATOR_H
#define VGPU_MEDIATORD_MEDIATOR_H

#include "mediatord/config.h"
#include "mediatord/control.h"
#include "mediatord/keeper_client.h"
#include "mediatord/loop.h"
#include "mediatord/gpus/pools.h"
#include "mediatord/sched/sched.h"

struct event_feed;
struct vm;
struct warm;
struct worker;

#define MEDIATOR_BUCKETS 1024u

struct mediator {
	const struct config *config; /* the caller's */
	struct loop *loop;
	struct sched *sched;
	struct pools pools;
	struct control *control;
	struct event_feed *feed; /* or NULL */
	int reload_fd, end_fd;	 /* eventfds that signals go to; -1: none */
	bool ending;		 /* one came that ends it */
	struct keeper_client *keeper;
	struct keeper_settings keeper_settings;
	struct source *signals;
	int signal_fd;
	int spare_fd; /* given up to accept and close a connection when there are no descriptors */
	bool privileged; /* workers get uids of their own */
	struct timer sched_timer;
	uint64_t last_job;
	uint64_t last_context;
	uint32_t last_channel; /* of the scheduler's numbers */
	size_t vm_count;
	struct vm *by_uuid[MEDIATOR_BUCKETS];
	struct vm *by_id[MEDIATOR_BUCKETS];
	struct warm *warm;
	struct worker *workers; /* all, also those that die after their VM was deleted */
	bool keep_failed;	/* a worker of an earlier mediator found no memory here */
};

/*
 * Makes a mediator for the configuration's pools; the calling thread must be the one that will run
 * it. Removes link sockets that an earlier one left in link-dir, which must be there, and connects
 * to the keeper, which it starts where there is none. The caller must hold the lock that makes it
 * the only mediator there, and must have blocked SIGHUP, SIGINT and SIGTERM in all threads. Returns
 * 0 and a mediator to free with mediator_free(), or -1 and err.
 */
int mediator_new(const struct config *config, struct mediator **mediator, struct vgpu_error **err);

/*
 * Ends links, removes the link sockets and frees everything. The workers go on, for the next
 * mediator, where a service manager runs the keeper; otherwise it ends them, and waits until they
 * are gone (2 s at most). No other thread may use the control any more. NULL is fine.
 */
void mediator_free(struct mediator **mediator);

/*
 * Adopts the workers that an earlier mediator started, of VMs that are there by now, ends its
 * others, and serves until SIGTERM or SIGINT. Returns 0, or -1 and err. Afterwards control.h's
 * calls fail.
 */
int mediator_run(struct mediator *mediator, struct vgpu_error **err);

/* Where events go from now on; the caller's, to live as long. Before it runs. */
void mediator_tell(struct mediator *mediator, struct event_feed *feed);

/*
 * Eventfds that are written to upon SIGHUP, and upon the first SIGTERM or SIGINT: it serves then
 * until action_end(), or the next of these. The caller's. Before it runs.
 */
void mediator_on_signals(struct mediator *mediator, int reload_fd, int end_fd);

/* What other threads speak to. */
struct control *mediator_control(struct mediator *mediator);

/* control.h's calls, for the thread that owns the mediator (so also before it runs). */
int mediator_vm_put(struct mediator *mediator, const struct vm_config *config,
		    struct vgpu_error **err);
void mediator_vm_delete(struct mediator *mediator, const uint8_t uuid[16]);
int mediator_vm_status(struct mediator *mediator, const uint8_t uuid[16], struct vm_status *status,
		       struct vgpu_error **err);

int mediator_usages(struct mediator *mediator, bool all, struct vm_usage **usages, size_t *count,
		    struct vgpu_error **err);
int mediator_usage_restore(struct mediator *mediator, const struct vm_usage *usage,
			   struct vgpu_error **err);
void mediator_gpus(struct mediator *mediator, const struct gpu_report *report);

/* Carries out what the scheduler decides, until there is nothing more to do now. On the loop. */
void mediator_schedule(struct mediator *mediator);

/* Tells all channels' workers their bounds anew. */
void mediator_publish(struct mediator *mediator);

/* NULL where there is none. */
struct vm *mediator_vm_by_uuid(const struct mediator *mediator, const uint8_t uuid[16]);
struct vm *mediator_vm_by_id(const struct mediator *mediator, uint32_t vm_id);

/*
 * A number that no context had before, also not under an earlier mediator (unless the clock was
 * set back): the device takes a change for a loss of memory.
 */
uint64_t mediator_new_context(struct mediator *mediator);

#endif
