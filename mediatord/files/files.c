/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/files/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "mediatord/files/folder.h"
#include "mediatord/files/watch.h"
#include "mediatord/vm_call.h"

/*
 * How often the tree is looked at for new folders, and a folder at least, whatever tells of
 * changes: a change may be missed where the kernel's queue of them overflows.
 */
#define RARE_NS (1 * VGPU_NS_PER_SECOND)

/* A folder without requests for so long is looked at more and more rarely, down to RARE_NS. */
#define ACTIVE_NS (10 * VGPU_NS_PER_SECOND)

/* Between two looks that find nothing: a guest that only touches its file gets no more of us. */
#define FRUITLESS_NS (200 * VGPU_NS_PER_US)

/* An answer that cannot be written is tried again after so long. */
#define RETRY_NS (200 * VGPU_NS_PER_MS)

/* What an operator has to mend is said so often: a guest can make some of it happen. */
#define COMPLAIN_NS (60 * VGPU_NS_PER_SECOND)

/* For a file system that hangs. */
#define STOP_S 5

struct folder {
	struct folder *next;
	struct files *files;
	char name[16];
	struct files_folder disk;
	int watch; /* inotify's number, or -1: changes are not told */
	int64_t due_ns;
	int64_t period_ns;
	int64_t last_request_ns;
	int64_t last_fruitless_ns;
	int64_t complain_ns; /* when a failure to answer may be said in the log again */
	bool stale;	     /* what the descriptor stood for is gone on its server */
	enum {
		FOLDER_IDLE,
		FOLDER_ASKED,	 /* the loop has its call */
		FOLDER_ANSWERED, /* its answer is to be written */
	} state;
	bool gone; /* removed while the loop had its call */
	struct files_found found;
	struct vgpu_file_request request;
	struct vm_call call;
	char answer[VGPU_FILE_LINE_MAX];
	size_t answer_length;
};

struct files {
	const struct config *config;
	struct control *control;
	pthread_t thread;
	int event_fd; /* the loop answered, or the thread is to end */
	int inotify_fd;
	int root; /* -1: not there */
	int root_watch;
	struct stat root_status;
	int64_t scan_ns;
	int64_t complain_ns; /* when folders that cannot be served may be named in the log again */
	bool complaining;    /* in this scan they are */
	bool failing;	     /* the tree cannot be read; said in the log */
	struct folder *folders;

	pthread_mutex_t lock; /* of what follows */
	struct vm_call *answered;
	bool stopping;
};

static struct folder *folder_of(struct vm_call *call)
{
	return (struct folder *)((char *)call - offsetof(struct folder, call));
}

static void wake(struct files *files)
{
	const uint64_t one = 1;
	ssize_t written = write(files->event_fd, &one, sizeof(one));

	(void)written; /* fails only where it is awake anyway */
}

/* In the loop's thread. */
static void call_answered(struct vm_call *call)
{
	struct files *files = folder_of(call)->files;

	pthread_mutex_lock(&files->lock);
	call->next = files->answered;
	files->answered = call;
	pthread_mutex_unlock(&files->lock);
	wake(files);
}

/* The same once the thread has ended. */
static void call_dropped(struct vm_call *call)
{
	free(folder_of(call));
}

/* Returns the watch's number, or -1 where the folder has to be looked at. */
static int watch_folder(const struct files *files, int fd, uint32_t events)
{
	return files->config->files_notify ? files_watch(files->inotify_fd, fd, events) : -1;
}

static void drop_folder(struct folder *folder)
{
	if (folder->watch >= 0)
		inotify_rm_watch(folder->files->inotify_fd, folder->watch);
	files_folder_close(&folder->disk);
	/* The loop's until it is answered. */
	folder->gone = true;
	if (folder->state != FOLDER_ASKED)
		free(folder);
}

static int64_t poll_period(const struct files *files)
{
	return files->config->files_poll_ms * VGPU_NS_PER_MS;
}

static int64_t longest_period(const struct files *files)
{
	int64_t poll = poll_period(files);

	return poll > RARE_NS ? poll : RARE_NS;
}

/* A folder that cannot be served, which only an operator can mend. */
static void complain(struct files *files, const char *name, int64_t now)
{
	if (!files->complaining)
		return;
	vgpu_log_warning("files-dir: %s: %s", name, strerror(errno));
	files->complain_ns = now + COMPLAIN_NS;
}

