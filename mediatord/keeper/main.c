/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-keeper(8): starts the workers, and keeps them over a restart of the mediator. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "common/log.h"
#include "mediatord/keeper/keeper.h"
#include "mediatord/keeper/spawn.h"

/* A day: the longest --wait. */
#define WAIT_MAX 86400ul

struct options {
	const char *socket;
	const char *worker;
	uint32_t wait_seconds;
};

static void print_help(void)
{
	printf("Usage: vgpu-keeper [--socket PATH] [--worker PROGRAM] [--wait SECONDS]\n"
	       "Starts vgpu-mediatord's workers, and keeps them while it is restarted.\n"
	       "\n"
	       "  --socket PATH     where the mediator connects (default: %s)\n"
	       "  --worker PROGRAM  what to start (default: %s)\n"
	       "  --wait SECONDS    so long without a mediator, kill the workers and exit;\n"
	       "                    0, the default: never\n"
	       "  --version         print the version and exit\n"
	       "  --help            print this and exit\n",
	       VGPU_RUN_DIR "/keeper.sock", VGPU_WORKER_PROGRAM);
}

static uint32_t parse_wait(const char *text)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text < '0' || *text > '9' || value > WAIT_MAX) {
		fprintf(stderr, "vgpu-keeper: --wait %s: not a number of seconds from 0 to %lu\n",
			text, WAIT_MAX);
		exit(EX_USAGE);
	}
	return (uint32_t)value;
}

/* Exits for --help, --version and what cannot be understood. */
static struct options parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "worker", required_argument, NULL, 'w' },
		{ "wait", required_argument, NULL, 'W' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .socket = VGPU_RUN_DIR "/keeper.sock",
				   .worker = VGPU_WORKER_PROGRAM };
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (option) {
		case 's':
			options.socket = optarg;
			break;
		case 'w':
			options.worker = optarg;
			break;
		case 'W':
			options.wait_seconds = parse_wait(optarg);
			break;
		case 'V':
			printf("vgpu-keeper %s\n", PACKAGE_VERSION);
			exit(EXIT_SUCCESS);
		case 'h':
			print_help();
			exit(EXIT_SUCCESS);
		default:
			fprintf(stderr, "vgpu-keeper: see vgpu-keeper --help\n");
			exit(EX_USAGE);
		}
	if (optind < argc) {
		fprintf(stderr, "vgpu-keeper: \"%s\" is no option; see vgpu-keeper --help\n",
			argv[optind]);
		exit(EX_USAGE);
	}
	return options;
}

/* Whoever frees memory is to choose a worker, or the mediator, and never what outlives both. */
static void be_spared(void)
{
	static const char score[] = "-900";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, score, sizeof(score) - 1) < 0)
		vgpu_log_debug("oom_score_adj stays: %s", strerror(errno));
	close(fd);
}

static void prepare_process(void)
{
	struct rlimit files;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	/* An ignored SIGCHLD, as a parent may have left it, would reap the workers before us. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	umask(077);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	spawn_init();
	be_spared();
}

static int serve(const struct options *options, struct vgpu_error **err)
{
	VGPU_CLEANUP(keeper_free) struct keeper *keeper = NULL;
	VGPU_CLEANUP(listener_close) struct listener listener = LISTENER_NONE;

	if (listener_open(&listener, options->socket, err) < 0 ||
	    keeper_new(&listener, options->worker, options->wait_seconds, &keeper, err) < 0)
		return -1;
#ifdef HAVE_SYSTEMD
	sd_notify(0, "READY=1");
#endif
	return keeper_run(keeper, err);
}

int main(int argc, char **argv)
{
	struct options options = parse_options(argc, argv);
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	vgpu_log_init("vgpu-keeper", VGPU_LOG_INFO);
	prepare_process();
	if (serve(&options, &err) < 0) {
		vgpu_log_error("%s", err->message);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
