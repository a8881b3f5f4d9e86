/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-xml: domain XML in, domain XML with the vGPU out. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "config.h"
#include "xml/device_option.h"
#include "xml/vgpu_xml.h"

static const struct command {
	const char *name;
	int (*run)(const struct arguments *arguments, struct vgpu_domain *domain,
		   struct vgpu_error **err);
	bool writes;  /* the document: takes --in-place */
	bool attachs; /* takes attach's options */
} commands[] = {
	{ "attach", command_attach, true, true },
	{ "detach", command_detach, true, false },
	{ "inspect", command_inspect, false, false },
	{ "validate", command_validate, false, false },
};

static const char help[] =
	"Usage: vgpu-xml COMMAND [OPTIONS] [FILE]\n"
	"Reads a libvirt domain's XML from FILE or standard input.\n"
	"\n"
	"Commands:\n"
	"  attach               write the domain with the vGPU that its metadata asks for\n"
	"  detach               write the domain as it was before attach\n"
	"  inspect              print what the domain says about its vGPU\n"
	"  validate             return 0 if the domain can start with the vGPU that it has\n"
	"\n"
	"Options of attach and detach:\n"
	"  -i, --in-place       replace FILE instead of writing to standard output\n"
	"\n"
	"Options of attach:\n"
	"  --profile NAME       ask for this profile where the metadata does not ask for one\n"
	"  --link-dir DIR       where the mediator's link sockets are\n"
	"                       (default " VGPU_LINK_DIR ")\n"
	"  --emulator PATH      the emulator wrapper\n"
	"                       (default " VGPU_EMULATOR ")\n"
	"  --window-size SIZE   shared window, a power of two, 1MiB to 64GiB (default 256MiB)\n"
	"  --uuid UUID          the uuid for a domain that has none (default: a random one)\n"
	"\n"
	"  -h, --help           print this and exit\n"
	"  -V, --version        print the version and exit\n";

/* One line, whatever the text holds: names in it come from the document. */
static int fail(int status, const char *subject, const char *message)
{
	VGPU_AUTO_FREE char *line = NULL;

	if (asprintf(&line, "vgpu-xml: %s%s%s", subject ? subject : "", subject ? ": " : "",
		     message) < 0) {
		line = NULL;
		return EX_OSERR;
	}
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	fprintf(stderr, "%s\n", line);
	return status;
}

static int usage(const char *subject, const char *problem)
{
	VGPU_AUTO_FREE char *message = NULL;

	if (asprintf(&message, "%s; see vgpu-xml --help", problem) < 0) {
		message = NULL;
		return EX_OSERR;
	}
	return fail(EX_USAGE, subject, message);
}

int exit_status(const struct vgpu_error *err)
{
	return err->status == ENOMEM ? EX_OSERR : EX_DATAERR;
}

