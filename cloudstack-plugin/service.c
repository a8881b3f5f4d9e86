/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/service.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cloudstack-plugin/follow.h"
#include "cloudstack-plugin/webhook.h"
#include "common/clock.h"
#include "common/log.h"
#include "config.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#define BACKOFF_MS	 INT64_C(10000)
#define BACKOFF_DOUBLES	 5
#define MS_PER_SECOND	 INT64_C(1000)
#define WAKE_PAUSE_SHARE 30 /* of the interval: between resyncs that events ask for */
#define JITTER_SHARE	 10 /* of the interval */

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
	const struct cs_server server = {
		.url = config->api_url,
		.cacert = config->api_ca,
		.api_key = config->api_key,
		.secret_key = config->secret_key,
		.timeout_ms = config->timeout_ms,
		.pagesize = config->page_size,
	};
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

/* From 0 up to max. */
static int64_t random_ms(int64_t max)
{
	uint32_t number = 0;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number))
		number = (uint32_t)vgpu_now_ns();
	return max * number / UINT32_MAX;
}

static int64_t now_ms(void)
{
	return vgpu_now_ns() / VGPU_NS_PER_MS;
}

/* When things are due. */
struct plan {
	int64_t interval_ms;
	int64_t next_ms;
	int64_t last_ms;
	unsigned int failures; /* in a row */
};

/* An event is a reason to look soon, but not before a failed try's time is over. */
static void wake(struct plan *plan)
{
	int64_t pause = plan->interval_ms / WAKE_PAUSE_SHARE;
	int64_t at = now_ms();

	if (plan->failures > 0)
		return;
	if (at < plan->last_ms + pause)
		at = plan->last_ms + pause;
	at += random_ms(pause);
	if (at < plan->next_ms)
		plan->next_ms = at;
}

static void resync(struct service *service, struct plan *plan)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	int64_t jitter = plan->interval_ms / JITTER_SHARE;
	int64_t wait = plan->interval_ms - jitter + random_ms(2 * jitter);

	if (service_sync(service, &err) == 0) {
		plan->failures = 0;
		notify("STATUS=In step with CloudStack");
	} else {
		wait = BACKOFF_MS << (plan->failures < BACKOFF_DOUBLES ? plan->failures
								       : BACKOFF_DOUBLES);
		if (wait < service->retry_after_s * MS_PER_SECOND)
			wait = service->retry_after_s * MS_PER_SECOND;
		wait += random_ms(wait / JITTER_SHARE);
		plan->failures++;
		vgpu_log_warning("%s; what is in force stays, and it is tried again in %lld s",
				 err->message, (long long)(wait / MS_PER_SECOND));
		notify("STATUS=Cannot ask CloudStack or the mediator; what is in force stays");
	}
	plan->last_ms = now_ms();
	plan->next_ms = plan->last_ms + wait;
}

/* Waits for a signal, an event or the time. Returns whether to go on. */
static bool wait_for_work(struct plan *plan, int signals, int events)
{
	struct pollfd fds[] = { { .fd = signals, .events = POLLIN },
				{ .fd = events, .events = POLLIN } };
	int64_t left = plan->next_ms - now_ms();
	struct signalfd_siginfo signal_info;
	uint64_t count;

	if (left < 0)
		left = 0;
	if (poll(fds, 2, left > INT_MAX ? INT_MAX : (int)left) <= 0)
		return true;
	if (fds[1].revents && read(events, &count, sizeof(count)) > 0)
		wake(plan);
	if (!fds[0].revents || read(signals, &signal_info, sizeof(signal_info)) <= 0)
		return true;
	if (signal_info.ssi_signo != SIGHUP)
		return false;
	plan->next_ms = now_ms();
	return true;
}

static int serve(struct service *service, int signals, int events)
{
	struct plan plan = { .interval_ms = service->config->interval_s * MS_PER_SECOND };

	/* Hosts that start together do not ask together. */
	plan.last_ms = now_ms();
	plan.next_ms = plan.last_ms + random_ms(plan.interval_ms / JITTER_SHARE);
	notify("READY=1");
	while (wait_for_work(&plan, signals, events))
		if (now_ms() >= plan.next_ms)
			resync(service, &plan);
	notify("STOPPING=1");
	return 0;
}

int service_run(const struct sync_config *config, struct vgpu_error **err)
{
	struct service service = { .config = config };
	VGPU_AUTO_CLOSE int signals = -1;
	VGPU_AUTO_CLOSE int events = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct webhook *webhook = NULL;
	sigset_t set;
	int status;

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
	if (follow_start(config->control_socket ? config->control_socket : VGPU_CONTROL_SOCKET,
			 events, err) < 0)
		return -1;
	if (config->webhook_listen) {
		webhook =
			webhook_start(config->webhook_listen, config->webhook_secret, events, err);
		if (!webhook)
			return -1;
	}
	status = serve(&service, signals, events);
	webhook_stop(&webhook);
	return status;
}
