/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-worker: runs one tenant's jobs, confined, as the mediator hands them over. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "common/log.h"
#include "mediatord/worker/backend.h"
#include "mediatord/worker/execute.h"
#include "mediatord/worker/mediator.h"
#include "mediatord/worker/ring_map.h"
#include "mediatord/worker/sandbox.h"
#include "mediatord/worker/serve.h"

struct options {
	struct sandbox sandbox;
	bool confine;
};

static void usage(FILE *stream)
{
	fputs("Usage: vgpu-worker\n"
	      "Runs the GPU work of one VM. vgpu-mediatord starts it, with their socket as\n"
	      "descriptor 3; there is no use in starting it by hand.\n"
	      "\n"
	      "  --no-sandbox   keep every privilege: for debuggers and valgrind only\n"
	      "  --help         print this text and exit\n"
	      "  --version      print the version and exit\n",
	      stream);
}

/* Ends the program on --help, --version and wrong usage. */
static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option long_options[] = {
		{ "no-sandbox", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'n':
			options->confine = false;
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		case 'V':
			puts("vgpu-worker " PACKAGE_VERSION);
			exit(EXIT_SUCCESS);
		default:
			usage(stderr);
			exit(EX_USAGE);
		}
	}
	if (optind < argc) {
		vgpu_log_error("%s: vgpu-worker takes no arguments", argv[optind]);
		exit(EX_USAGE);
	}
}

static int check_control_socket(int fd, struct vgpu_error **err)
{
	socklen_t length = sizeof(int);
	int type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_SEQPACKET)
		return vgpu_error_set(err, ENOTSOCK,
				      "descriptor %d is not the mediator's socket; vgpu-mediatord "
				      "starts this program",
				      fd);
	return 0;
}

/* The status to exit with, for what ended the worker; says it in the log unless it is the end. */
static int exit_status(const struct vgpu_error *err)
{
	if (err->status == EPIPE || err->status == ESHUTDOWN)
		return EXIT_SUCCESS;
	vgpu_log_error("%s", err->message);
	if (err->status == EPROTO)
		return EX_DATAERR;
	return err->status == EBADMSG ? EX_SOFTWARE : EX_OSERR;
}

/* A worker that cannot begin, or go on, says why to the mediator too, whose log names the VM. */
static int fail(const struct mediator_socket *mediator, const struct vgpu_error *err)
{
	mediator_send_failed(mediator, err->message, NULL);
	return exit_status(err);
}

static int open_backend(const struct vgpu_worker_prepare *prepare, struct backend **backend,
			struct vgpu_error **err)
{
	const struct backend_ops *ops = backend_find(prepare->backend);

	if (!ops)
		return vgpu_error_set(err, EINVAL, "this worker has no backend %u",
				      prepare->backend);
	return ops->open(
		prepare->gpu,
		prepare->flags & VGPU_WORKER_PREPARE_ALLOW_PAGEABLE ? BACKEND_ALLOW_PAGEABLE : 0,
		backend, err);
}

/* Runs the mailbox's jobs until the mediator ends it. Returns -1 and err always. */
static int serve_jobs(struct mediator_socket *mediator, struct executor *executor,
		      struct vgpu_error **err)
{
	union vgpu_worker_message message;
	struct execution execution;

	for (;;) {
		const struct vgpu_worker_job *job = &message.job;

		if (mediator_receive(mediator, VGPU_WORKER_JOB, &message, err) < 0 ||
		    execute_request(executor, job->request, job->length, job->memory_used,
				    &execution, err) < 0 ||
		    mediator_send_done(mediator, job->job, &execution, err) < 0)
			return -1;
	}
}

static int run_jobs(struct mediator_socket *mediator, const struct vgpu_worker_start *start,
		    const struct memory_ledger *ledger, struct backend *backend,
		    struct vgpu_error **err)
{
	struct executor executor = { .backend = backend,
				     .ledger = ledger,
				     .quota_bytes = start->memory_bytes };

	backend->ledger = ledger;
	if (mediator_send_ready(mediator, err) == 0)
		serve_jobs(mediator, &executor, err);
	return exit_status(*err);
}

/* Serves a channel. At END the backend goes first, since it holds the window. */
static int run_channel(struct mediator_socket *mediator, const struct vgpu_worker_start *start,
		       struct ring_map *map, const struct memory_ledger *ledger,
		       struct backend **backend, long processors, struct vgpu_error **err)
{
	struct server server = {
		.mediator = mediator,
		.doorbell = map->doorbell,
		.completion = map->completion,
		.channel = { .backend = *backend,
			     .mediator = ledger,
			     .grant = map->grant,
			     .window = map->window,
			     .window_bytes = map->window_bytes,
			     .idle_ms = start->idle_ms },
	};
	VGPU_AUTO_ERROR struct vgpu_error *ignored = NULL;
	int status;