static void add_folder(struct files *files, const char *name, uint32_t vm_id)
{
	struct folder *folder = calloc(1, sizeof(*folder));
	int64_t now = vgpu_now_ns();

	if (!folder || files_folder_open(files->root, name, &folder->disk) < 0) {
		if (folder && errno != ENOENT)
			complain(files, name, now);
		free(folder);
		return;
	}
	folder->files = files;
	snprintf(folder->name, sizeof(folder->name), "vm%u", vm_id);
	folder->call.vm_id = vm_id;
	folder->call.answered = call_answered;
	folder->watch =
		watch_folder(files, folder->disk.fd, IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO);
	folder->period_ns = folder->watch < 0 ? poll_period(files) : longest_period(files);
	folder->last_request_ns = now;
	folder->due_ns = now;
	folder->next = files->folders;
	files->folders = folder;
	vgpu_log_info("files-dir: serving %s, %s", name,
		      folder->watch < 0 ? "looked at from time to time" : "told of changes");
}

/* "vm" and the vm_id in digits, as only one text says it. Returns the vm_id, or 0. */
static uint32_t vm_id_of(const char *name)
{
	uint32_t vm_id = 0;
	const char *digit = name + 2;

	if (strncmp(name, "vm", 2) != 0 || *digit < '1' || *digit > '9')
		return 0;
	for (; *digit >= '0' && *digit <= '9'; digit++) {
		vm_id = 10 * vm_id + (uint32_t)(*digit - '0');
		if (vm_id > CONFIG_VM_ID_MAX)
			return 0;
	}
	return *digit ? 0 : vm_id;
}

static struct folder *find_folder(const struct files *files, uint32_t vm_id)
{
	struct folder *folder = files->folders;

	while (folder && folder->call.vm_id != vm_id)
		folder = folder->next;
	return folder;
}

/*
 * Removes the folders that are not what their names stand for any more: unmounted, or made anew. A
 * server may give the number of a folder that is gone to a new one.
 */