int write_domain(const struct arguments *arguments, const struct vgpu_domain *domain,
		 struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *xml = NULL;
	size_t length;

	if (vgpu_domain_format(domain, &xml, &length, err) < 0)
		return EX_OSERR;
	if (arguments->in_place)
		return file_replace(arguments->file, xml, length, err) < 0 ? EX_CANTCREAT : EX_OK;
	if (file_write(STDOUT_FILENO, xml, length, err) < 0) {
		vgpu_error_prefix(err, "standard output");
		return EX_IOERR;
	}
	return EX_OK;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* Prints help or the version; a full disk is an error also here. */
static int print(const char *text)
{
	return fputs(text, stdout) == EOF || fflush(stdout) == EOF
		       ? fail(EX_IOERR, "standard output", strerror(errno))
		       : EX_OK;
}

static int read_window_size(struct arguments *arguments)
{
	if (device_size_parse(optarg, &arguments->options.window_size) < 0 ||
	    !arguments->options.window_size)
		return usage(optarg, "not a size for --window-size");
	return EX_OK;
}

/* A domain without a uuid gets the one that is asked for, or a random one (RFC 9562, version 4). */
static int read_uuid(struct arguments *arguments)
{
	if (vgpu_uuid_parse(optarg, arguments->uuid) < 0)
		return usage(optarg, "not a UUID for --uuid");
	arguments->options.uuid_must_match = true;
	return EX_OK;
}

static int random_uuid(uint8_t uuid[16])
{
	if (getrandom(uuid, 16, 0) != 16)
		return fail(EX_OSERR, "random uuid", strerror(errno));
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return EX_OK;
}

/* Returns EX_OK to go on, EX_USAGE and the like to stop, or -1 where help or version was printed.
 */
static int read_arguments(int argc, char **argv, const struct command *command,
			  struct arguments *arguments)
{
	enum {
		PROFILE = 256,
		LINK_DIR,
		EMULATOR,
		WINDOW_SIZE,
		UUID
	};
	static const struct option names[] = {
		{ "in-place", no_argument, NULL, 'i' },
		{ "profile", required_argument, NULL, PROFILE },
		{ "link-dir", required_argument, NULL, LINK_DIR },
		{ "emulator", required_argument, NULL, EMULATOR },
		{ "window-size", required_argument, NULL, WINDOW_SIZE },
		{ "uuid", required_argument, NULL, UUID },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct vgpu_domain_options *options = &arguments->options;
	int status = EX_OK;
	int option;

	while (status == EX_OK && (option = getopt_long(argc, argv, ":ihV", names, NULL)) != -1) {
		if (option >= PROFILE && command && !command->attachs)
			return usage(argv[optind - 1], "an option of attach only");
		switch (option) {
		case 'i':
			arguments->in_place = true;
			break;
		case PROFILE:
			options->profile = optarg;
			break;
		case LINK_DIR:
			options->link_dir = optarg;
			break;
		case EMULATOR:
			options->emulator = optarg;
			break;
		case WINDOW_SIZE:
			status = read_window_size(arguments);
			break;
		case UUID:
			status = read_uuid(arguments);
			break;
		case 'h':
			status = print(help);
			return status == EX_OK ? -1 : status;
		case 'V':
			status = print("vgpu-xml " PACKAGE_VERSION "\n");
			return status == EX_OK ? -1 : status;
		case ':':
			return usage(argv[optind - 1], "this option needs a value");
		default:
			return usage(argv[optind - 1], "unknown option");
		}
	}
	return status;
}

/* What is left of the command line after the options: COMMAND was argv[0], FILE comes last. */
static int read_operands(int argc, char **argv, const struct command *command,
			 struct arguments *arguments)
{
	if (argc > 1)
		return usage(argv[1], "more than one FILE");
	if (argc == 1 && strcmp(argv[0], "-") != 0)
		arguments->file = argv[0];
	if (arguments->in_place && !command->writes)
		return usage(command->name, "does not change FILE, so not --in-place");
	if (arguments->in_place && !arguments->file)
		return usage("--in-place", "needs a FILE");
	return EX_OK;
}

static int read_domain(const struct arguments *arguments, struct vgpu_domain **domain,
		       struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *xml = NULL;
	size_t length;
	int failed;

	if (arguments->file)
		failed = file_read_path(arguments->file, VGPU_DOMAIN_BYTES_MAX, &xml, &length, err);
	else
		failed = file_read(STDIN_FILENO, VGPU_DOMAIN_BYTES_MAX, &xml, &length, err);
	if (failed)
		return (*err)->status == EFBIG	  ? EX_DATAERR
		       : (*err)->status == EIO	  ? EX_IOERR
		       : (*err)->status == ENOMEM ? EX_OSERR
						  : EX_NOINPUT;
	return vgpu_domain_parse(domain, xml, length, err) < 0 ? exit_status(*err) : EX_OK;
}

int main(int argc, char **argv)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_DOMAIN struct vgpu_domain *domain = NULL;
	const struct command *command = argc > 1 ? find_command(argv[1]) : NULL;
	struct arguments arguments = { 0 };
	int skip = command ? 1 : 0;
	int status;

	status = random_uuid(arguments.uuid);
	if (status != EX_OK)
		return status;
	arguments.options.uuid = arguments.uuid;
	status = read_arguments(argc - skip, argv + skip, command, &arguments);
	if (status != EX_OK)
		return status < 0 ? EX_OK : status;
	if (!command)
		return usage(optind < argc ? argv[optind] : NULL,
			     optind < argc ? "unknown command" : "no command given");
	status = read_operands(argc - skip - optind, argv + skip + optind, command, &arguments);
	if (status == EX_OK) {
		status = read_domain(&arguments, &domain, &err);
		if (status == EX_OK)
			status = command->run(&arguments, domain, &err);
		if (status != EX_OK)
			fail(status, arguments.file ? arguments.file : "standard input",
			     err->message);
	}
	return status;
}
