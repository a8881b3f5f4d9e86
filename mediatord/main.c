/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-mediatord(8): shares a host's GPUs among its VMs. */
/* Not "config.h": that is mediatord/config.h here. */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "common/clock.h"
#include "common/log.h"
#include "mediatord/accountant.h"
#include "mediatord/chores.h"
#include "mediatord/config.h"
#include "mediatord/event_feed.h"
#include "mediatord/files/files.h"
#include "mediatord/gpus/gpus.h"
#include "mediatord/mediator.h"
#include "mediatord/reconciler.h"
#include "mediatord/registry/registry.h"
#include "mediatord/rest/rest.h"
#include "mediatord/rundir.h"
#include "mediatord/state/state.h"

struct options {
	const char *config; /* NULL: the default path, which need not be there */
	bool check;
};

static void print_help(void)
{
	printf("Usage: vgpu-mediatord [--config FILE] [--check]\n"
	       "Shares the GPUs of this host among its virtual machines.\n"
	       "\n"
	       "  --config FILE  the configuration (default: %s)\n"
	       "  --check        check the configuration and exit\n"
	       "  --version      print the version and exit\n"
	       "  --help         print this and exit\n",
	       VGPU_CONFIG_FILE);
}

/* Exits for --help, --version and what cannot be understood. */
static struct options parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'C' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .config = NULL };
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (option) {
		case 'c':
			options.config = optarg;
			break;
		case 'C':
			options.check = true;
			break;
		case 'V':
			printf("vgpu-mediatord %s\n", PACKAGE_VERSION);
			exit(EXIT_SUCCESS);
		case 'h':
			print_help();
			exit(EXIT_SUCCESS);
		default:
			fprintf(stderr, "vgpu-mediatord: see vgpu-mediatord --help\n");
			exit(EX_USAGE);
		}
	if (optind < argc) {
		fprintf(stderr, "vgpu-mediatord: \"%s\" is no option; see vgpu-mediatord --help\n",
			argv[optind]);
		exit(EX_USAGE);
	}
	return options;
}

/* Signals come through the loop's descriptor only; threads and children inherit the mask. */
static void prepare_process(void)
{
	struct rlimit files;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	/* An ignored SIGCHLD, as a parent may have left it, would reap what we wait for. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	/* A file size limit is an error of the write, as a full disk is. */
	signal(SIGXFSZ, SIG_IGN);
	umask(077);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* Makes sure that nobody else serves these folders. The locks last as long as the process. */
static int take_locks(const struct config *config, struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *link_lock = NULL;
	VGPU_AUTO_FREE char *control_lock = NULL;

	if (asprintf(&link_lock, "%s/.lock", config->link_dir) < 0) {
		link_lock = NULL;
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	if (asprintf(&control_lock, "%s.lock", config->control_socket) < 0) {
		control_lock = NULL;
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	if (rundir_make(config->link_dir, err) < 0 ||
	    rundir_make_for(config->control_socket, err) < 0 || rundir_lock(link_lock, err) < 0 ||
	    rundir_lock(control_lock, err) < 0)
		return -1;
	return 0;
}

/* The pools' GPUs, as far as the configuration leaves them to the driver. */
static int take_gpus(struct config *config, struct gpus *gpus, struct vgpu_error **err)
{
	VGPU_AUTO_FREE struct gpu_report *report = gpus_snapshot(gpus);
	uint32_t indices[GPUS_MAX];
	size_t count = 0;

	if (!report)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < report->count; i++)
		if (report->gpus[i].state == GPU_OK)
			indices[count++] = report->gpus[i].index;
	return config_take_gpus(config, indices, count, err);
}

/* Before the VMs, which may have been promised their memory. */
static int put_gpus(struct control *control, struct registry *registry, struct gpus *gpus,
		    struct vgpu_error **err)
{
	VGPU_AUTO_FREE struct gpu_report *report = gpus_snapshot(gpus);

	if (!report)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	registry_gpus(registry, report);
	return control_gpus(control, report, err);
}

/* From the thread that looks at them. */
static void gpus_changed(void *opaque, const struct gpu_report *report)
{
	const struct rest_parts *parts = opaque;

	control_gpus(parts->control, report, NULL);
	registry_gpus(parts->registry, report);
}

static void notify(const char *state)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, state);
#else
	(void)state;
#endif
}