	server_init(&server, map->region, map->entries, processors);
	if (channel_open(&server.channel, err) < 0) {
		status = fail(mediator, *err);
	} else {
		if (mediator_send_ready(mediator, err) == 0)
			server_run(&server, err);
		status = (*err)->status == EPROTO ? fail(mediator, *err) : exit_status(*err);
	}
	channel_close(&server.channel);
	(*backend)->ops->close(backend);
	if ((*err)->status == ESHUTDOWN && ring_map_empty(map, &ignored) < 0)
		status = exit_status(ignored);
	return status;
}

static int run_confined(struct options *options, struct mediator_socket *mediator,
			const struct vgpu_worker_start *start, struct ring_map *map,
			struct backend **backend, struct vgpu_error **err)
{
	const struct memory_ledger ledger = { .reserve = mediator_reserve,
					      .release = mediator_release,
					      .take_context = mediator_take_context,
					      .give_context_back = mediator_give_context_back,
					      .opaque = mediator };
	struct sandbox *sandbox = &options->sandbox;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t address_space = (*backend)->info.address_space_bytes;
	int status;

	sandbox->doorbell = map->doorbell;
	sandbox->completion = map->completion;
	sandbox->paths = (*backend)->paths;
	if (address_space)
		address_space += map->region_bytes;
	if (options->confine && sandbox_enter(sandbox, address_space, err) < 0)
		return fail(mediator, *err);
	if (map->region)
		return run_channel(mediator, start, map, &ledger, backend, processors, err);
	status = run_jobs(mediator, start, &ledger, *backend, err);
	/* Here, where its ledger still is. */
	(*backend)->ops->close(backend);
	return status;
}

/* As whose worker, and then its work. */
static int run_prepared(struct options *options, struct mediator_socket *mediator,
			struct backend **backend, struct vgpu_error **err)
{
	struct ring_map map = RING_MAP_NONE;
	struct vgpu_worker_start start;
	int fds[RING_FDS], status;

	if (mediator_receive_start(mediator, &start, fds, err) < 0)
		return exit_status(*err);
	if (options->confine && sandbox_become(start.uid, start.gid, err) < 0)
		return fail(mediator, *err);
	if (start.region_bytes && ring_map_open(&map, &start, fds, err) < 0)
		return fail(mediator, *err);
	status = run_confined(options, mediator, &start, &map, backend, err);
	ring_map_close(&map);
	return status;
}

static int run(struct options *options, struct mediator_socket *mediator, struct vgpu_error **err)
{
	union vgpu_worker_message message;
	struct backend *backend = NULL;
	int status;

	if (mediator_receive(mediator, VGPU_WORKER_PREPARE, &message, err) < 0)
		return exit_status(*err);
	options->sandbox.gpu = message.prepare.backend == VGPU_BACKEND_CUDA;
	if (open_backend(&message.prepare, &backend, err) < 0)
		return fail(mediator, *err);
	mediator->context = true;
	if (mediator_send_prepared(mediator, &backend->info, err) < 0)
		status = exit_status(*err);
	else
		status = run_prepared(options, mediator, &backend, err);
	if (backend)
		backend->ops->close(&backend);
	return status;
}

int main(int argc, char **argv)
{
	struct options options = { .sandbox = { .keep_fd = VGPU_WORKER_CONTROL_FD,
						.doorbell = -1,
						.completion = -1,
						.root_maker = -1 },
				   .confine = true };
	struct mediator_socket mediator = { .fd = VGPU_WORKER_CONTROL_FD };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	vgpu_log_init("vgpu-worker", VGPU_LOG_INFO);
	parse_options(argc, argv, &options);
	/* Sleeps of some microseconds, while a GPU works, are not to become 50 longer. */
	prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);
	if (check_control_socket(VGPU_WORKER_CONTROL_FD, &err) < 0) {
		vgpu_log_error("%s", err->message);
		return EX_USAGE;
	}
	if (!options.confine)
		vgpu_log_warning("not confined: --no-sandbox is for debugging only");
	else if (sandbox_prepare(&options.sandbox, &err) < 0)
		return fail(&mediator, err);
	return run(&options, &mediator, &err);
}

#if SANDBOX_FOR_SANITIZERS
/* LeakSanitizer traces the process from a second one, which the sandbox rightly prevents. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif
