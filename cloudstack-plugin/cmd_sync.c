/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-cloudstack sync */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cloudstack-plugin/commands.h"
#include "cloudstack-plugin/service.h"
#include "common/log.h"

const char help_sync[] =
	"Usage: vgpu-cloudstack sync [OPTION]...\n"
	"Tells this host's mediator what the service offerings of its VMs say: at start, then\n"
	"again and again, when the mediator has a new VM, when CloudStack's webhook says that\n"
	"something happened, and upon SIGHUP, with which it reads its configuration anew.\n"
	"\n"
	"  --config FILE      instead of " SYNC_CONFIG "\n"
	"  --check            only read the configuration and its keys\n"
	"  --once             once, and exit\n"
	"  --dry-run          once, and print what would be sent to the mediator\n"
	"  --log-level LEVEL  error, warning, info or debug (default: info)\n"
	"  --help             print this and exit\n";

struct options {
	const char *config;
	bool check, once, dry_run;
};

static int read_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "once", no_argument, NULL, 'o' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "log-level", required_argument, NULL, 'g' },
		{ NULL, 0, NULL, 0 },
	};
	int option, level;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 'k':
			options->check = true;
			break;
		case 'o':
			options->once = true;
			break;
		case 'n':
			options->dry_run = true;
			break;
		case 'g':
			level = vgpu_log_level_from_name(optarg);
			if (level < 0) {
				fprintf(stderr, "vgpu-cloudstack: '%s' is no log level\n", optarg);
				return EX_USAGE;
			}
			vgpu_log_set_level(level);
			break;
		default:
			fprintf(stderr, "vgpu-cloudstack: see vgpu-cloudstack help sync\n");
			return EX_USAGE;
		}
	if (optind < argc) {
		fprintf(stderr,
			"vgpu-cloudstack: '%s' is no option; see vgpu-cloudstack help sync\n",
			argv[optind]);
		return EX_USAGE;
	}
	return EX_OK;
}

/* One sync. Returns the exit status. */
static int once(const struct sync_config *config, bool dry_run)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct service service = { .config = config, .dry_run = dry_run };

	if (service_sync(&service, &err) == 0 && fflush(stdout) == 0)
		return EX_OK;
	vgpu_log_error("%s", err ? err->message : "cannot write to standard output");
	return err && err->status == EAGAIN ? EX_TEMPFAIL : EX_UNAVAILABLE;
}

int command_sync(int argc, char **argv)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	SYNC_AUTO_CONFIG struct sync_config config = { 0 };
	struct options options = { .config = SYNC_CONFIG };
	int status;

	vgpu_log_init("vgpu-cloudstack", VGPU_LOG_INFO);
	status = read_options(argc, argv, &options);
	if (status != EX_OK)
		return status;
	if (sync_config_load(&config, options.config, &err) < 0) {
		vgpu_log_error("%s", err->message);
		return EX_CONFIG;
	}
	if (options.check)
		return EX_OK;
	if (options.once || options.dry_run)
		return once(&config, options.dry_run);
	if (service_run(&config, options.config, &err) < 0) {
		vgpu_log_error("%s", err->message);
		return EX_UNAVAILABLE;
	}
	return EX_OK;
}