/* Within so long the service manager wants to hear of us; 0: it does not. */
static int64_t watchdog_ns(void)
{
#ifdef HAVE_SYSTEMD
	uint64_t microseconds;

	if (sd_watchdog_enabled(0, &microseconds) > 0)
		return (int64_t)microseconds * VGPU_NS_PER_US;
#endif
	return 0;
}

static const char *config_path(const struct options *options)
{
	return options->config ? options->config : VGPU_CONFIG_FILE;
}

static int serve(struct config *config, const struct options *options, struct vgpu_error **err)
{
	/* Ended in the opposite order: REST first, whose calls fail once the loop has ended. */
	VGPU_CLEANUP(event_feed_stop) struct event_feed *feed = NULL;
	VGPU_CLEANUP(mediator_free) struct mediator *mediator = NULL;
	VGPU_CLEANUP(state_close) struct state *state = NULL;
	VGPU_CLEANUP(registry_close) struct registry *registry = NULL;
	VGPU_CLEANUP(accountant_stop) struct accountant *accountant = NULL;
	VGPU_CLEANUP(gpus_close) struct gpus *gpus = NULL;
	VGPU_CLEANUP(rest_stop) struct rest *rest = NULL;
	VGPU_AUTO_CLOSE int reload_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	VGPU_AUTO_CLOSE int end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	VGPU_CLEANUP(chores_stop) struct chores *chores = NULL;
	struct chores_parts chores_parts;
	VGPU_CLEANUP(files_stop) struct files *files = NULL;
	VGPU_CLEANUP(reconciler_stop) struct reconciler *reconciler = NULL;
	struct rest_parts parts;
	int rc;

	if (take_locks(config, err) < 0 || rundir_make_for(config->state, err) < 0 ||
	    state_open(config->state, &state, err) < 0 || gpus_open(config, &gpus, err) < 0 ||
	    take_gpus(config, gpus, err) < 0 || mediator_new(config, &mediator, err) < 0 ||
	    registry_open(config, state, &registry, err) < 0 || event_feed_start(&feed, err) < 0)
		return -1;
	mediator_tell(mediator, feed);
	registry_follow(registry, feed);
	if (access(config->worker, X_OK) < 0)
		vgpu_log_warning("worker: %s: %s; requests will fail", config->worker,
				 strerror(errno));
	if (put_gpus(mediator_control(mediator), registry, gpus, err) < 0)
		return -1;
	registry_start(registry, mediator_control(mediator));
	parts = (struct rest_parts){
		.config = config,
		.state = state,
		.registry = registry,
		.control = mediator_control(mediator),
		.gpus = gpus,
		.feed = feed,
	};
	if (rest_start(&parts, &rest, err) < 0)
		return -1;
	mediator_on_signals(mediator, reload_fd, end_fd);
	chores_parts = (struct chores_parts){
		.path = config_path(options),
		.may_lack = !options->config,
		.config = config,
		.control = mediator_control(mediator),
		.registry = registry,
		.rest = rest,
		.reload_fd = reload_fd,
		.end_fd = end_fd,
		.notify = notify,
		.watchdog_ns = watchdog_ns(),
	};
	if (chores_start(&chores_parts, &chores, err) < 0)
		return -1;
	if (accountant_start(mediator_control(mediator), state, &accountant, err) < 0 ||
	    gpus_watch(gpus, gpus_changed, &parts, err) < 0)
		return -1;
	if (files_start(config, mediator_control(mediator), &files, err) < 0 ||
	    reconciler_start(config, &reconciler, err) < 0)
		return -1;
	notify("READY=1\nSTATUS=Serving links and REST");
	vgpu_log_info("serving %s", config->control_socket);
	rc = mediator_run(mediator, err);
	return rc;
}

int main(int argc, char **argv)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_CLEANUP(config_free) struct config *config = NULL;
	struct options options = parse_options(argc, argv);
	const char *path = config_path(&options);

	vgpu_log_init("vgpu-mediatord", VGPU_LOG_INFO);
	if (config_load(path, !options.config, &config, &err) < 0) {
		vgpu_log_error("%s", err->message);
		return EX_CONFIG;
	}
	if (options.check) {
		printf("%s: %zu pools, %zu profiles\n", path, config->pool_count,
		       config->profile_count);
		return EXIT_SUCCESS;
	}
	vgpu_log_init("vgpu-mediatord", config->log_level);
	vgpu_log_open_journal();
	prepare_process();
	if (serve(config, &options, &err) < 0) {
		vgpu_log_close_journal();
		vgpu_log_error("%s", err->message);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
