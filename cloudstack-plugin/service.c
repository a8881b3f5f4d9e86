/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/service.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cloudstack-plugin/follow.h"
#include "cloudstack-plugin/plan.h"
#include "cloudstack-plugin/webhook.h"
#include "common/clock.h"
#include "common/log.h"
#include "config.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#define MS_PER_SECOND 1000

static void notify(const char *state)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, state);
#else
	(void)state;
#endif
}

int service_sync(struct service *service, struct vgpu_error **err)
{
	const struct sync_config *config = service->config;
	const struct cs_server server = sync_config_server(config);
	CS_AUTO_API struct cs_api *api = cs_api_new(&server);
	char own_name[HOST_NAME_MAX + 1] = "";
	const struct sync_target target = {
		.host = config->host ? config->host : own_name,
		.socket = config->control_socket ? config->control_socket : VGPU_CONTROL_SOCKET,
		.timeout_ms = config->timeout_ms,
		.dry_run = service->dry_run,
	};
	struct sync_result result;
	struct cs_cost cost;
	int status;

	if (!api)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	gethostname(own_name, sizeof(own_name) - 1);
	status = sync_run(api, &target, &result, err);
	service->retry_after_s = cs_api_retry_after(api);
	cost = cs_api_cost(api);
	if (status == 0)
		vgpu_log_info(
			"%u VMs on host %s: %u in step, %u told, %u not registered, %u skipped, %u "
			"refused; %u requests, %llu bytes",
			result.vms, target.host, result.same, result.told, result.unregistered,
			result.skipped, result.refused, cost.requests,
			(unsigned long long)cost.bytes);
	return status;
}

static uint32_t chance(void)
{
	uint32_t number = 0;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number))
		number = (uint32_t)vgpu_now_ns();
	return number;
}

static int64_t now_ms(void)
{
	return vgpu_now_ns() / VGPU_NS_PER_MS;
}

static void resync(struct service *service, struct plan *plan)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	int64_t wait;

	if (service_sync(service, &err) == 0) {
		plan_succeeded(plan, now_ms(), chance());
		notify("STATUS=In step with CloudStack");
		return;
	}
	wait = plan_failed(plan, service->retry_after_s, now_ms(), chance());
	vgpu_log_warning("%s; what is in force stays, and it is tried again in %lld s",
			 err->message, (long long)(wait / MS_PER_SECOND));
	notify("STATUS=Cannot ask CloudStack or the mediator; what is in force stays");
}

/* What runs beside the resyncs. */
struct running {
	struct service service;
	struct plan plan;
	struct sync_config *config;
	const char *path;
	struct webhook *webhook;
	int signals, events;
};

static int start_webhook(struct running *running, struct vgpu_error **err)
{
	const struct sync_config *config = running->config;

	if (!config->webhook_listen)
		return 0;
	running->webhook =
		webhook_start(config->webhook_listen, config->webhook_secret, running->events, err);
	return running->webhook ? 0 : -1;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Takes over *fresh, and leaves there what was before. The webhook goes on where it is the same, as
 * it remembers what came. */
static int take_config(struct running *running, struct sync_config *fresh, struct vgpu_error **err)
{
	const struct sync_config old = *running->config;

	*running->config = *fresh;
	*fresh = old;
	plan_interval(&running->plan, running->config->interval_s);
	if (running->webhook && same_text(old.webhook_listen, running->config->webhook_listen) &&
	    same_text(old.webhook_secret, running->config->webhook_secret))
		return 0;
	webhook_stop(&running->webhook);
	return start_webhook(running, err);
}

/* Upon SIGHUP: another configuration and other keys, and a resync with them. */
static void reload(struct running *running)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	SYNC_AUTO_CONFIG struct sync_config fresh = { 0 };
	char state[64];

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)(vgpu_now_ns() / VGPU_NS_PER_US));
	notify(state);
	if (sync_config_load(&fresh, running->path, &err) < 0)
		vgpu_log_error("%s; the configuration that is in force stays", err->message);
	else if (take_config(running, &fresh, &err) < 0)
		vgpu_log_error("%s; there is no webhook until the next reload", err->message);
	plan_at_once(&running->plan, now_ms());
	notify("READY=1");
}

/* Waits for a signal, an event or the time. Returns whether to go on. */
static bool wait_for_work(struct running *running)
{
	struct pollfd fds[] = { { .fd = running->signals, .events = POLLIN },
				{ .fd = running->events, .events = POLLIN } };
	int64_t left = running->plan.next_ms - now_ms();
	struct signalfd_siginfo signal_info;
	uint64_t count;

	if (left < 0)
		left = 0;
	if (poll(fds, 2, left > INT_MAX ? INT_MAX : (int)left) <= 0)
		return true;
	if (fds[1].revents && read(running->events, &count, sizeof(count)) > 0)
		plan_wake(&running->plan, now_ms(), chance());
	if (!fds[0].revents || read(running->signals, &signal_info, sizeof(signal_info)) <= 0)
		return true;
	if (signal_info.ssi_signo != SIGHUP)
		return false;
	reload(running);
	return true;
}

static void serve(struct running *running)
{
	plan_begin(&running->plan, running->config->interval_s, now_ms(), chance());
	notify("READY=1");
	while (wait_for_work(running))
		if (now_ms() >= running->plan.next_ms)
			resync(&running->service, &running->plan);
	notify("STOPPING=1");
}

int service_run(struct sync_config *config, const char *path, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int signals = -1;
	VGPU_AUTO_CLOSE int events = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct running running = { .service.config = config, .config = config, .path = path };
	sigset_t set;

	/* Before any thread starts: none but this one takes them. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0 || events < 0)
		return vgpu_error_errno(err, errno, "cannot wait for events");
	running.signals = signals;
	running.events = events;
	if (follow_start(config->control_socket ? config->control_socket : VGPU_CONTROL_SOCKET,
			 events, err) < 0 ||
	    start_webhook(&running, err) < 0)
		return -1;
	serve(&running);
	webhook_stop(&running.webhook);
	return 0;
}
