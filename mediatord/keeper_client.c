/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the keeper. */
#include "mediatord/keeper_internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/packet.h"
#include "mediatord/keeper_start.h"

#define CONNECT_NS	 (5 * VGPU_NS_PER_SECOND)
#define CONNECT_AGAIN_NS (100 * VGPU_NS_PER_MS)
#define KEEP_AGAIN_NS	 VGPU_NS_PER_SECOND
#define POLL_MS		 10
#define END_MS		 1000
#define PACKETS_AT_ONCE	 64

/* Ends the connection for the reason err, which becomes ours. */
static void lose(struct keeper_client *client, struct vgpu_error *err)
{
	struct keeper_worker *next;

	if (client->backoff.failures == 0 && !client->adopting)
		vgpu_log_warning("the keeper is lost, and the workers go on: %s", err->message);
	vgpu_error_free(&client->loss);
	client->loss = err;
	loop_remove(client->loop, &client->source);
	keeper_close_fds(&client->fd, 1);
	client->state = CLIENT_DOWN;
	for (struct keeper_worker *worker = client->workers; worker; worker = next) {
		next = worker->next;
		worker->held = false;
		/* If the keeper is still there, it will tell of it. */
		if (worker->forgotten)
			keeper_worker_free(worker);
	}
	backoff_fail(&client->backoff, vgpu_now_ns());
	keeper_set_timer(client, CONNECT_AGAIN_NS);
	/* One that was started all the same is killed when the keeper tells of it, or ends with its
	 * socket. */
	keeper_workers_fail_sent(client);
}

static void lose_for(struct keeper_client *client, int errnum, const char *what)
{
	struct vgpu_error *err = NULL;

	vgpu_error_errno(&err, errnum, "the keeper at %s: %s", client->settings->socket, what);
	lose(client, err);
}

static bool has_our_uid(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       peer.uid == geteuid();
}

/* Connects and says HELLO. Returns 0, or -1 with errno. */
static int reach(struct keeper_client *client)
{
	const struct vgpu_keeper_hello hello = {
		.header = { .type = VGPU_KEEPER_HELLO, .length = sizeof(hello) },
		.version = VGPU_KEEPER_VERSION,
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	VGPU_AUTO_CLOSE int fd = -1;

	if (strlen(client->settings->socket) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, client->settings->socket);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	if (!has_our_uid(fd)) {
		errno = EPERM;
		return -1;
	}
	if (vgpu_packet_send(fd, &hello, sizeof(hello), NULL, 0) < 0)
		return -1;
	client->source = loop_add(client->loop, SOURCE_KEEPER, fd, client);
	if (!client->source)
		return -1;
	client->fd = vgpu_steal_fd(&fd);
	client->state = CLIENT_GREETING;
	client->answer_ns = vgpu_now_ns() + CONNECT_NS;
	timer_set(loop_timers(client->loop), &client->timer, client->answer_ns);
	return 0;
}

static bool nobody_listens(int errnum)
{
	return errnum == ENOENT || errnum == ECONNREFUSED;
}

static void connect_again(struct keeper_client *client)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	int64_t delay;

	if (reach(client) == 0)
		return;
	if (nobody_listens(errno) && !client->stays && keeper_start(client->settings, &err) < 0 &&
	    client->backoff.failures == 1)
		vgpu_log_error("%s", err->message);
	backoff_fail(&client->backoff, vgpu_now_ns());
	delay = client->backoff.retry_ns - vgpu_now_ns();
	keeper_set_timer(client, delay > CONNECT_AGAIN_NS ? delay : CONNECT_AGAIN_NS);
}

void keeper_due(struct keeper_client *client)
{
	struct timers *timers = loop_timers(client->loop);
	const int64_t now = vgpu_now_ns();

	if (client->state == CLIENT_UP)
		keeper_workers_flush(client);
	else if (client->state == CLIENT_DOWN && !backoff_waits(&client->backoff, now))
		connect_again(client);
	else if (client->state == CLIENT_DOWN)
		timer_set(timers, &client->timer, client->backoff.retry_ns);
	else if (now < client->answer_ns)
		timer_set(timers, &client->timer, client->answer_ns);
	else
		lose_for(client, ETIMEDOUT, "it does not answer");
	keeper_workers_fail_killed(client);
}

/* What the keeper says. Each returns 0, or -1: it must not have said that. */

static int handle_welcome(struct keeper_client *client, const struct vgpu_keeper_welcome *welcome)
{
	if (client->state != CLIENT_GREETING || welcome->version < VGPU_KEEPER_OLDEST ||
	    welcome->version > VGPU_KEEPER_VERSION)
		return -1;
	client->stays = welcome->wait_seconds == 0;
	client->state = CLIENT_LISTING;
	return 0;
}

static void handle_refused(struct keeper_client *client, uint32_t reason)
{
	switch (reason) {
	case VGPU_KEEPER_REFUSED_BUSY:
		lose_for(client, EBUSY, "another mediator is connected");
		break;
	case VGPU_KEEPER_REFUSED_VERSION:
		lose_for(client, EPROTONOSUPPORT, "it speaks another protocol");
		break;
	default:
		lose_for(client, EPERM, "it takes us for somebody else");
	}
}