static void drop_stale(struct files *files)
{
	struct folder **place = &files->folders;

	while (*place) {
		struct folder *folder = *place;
		struct stat status;

		if (files->root >= 0 && !folder->stale &&
		    fstatat(files->root, folder->name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    status.st_dev == folder->disk.device && status.st_ino == folder->disk.inode) {
			place = &folder->next;
			continue;
		}
		vgpu_log_info("files-dir: %s is gone", folder->name);
		*place = folder->next;
		drop_folder(folder);
	}
}

static void close_root(struct files *files)
{
	if (files->root < 0)
		return;
	if (files->root_watch >= 0)
		inotify_rm_watch(files->inotify_fd, files->root_watch);
	close(files->root);
	files->root = -1;
}

/* Opens the tree by its name, which may stand for another one than the last time. */
static int open_root(struct files *files)
{
	VGPU_AUTO_CLOSE int fd = open(files->config->files_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0) {
		close_root(files);
		return -1;
	}
	if (files->root >= 0 && status.st_dev == files->root_status.st_dev &&
	    status.st_ino == files->root_status.st_ino)
		return 0;
	close_root(files);
	files->root_status = status;
	files->root = vgpu_steal_fd(&fd);
	files->root_watch = watch_folder(files, files->root, IN_CREATE | IN_MOVED_TO);
	return 0;
}

static void close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static int add_new(struct files *files)
{
	VGPU_AUTO_CLOSE int fd = openat(files->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	VGPU_CLEANUP(close_directory) DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!directory)
		return -1;
	vgpu_steal_fd(&fd);
	while ((entry = readdir(directory)) != NULL) {
		uint32_t vm_id = vm_id_of(entry->d_name);

		if (vm_id && !find_folder(files, vm_id))
			add_folder(files, entry->d_name, vm_id);
	}
	return 0;
}

/* Finds what is new and what has gone, and lives with a tree that is not there. */
static void scan(struct files *files)
{
	int64_t now = vgpu_now_ns();
	int failed = open_root(files), error;

	files->complaining = now >= files->complain_ns;
	drop_stale(files);
	if (!failed)
		failed = add_new(files);
	error = errno;
	if (failed && error == ESTALE)
		close_root(files);
	if (failed && !files->failing)
		vgpu_log_warning("files-dir: %s: %s; trying again every second",
				 files->config->files_dir, strerror(error));
	if (!failed && files->failing)
		vgpu_log_info("files-dir: %s is there again", files->config->files_dir);
	files->failing = failed;
	files->scan_ns = now + RARE_NS;
}

static void publish(struct folder *folder)
{
	int64_t now = vgpu_now_ns();
	bool replaced;

	if (files_folder_answer(&folder->disk, &folder->found.stamp, folder->answer,
				folder->answer_length, &replaced) < 0) {
		folder->stale = errno == ESTALE;
		if (now >= folder->complain_ns) {
			vgpu_log_warning("files-dir: cannot answer in %s: %s; trying again",
					 folder->name, strerror(errno));
			folder->complain_ns = now + COMPLAIN_NS;
		}
		folder->due_ns = now + RETRY_NS;
		return;
	}
	folder->state = FOLDER_IDLE;
	/* Where changes are told, another request shows by itself from now on. */
	folder->due_ns = replaced ? now : now + folder->period_ns;
}

static void refuse(struct folder *folder, uint32_t error, const char *text)
{
	folder->answer_length =
		vgpu_file_answer_refuse(&folder->request, error, text, folder->answer);
	folder->state = FOLDER_ANSWERED;
	publish(folder);
}

/* Hands what was found to the VM, which answers it. */
static void ask(struct folder *folder, const char *fault)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vgpu_file_request *request = &folder->request;
	struct vm_call *call = &folder->call;

	if (fault)
		*request = (struct vgpu_file_request){ .versioned = false };
	else
		vgpu_file_request_parse(folder->found.line, folder->found.length, request, &fault);
	if (!fault && !request->versioned && request->vm_id != call->vm_id)
		fault = "the third field, the vm_id, is not the one of this folder";
	call->fault = fault;
	call->claims = !fault && !request->versioned;
	call->pool = request->pool;
	call->priority = request->priority;
	call->length = request->length;
	memcpy(call->request, request->bytes, request->length);
	folder->last_request_ns = vgpu_now_ns();
	folder->period_ns = folder->watch < 0 ? poll_period(folder->files) : folder->period_ns;
	folder->state = FOLDER_ASKED;
	if (control_call(folder->files->control, vm_call_submit, call, &err) == 0)
		return;
	if (err->status == ESHUTDOWN)
		folder->state = FOLDER_IDLE; /* it is there for the next mediator */
	else
		refuse(folder, VGPU_ERR_UNAVAILABLE, err->message);
}

/* A folder that nobody tells of is looked at ever more rarely while nothing comes. */
static void found_nothing(struct folder *folder, int64_t now)
{
	int64_t longest = longest_period(folder->files);

	if (now - folder->last_request_ns > ACTIVE_NS && folder->period_ns < longest)
		folder->period_ns =
			2 * folder->period_ns < longest ? 2 * folder->period_ns : longest;
	folder->last_fruitless_ns = now;
	folder->due_ns = now + folder->period_ns;
}

static void look(struct folder *folder)
{
	int64_t now = vgpu_now_ns();
	enum files_look look;

	if (files_folder_look(&folder->disk, now, &folder->found, &look) < 0) {
		/* The next scan shows whether the folder is still there. */
		folder->stale = errno == ESTALE;
		vgpu_log_debug("files-dir: %s: %s", folder->name, strerror(errno));
		found_nothing(folder, now);
	} else if (look == FILES_LINE || look == FILES_FAULT) {
		ask(folder, look == FILES_FAULT ? folder->found.fault : NULL);
	} else {
		found_nothing(folder, now);
	}
}

/* What a folder wants to have done now. */
static void attend(struct folder *folder)
{
	switch (folder->state) {
	case FOLDER_IDLE:
		look(folder);
		break;
	case FOLDER_ANSWERED:
		publish(folder);
		break;
	case FOLDER_ASKED:
		break;
	}
}

static void handle_event(struct files *files, const struct inotify_event *event)
{
	int64_t now = vgpu_now_ns();

	if (event->mask & IN_Q_OVERFLOW || event->wd == files->root_watch) {
		files->scan_ns = now;
		return;
	}
	if (event->len && strcmp(event->name, VGPU_FILE_REQUEST) != 0)
		return;
	for (struct folder *folder = files->folders; folder; folder = folder->next)
		if (folder->watch == event->wd && folder->state == FOLDER_IDLE) {
			int64_t soon = folder->last_fruitless_ns + FRUITLESS_NS;

			folder->due_ns = soon > now ? soon : now;
			break;
		}
}

