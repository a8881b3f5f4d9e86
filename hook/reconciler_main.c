/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vgpu-reconciler(8): follows libvirt's domains for the mediator, which starts it. A process of its
 * own, since libvirt may hold a call up for as long as it likes, and hostile XML may cost what it
 * can: neither is to touch who serves VMs. It is told to end by the end of its standard input.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "config.h"
#include "hook/follow.h"
#include "hook/mediator.h"

/* A step that takes longer ends the process: the mediator starts another one. */
#define STEP_SECONDS 60

#define RETRY_MS      1000
#define LOOK_EVERY_MS 300000 /* at everything: events tell of nearly all that matters */
#define ROUND_MS      20     /* between two rounds at least, however many events there are */

/* A definition gets its vGPU so often in that time, where somebody takes it out again and again. */
#define ATTACHES_MAX	    10
#define ATTACH_PERIOD_NS    (60 * VGPU_NS_PER_SECOND)
#define ATTACHES_REMEMBERED 64

static const char help[] =
	"Usage: vgpu-reconciler [OPTIONS]\n"
	"Follows libvirt's domains for vgpu-mediatord, which starts it.\n"
	"\n"
	"  --control-socket PATH  the mediator's\n"
	"  --uri URI              the libvirt to follow (default: qemu:///system)\n"
	"  --link-dir DIR         where the mediator's link sockets are\n"
	"  --no-attach            definitions that ask for a vGPU do not get it by themselves\n"
	"  --log-level LEVEL      error, warning, info or debug (default: info)\n"
	"  --help                 print this and exit\n"
	"  --version              print the version and exit\n";

struct attach_record {
	uint8_t uuid[16];
	int64_t since_ns;
	unsigned int count;
};

struct reconciler {
	const char *socket;
	const char *uri;
	struct vgpu_domain_options attach;
	bool no_attach;
	struct follow *follow;
	/* Whose domain is to be looked at. */
	uint8_t (*pending)[16];
	size_t pending_count;
	bool all_pending; /* memory was short: everything is to be looked at */
	struct attach_record attaches[ATTACHES_REMEMBERED];
	bool told; /* the reason why libvirt or the mediator cannot be asked */
};

static int compare_uuids(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static void changed(void *opaque, const uint8_t uuid[16])
{
	struct reconciler *r = opaque;
	uint8_t(*grown)[16];

	for (size_t i = 0; i < r->pending_count; i++)
		if (memcmp(r->pending[i], uuid, 16) == 0)
			return;
	grown = reallocarray(r->pending, r->pending_count + 1, sizeof(*grown));
	if (!grown) {
		r->all_pending = true;
		return;
	}
	r->pending = grown;
	memcpy(r->pending[r->pending_count++], uuid, 16);
}

/* Every domain and every VM is to be looked at. Returns 0, or -1 and err. */
static int look_at_all(struct reconciler *r, struct vgpu_error **err)
{
	VGPU_AUTO_FREE uint8_t(*vms)[16] = NULL;
	VGPU_AUTO_FREE uint8_t(*domains)[16] = NULL;
	size_t vm_count = 0, domain_count = 0, count, unique = 0;
	uint8_t(*all)[16];

	if (mediator_list(r->socket, &vms, &vm_count, err) < 0 ||
	    follow_list(r->follow, &domains, &domain_count, err) < 0)
		return -1;
	/* What is pending is a domain or a VM, or was one. */
	count = r->pending_count + vm_count + domain_count;
	all = reallocarray(r->pending, count + 1, sizeof(*all));
	if (!all)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	r->pending = all;
	memcpy(all + r->pending_count, vms, vm_count * sizeof(*all));
	memcpy(all + r->pending_count + vm_count, domains, domain_count * sizeof(*all));
	qsort(all, count, sizeof(*all), compare_uuids);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || memcmp(all[i], all[unique - 1], sizeof(*all)) != 0)
			memmove(all[unique++], all[i], sizeof(*all));
	r->pending_count = unique;
	r->all_pending = false;
	return 0;
}

/* Whether the definition may be changed once more. */
static bool may_attach(struct reconciler *r, const uint8_t uuid[16])
{
	struct attach_record *record = &r->attaches[0];
	int64_t now = vgpu_now_ns();

	for (unsigned int i = 0; i < ATTACHES_REMEMBERED; i++) {
		if (memcmp(r->attaches[i].uuid, uuid, 16) == 0) {
			record = &r->attaches[i];
			break;
		}
		if (r->attaches[i].since_ns < record->since_ns)
			record = &r->attaches[i];
	}
	if (memcmp(record->uuid, uuid, 16) != 0 || now - record->since_ns > ATTACH_PERIOD_NS) {
		memcpy(record->uuid, uuid, 16);
		record->since_ns = now;
		record->count = 0;
	}
	return ++record->count <= ATTACHES_MAX;
}