/* A worker that we do not know: an earlier mediator's, or one whose SPAWNED was lost. */
static int take_up(struct keeper_client *client, const struct vgpu_keeper_kept *kept, int *fds)
{
	struct keeper_worker *worker = keeper_worker_add(client, kept->worker);

	if (!worker)
		return -1;
	memcpy(worker->fds, fds, sizeof(worker->fds));
	for (int i = 0; i < VGPU_KEEPER_FDS; i++)
		fds[i] = -1;
	worker->state = kept->ended ? KEEPER_WORKER_ENDED : KEEPER_WORKER_RUNNING;
	worker->pid = kept->pid;
	worker->status = kept->status;
	worker->held = true;
	worker->forgotten = !client->adopting;
	if (kept->worker > client->last_number)
		client->last_number = kept->worker;
	if (client->adopting)
		client->ops.kept(client->opaque, worker);
	else if (!kept->ended)
		keeper_worker_signal(worker);
	return 0;
}

static int handle_kept(struct keeper_client *client, const struct vgpu_keeper_kept *kept, int *fds)
{
	struct keeper_worker *worker = keeper_worker_find(client, kept->worker);

	if (client->state != CLIENT_LISTING || kept->worker == 0 || kept->ended > 1)
		return -1;
	if (!worker)
		return take_up(client, kept, fds);
	if (worker->held)
		return -1;
	worker->held = true;
	if (kept->ended && worker->state == KEEPER_WORKER_RUNNING)
		keeper_worker_end(worker, kept->status);
	return 0;
}

static int handle_complete(struct keeper_client *client)
{
	if (client->state != CLIENT_LISTING)
		return -1;
	client->state = CLIENT_UP;
	if (client->backoff.failures && !client->adopting)
		vgpu_log_info("the keeper is there again");
	backoff_succeed(&client->backoff);
	keeper_set_timer(client, 0);
	return 0;
}

static int handle_spawned(struct keeper_client *client, struct vgpu_keeper_spawned *spawned,
			  int *fds)
{
	struct keeper_worker *worker = keeper_worker_find(client, spawned->worker);

	spawned->step[sizeof(spawned->step) - 1] = '\0';
	if (!worker || !worker->held || spawned->pid < 0)
		return -1;
	if (worker->state == KEEPER_WORKER_RUNNING && spawned->pid == 0) {
		/* It could not be kept: as long as that is so, only we hold it. */
		worker->held = false;
		keeper_set_timer(client, KEEP_AGAIN_NS);
		return 0;
	}
	if (worker->state != KEEPER_WORKER_STARTING)
		return -1;
	if (spawned->pid == 0) {
		keeper_worker_fail(worker, spawned->errnum, spawned->step);
		return 0;
	}
	worker->state = KEEPER_WORKER_RUNNING;
	worker->pid = spawned->pid;
	worker->fds[VGPU_KEEPER_FD_OTHER] = vgpu_steal_fd(&fds[0]);
	if (worker->killed)
		keeper_worker_signal(worker);
	client->ops.spawned(worker->owner);
	return 0;
}

static int handle_ended(struct keeper_client *client, const struct vgpu_keeper_ended *ended)
{
	struct keeper_worker *worker = keeper_worker_find(client, ended->worker);

	if (!worker || worker->state != KEEPER_WORKER_RUNNING || !worker->held)
		return -1;
	keeper_worker_end(worker, ended->status);
	return 0;
}

/* The length of a type's messages, and how many descriptors one carries; 0: no such message. */
static size_t layout(const union vgpu_keeper_message *message, size_t *fds)
{
	*fds = 0;
	switch (message->header.type) {
	case VGPU_KEEPER_WELCOME:
		return sizeof(message->welcome);
	case VGPU_KEEPER_REFUSED:
		return sizeof(message->refused);
	case VGPU_KEEPER_KEPT:
		*fds = VGPU_KEEPER_FDS;
		return sizeof(message->kept);
	case VGPU_KEEPER_COMPLETE:
		return sizeof(message->plain);
	case VGPU_KEEPER_SPAWNED:
		*fds = message->spawned.pid ? 1 : 0;
		return sizeof(message->spawned);
	case VGPU_KEEPER_ENDED:
		return sizeof(message->ended);
	default:
		return 0;
	}
}

static int handle(struct keeper_client *client, union vgpu_keeper_message *message, size_t length,
		  int *fds, size_t count)
{
	size_t fds_wanted;

	if (length < sizeof(message->header) || message->header.length != length ||
	    layout(message, &fds_wanted) != length || fds_wanted != count)
		return -1;
	switch (message->header.type) {
	case VGPU_KEEPER_WELCOME:
		return handle_welcome(client, &message->welcome);
	case VGPU_KEEPER_REFUSED:
		handle_refused(client, message->refused.reason);
		return 0;
	case VGPU_KEEPER_KEPT:
		return handle_kept(client, &message->kept, fds);
	case VGPU_KEEPER_COMPLETE:
		return handle_complete(client);
	case VGPU_KEEPER_SPAWNED:
		return handle_spawned(client, &message->spawned, fds);
	default:
		return handle_ended(client, &message->ended);
	}
}