static void take_events(struct files *files)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t length = read(files->inotify_fd, buffer, sizeof(buffer));

	for (ssize_t at = 0; at < length;) {
		const struct inotify_event *event = (const void *)(buffer + at);

		handle_event(files, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

static void take_answers(struct files *files)
{
	struct vm_call *call;
	uint64_t count;
	ssize_t got = read(files->event_fd, &count, sizeof(count));

	(void)got;
	pthread_mutex_lock(&files->lock);
	call = vgpu_steal_pointer(&files->answered);
	pthread_mutex_unlock(&files->lock);
	while (call) {
		struct folder *folder = folder_of(call);

		call = call->next;
		if (folder->gone) {
			free(folder);
			continue;
		}
		folder->answer_length = vgpu_file_answer_format(
			&folder->request, folder->call.error, folder->call.response,
			folder->call.response_length, folder->answer);
		folder->state = FOLDER_ANSWERED;
		folder->due_ns = 0;
	}
}

static bool stopping(struct files *files)
{
	bool stop;

	pthread_mutex_lock(&files->lock);
	stop = files->stopping;
	pthread_mutex_unlock(&files->lock);
	return stop;
}

/* Waits for an event, an answer, or the first folder that is due. */
static void wait(struct files *files)
{
	struct pollfd fds[2] = { { .fd = files->event_fd, .events = POLLIN },
				 { .fd = files->inotify_fd, .events = POLLIN } };
	int64_t due = files->scan_ns, left;
	struct timespec timeout = { 0 };

	for (const struct folder *folder = files->folders; folder; folder = folder->next)
		if (folder->state != FOLDER_ASKED && folder->due_ns < due)
			due = folder->due_ns;
	left = due - vgpu_now_ns();
	if (left > 0) {
		timeout.tv_sec = left / VGPU_NS_PER_SECOND;
		timeout.tv_nsec = left % VGPU_NS_PER_SECOND;
	}
	if (ppoll(fds, 2, &timeout, NULL) <= 0)
		return;
	if (fds[0].revents)
		take_answers(files);
	if (fds[1].revents)
		take_events(files);
}

static void *serve(void *opaque)
{
	struct files *files = opaque;

	while (!stopping(files)) {
		if (vgpu_now_ns() >= files->scan_ns)
			scan(files);
		for (struct folder *folder = files->folders; folder; folder = folder->next)
			if (folder->state != FOLDER_ASKED && vgpu_now_ns() >= folder->due_ns)
				attend(folder);
		wait(files);
	}
	return NULL;
}

static void free_files(struct files *files)
{
	while (files->folders) {
		struct folder *folder = files->folders;

		files->folders = folder->next;
		folder->call.answered = call_dropped;
		drop_folder(folder);
	}
	close_root(files);
	if (files->inotify_fd >= 0)
		close(files->inotify_fd);
	if (files->event_fd >= 0)
		close(files->event_fd);
	pthread_mutex_destroy(&files->lock);
	free(files);
}

int files_start(const struct config *config, struct control *control, struct files **files,
		struct vgpu_error **err)
{
	struct files *made;
	int failed;

	*files = NULL;
	if (!config->files_dir)
		return 0;
	made = calloc(1, sizeof(*made));
	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->config = config;
	made->control = control;
	made->root = -1;
	made->root_watch = -1;
	pthread_mutex_init(&made->lock, NULL);
	/* Without it, folders are looked at from time to time. */
	made->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	made->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	failed = made->event_fd < 0 ? errno : pthread_create(&made->thread, NULL, serve, made);
	if (failed) {
		free_files(made);
		return vgpu_error_errno(err, failed, "cannot serve files-dir");
	}
	*files = made;
	return 0;
}

void files_stop(struct files **files)
{
	struct files *old = vgpu_steal_pointer(files);
	struct timespec deadline;

	if (!old)
		return;
	pthread_mutex_lock(&old->lock);
	old->stopping = true;
	pthread_mutex_unlock(&old->lock);
	wake(old);
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += STOP_S;
	if (pthread_timedjoin_np(old->thread, NULL, &deadline) != 0) {
		vgpu_log_error("files-dir: %s does not answer; leaving its thread behind",
			       old->config->files_dir);
		return;
	}
	take_answers(old);
	free_files(old);
}