/*
 * Puts the vGPU into the definition, and looks at it again. Returns 0, also where that fails: then
 * err says why, for the drift; or -1 and err.
 */
static int attach(struct reconciler *r, const uint8_t uuid[16], const char *label,
		  struct domain_view *domain, struct vgpu_error **err)
{
	int attached;

	if (!may_attach(r, uuid)) {
		vgpu_error_set(err, EAGAIN, "it was put there %d times in a minute, and went again",
			       ATTACHES_MAX);
		return 0;
	}
	attached = follow_attach(r->follow, uuid, &r->attach, err);
	if (attached < 0) {
		vgpu_log_warning("domain %s: cannot have its vGPU: %s", label, (*err)->message);
		return 0;
	}
	if (attached)
		vgpu_log_info("domain %s: its definition has its vGPU now", label);
	domain_view_clear(domain);
	return follow_look(r->follow, uuid, domain, err);
}

static int register_domain(struct reconciler *r, const uint8_t uuid[16], const char *label,
			   const struct domain_view *domain, struct vm_view *vm,
			   struct vgpu_error **err)
{
	int done = mediator_register(r->socket, uuid, &domain->live.info, vm, err);

	if (done > 0) {
		vgpu_log_info("domain %s: it runs, and was not registered", label);
		return 0;
	}
	if (done < 0)
		return -1;
	vgpu_log_warning("domain %s: it runs, and the mediator refuses it: %s", label,
			 (*err)->message);
	vgpu_error_free(err);
	return 0;
}

/*
 * The VM before the domain: a start in between is then no end that was missed. Returns 0, or -1 and
 * err where it is to be tried again.
 */
static int look(struct reconciler *r, const uint8_t uuid[16], struct vgpu_error **err)
{
	VGPU_AUTO_ERROR struct vgpu_error *why = NULL;
	DOMAIN_AUTO_VIEW struct domain_view domain = { .running = false };
	struct reconcile_plan plan;
	char label[VGPU_UUID_TEXT];
	struct vm_view vm;
	int done;

	vgpu_uuid_format(uuid, label);
	if (mediator_get(r->socket, uuid, &vm, err) < 0 ||
	    follow_look(r->follow, uuid, &domain, err) < 0)
		return -1;
	if (r->no_attach)
		vgpu_error_set(&why, EPERM, "run vgpu-xml attach on it");
	reconcile(&domain, &vm, why ? why->message : NULL, &plan);
	if (plan.attach) {
		if (attach(r, uuid, label, &domain, &why) < 0) {
			*err = vgpu_steal_pointer(&why);
			return -1;
		}
		reconcile(&domain, &vm, why ? why->message : NULL, &plan);
	}
	if (plan.register_vm) {
		if (register_domain(r, uuid, label, &domain, &vm, err) < 0)
			return -1;
		reconcile(&domain, &vm, why ? why->message : NULL, &plan);
	}
	if (!plan.report)
		return 0;
	done = mediator_report(r->socket, uuid, plan.state, vm.starts, &plan.drift, err);
	if (done == 0)
		changed(r, uuid);
	return done < 0 ? -1 : 0;
}

/*
 * Looks at all that is pending; what fails, and what comes meanwhile, stays. The one that failed
 * goes to the end, so that it keeps no other one waiting for ever.
 */
static int work_off(struct reconciler *r, struct vgpu_error **err)
{
	VGPU_AUTO_FREE uint8_t(*round)[16] = vgpu_steal_pointer(&r->pending);
	size_t count = r->pending_count, done = 0;
	int result = 0;

	r->pending_count = 0;
	for (; done < count && result == 0; done++) {
		alarm(STEP_SECONDS);
		result = look(r, round[done], err);
	}
	for (size_t i = done; i < count; i++)
		changed(r, round[i]);
	if (result < 0)
		changed(r, round[done - 1]);
	return result;
}