/* Returns whether there was a message. */
static bool receive(struct keeper_client *client)
{
	union vgpu_keeper_message message;
	int fds[VGPU_KEEPER_FDS];
	size_t count;
	ssize_t length = vgpu_packet_receive(client->fd, &message, sizeof(message), fds,
					     VGPU_KEEPER_FDS, &count);

	if (length < 0 && errno == EAGAIN)
		return false;
	if (length <= 0)
		lose_for(client, length < 0 ? errno : ECONNRESET, "cannot hear it");
	else if (handle(client, &message, (size_t)length, fds, count) < 0)
		lose_for(client, EPROTO, "a message that it must not send");
	keeper_close_fds(fds, count);
	return true;
}

void keeper_readable(struct keeper_client *client)
{
	for (int i = 0; i < PACKETS_AT_ONCE && client->state != CLIENT_DOWN; i++)
		if (!receive(client))
			break;
	keeper_workers_flush(client);
}

/* Waits until the keeper has told of all its workers. Returns 0, or -1 and err. */
static int greet(struct keeper_client *client, struct vgpu_error **err)
{
	const char *socket = client->settings->socket;
	const int64_t deadline = vgpu_now_ns() + CONNECT_NS;
	bool started = false;

	while (client->state != CLIENT_UP && vgpu_now_ns() < deadline) {
		/* Where there is no descriptor, poll() is a pause. */
		struct pollfd poll_fd = { .fd = client->fd, .events = POLLIN };

		if (client->state != CLIENT_DOWN) {
			if (poll(&poll_fd, 1, POLL_MS) > 0)
				receive(client);
			if (client->state == CLIENT_DOWN && client->loss->status != ECONNRESET) {
				*err = vgpu_steal_pointer(&client->loss);
				return -1;
			}
			continue;
		}
		if (reach(client) == 0)
			continue;
		if (!nobody_listens(errno) && errno != EAGAIN)
			return vgpu_error_errno(err, errno, "cannot connect to the keeper at %s",
						socket);
		if (nobody_listens(errno) && !started) {
			vgpu_log_info("nobody listens at %s: starting a keeper, which is not "
				      "spared where our control group is ended",
				      socket);
			if (keeper_start(client->settings, err) < 0)
				return -1;
			started = true;
		}
		poll(&poll_fd, 1, POLL_MS);
	}
	if (client->state == CLIENT_UP)
		return 0;
	return vgpu_error_set(err, ETIMEDOUT,
			      "the keeper at %s did not answer in 5 s; its log may say why",
			      socket);
}

int keeper_connect(struct loop *loop, const struct keeper_settings *settings,
		   const struct keeper_ops *ops, void *opaque, struct keeper_client **client,
		   struct vgpu_error **err)
{
	VGPU_CLEANUP(keeper_client_free) struct keeper_client *made = calloc(1, sizeof(*made));

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	*made = (struct keeper_client){ .loop = loop,
					.settings = settings,
					.ops = *ops,
					.opaque = opaque,
					.adopting = true,
					.fd = -1,
					.end = &made->workers };
	if (timers_reserve(loop_timers(loop), 1) < 0) {
		free(vgpu_steal_pointer(&made));
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	made->timer = (struct timer){ .kind = TIMER_KEEPER, .owner = made };
	if (greet(made, err) < 0)
		return -1;
	made->adopting = false;
	*client = vgpu_steal_pointer(&made);
	return 0;
}

void keeper_client_free(struct keeper_client **client)
{
	struct keeper_client *old = *client;

	if (!old)
		return;
	loop_remove(old->loop, &old->source);
	keeper_close_fds(&old->fd, 1);
	while (old->workers)
		keeper_worker_free(old->workers);
	timer_cancel(loop_timers(old->loop), &old->timer);
	timers_unreserve(loop_timers(old->loop), 1);
	vgpu_error_free(&old->loss);
	free(old);
	*client = NULL;
}

bool keeper_is_there(const struct keeper_client *client)
{
	return client->state == CLIENT_UP;
}

bool keeper_stays(const struct keeper_client *client)
{
	return client->stays;
}

void keeper_end(struct keeper_client *client)
{
	struct pollfd poll_fd = { .fd = client->fd, .events = POLLOUT };

	/* Where no keeper is there to do it, or can be told. */
	for (struct keeper_worker *worker = client->workers; worker; worker = worker->next)
		if (worker->state == KEEPER_WORKER_RUNNING)
			keeper_worker_signal(worker);
	if (client->state != CLIENT_UP)
		return;
	poll(&poll_fd, 1, END_MS);
	if (keeper_client_send(client->fd, VGPU_KEEPER_END, 0) < 0)
		vgpu_log_warning("cannot end the keeper: %s", strerror(errno));
}
