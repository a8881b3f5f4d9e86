/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a workload's description against the daemon's own scheduler, in simulated time. */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sysexits.h>

#include "tests/schedsim/bench.h"
#include "tests/schedsim/report.h"

static void print_help(void)
{
	printf("Usage: vgpu-schedsim [--json] WORKLOAD\n"
	       "       vgpu-schedsim [--json] --bench\n"
	       "Runs a workload against the scheduler of vgpu-mediatord, in simulated time.\n"
	       "\n"
	       "  --json   print one JSON object\n"
	       "  --bench  measure what a decision costs instead\n"
	       "  --help   print this help and exit\n"
	       "\n"
	       "tests/schedsim/workload.h describes the workload's text; \"-\" reads it from the\n"
	       "standard input. Exits with 1 where an invariant was broken.\n");
}

/* Reads a whole file of at most WORKLOAD_BYTES_MAX bytes. Returns its length, or -1 with errno. */
static ssize_t read_file(const char *path, char *text)
{
	VGPU_AUTO_FCLOSE FILE *file = NULL;
	FILE *from = stdin;
	size_t length;

	if (strcmp(path, "-") != 0) {
		file = fopen(path, "re");
		if (!file)
			return -1;
		from = file;
	}
	length = fread(text, 1, WORKLOAD_BYTES_MAX, from);
	return ferror(from) ? -1 : (ssize_t)length;
}

static int simulate(const char *path, bool json)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE char *text = malloc(WORKLOAD_BYTES_MAX);
	VGPU_AUTO_FREE struct workload *workload = NULL;
	struct sim_result *result = NULL;
	ssize_t length = text ? read_file(path, text) : -1;
	bool broken;

	if (length < 0) {
		fprintf(stderr, "vgpu-schedsim: %s: %s\n", path, strerror(errno));
		return EX_NOINPUT;
	}
	if (workload_parse(text, (size_t)length, &workload, &err) < 0 ||
	    sim_run(workload, &result, &err) < 0) {
		fprintf(stderr, "vgpu-schedsim: %s: %s\n", path, err->message);
		return EX_DATAERR;
	}
	if (json)
		report_print_json(result);
	else
		report_print(result);
	broken = result->broken[0];
	sim_free(&result);
	return broken ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "bench", no_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false, bench = false;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (option) {
		case 'j':
			json = true;
			break;
		case 'b':
			bench = true;
			break;
		case 'h':
			print_help();
			return EXIT_SUCCESS;
		default:
			return EX_USAGE;
		}
	if (argc - optind != !bench) {
		fprintf(stderr, "vgpu-schedsim: one workload is needed, or --bench alone\n");
		return EX_USAGE;
	}
	if (!bench)
		return simulate(argv[optind], json);
	return bench_run(json) < 0 ? EX_OSERR : EXIT_SUCCESS;
}