/* One round. Returns 0, or -1 and err where libvirt or the mediator cannot be asked. */
static int step(struct reconciler *r, struct vgpu_error **err)
{
	alarm(STEP_SECONDS);
	if (!follow_connected(r->follow)) {
		if (follow_connect(r->follow, err) < 0)
			return -1;
		vgpu_log_info("following the domains of %s", r->uri);
		r->all_pending = true;
	}
	if (r->all_pending && look_at_all(r, err) < 0)
		return -1;
	return work_off(r, err);
}

/*
 * Waits until there is something to do, but never less than the pause between two rounds: at once
 * where nothing was for long, since who sets the metadata may start the domain in the same breath.
 * At look_ns there is everything to do. Returns whether to go on.
 */
static bool wait_for_work(struct reconciler *r, int64_t began_ns, int64_t look_ns, bool failed)
{
	const int64_t pause_ns = (failed ? RETRY_MS : ROUND_MS) * VGPU_NS_PER_MS;
	bool goes = true;

	alarm(0);
	while (goes && vgpu_now_ns() - began_ns < pause_ns)
		goes = follow_wait(r->follow, ROUND_MS);
	/* libvirt's library returns once when an event has arrived, and once when it has told of
	 * it. */
	while (goes && !failed && r->pending_count == 0 && !r->all_pending &&
	       follow_connected(r->follow) && vgpu_now_ns() < look_ns)
		goes = follow_wait(r->follow,
				   (int)((look_ns - vgpu_now_ns()) / VGPU_NS_PER_MS) + 1);
	return goes;
}

static int run(struct reconciler *r, struct vgpu_error **err)
{
	const int64_t period_ns = LOOK_EVERY_MS * VGPU_NS_PER_MS;
	int64_t began_ns, look_ns = vgpu_now_ns() + period_ns;
	bool failed;

	if (follow_new(r->uri, changed, r, &r->follow, err) < 0)
		return -1;
	do {
		VGPU_AUTO_ERROR struct vgpu_error *why = NULL;

		began_ns = vgpu_now_ns();
		if (began_ns >= look_ns) {
			r->all_pending = true;
			look_ns = began_ns + period_ns;
		}
		failed = step(r, &why) < 0;
		/* Once: it may stay so for days. */
		if (failed && !r->told)
			vgpu_log_info("%s; it is tried again every second", why->message);
		r->told = failed;
	} while (wait_for_work(r, began_ns, look_ns, failed));
	return 0;
}

static int read_options(int argc, char **argv, struct reconciler *r)
{
	static const struct option known[] = {
		{ "control-socket", required_argument, NULL, 's' },
		{ "uri", required_argument, NULL, 'u' },
		{ "link-dir", required_argument, NULL, 'l' },
		{ "no-attach", no_argument, NULL, 'n' },
		{ "log-level", required_argument, NULL, 'g' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int option, level;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (option) {
		case 's':
			r->socket = optarg;
			break;
		case 'u':
			r->uri = optarg;
			break;
		case 'l':
			r->attach.link_dir = optarg;
			break;
		case 'n':
			r->no_attach = true;
			break;
		case 'g':
			level = vgpu_log_level_from_name(optarg);
			if (level < 0) {
				fprintf(stderr, "vgpu-reconciler: '%s' is no log level\n", optarg);
				return EX_USAGE;
			}
			vgpu_log_set_level(level);
			break;
		case 'h':
			fputs(help, stdout);
			exit(fflush(stdout) == EOF ? EX_IOERR : EX_OK);
		case 'V':
			puts("vgpu-reconciler " PACKAGE_VERSION);
			exit(fflush(stdout) == EOF ? EX_IOERR : EX_OK);
		default:
			fprintf(stderr, "vgpu-reconciler: see vgpu-reconciler --help\n");
			return EX_USAGE;
		}
	if (optind < argc) {
		fprintf(stderr, "vgpu-reconciler: '%s' is no option; see vgpu-reconciler --help\n",
			argv[optind]);
		return EX_USAGE;
	}
	return EX_OK;
}

int main(int argc, char **argv)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct reconciler r = { .socket = VGPU_CONTROL_SOCKET, .uri = "qemu:///system" };
	int status;

	vgpu_log_init("vgpu-reconciler", VGPU_LOG_INFO);
	status = read_options(argc, argv, &r);
	if (status != EX_OK)
		return status;
	signal(SIGPIPE, SIG_IGN);
	if (run(&r, &err) < 0) {
		vgpu_log_error("%s", err->message);
		status = EX_SOFTWARE;
	}
	follow_free(&r.follow);
	free(r.pending);
	return status;
}
