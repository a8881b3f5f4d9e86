/* SPDX-License-Identifier: Apache-2.0 */
/* vgpuctl top. */
#include "mediatord/ctl/top.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

#include "common/clock.h"
#include "mediatord/ctl/print.h"
#include "mediatord/ctl/show.h"
#include "mediatord/ctl/vm.h"

/* Another screen, so that the old one comes back; no cursor. And back. */
#define SCREEN_BEGIN "\033[?1049h\033[?25l"
#define SCREEN_END   "\033[?25h\033[?1049l"
/* To the upper left; the rest of a line, and of the screen, is cleared as it is written. */
#define FRAME_BEGIN "\033[H"
#define LINE_END    "\033[K\r\n"
#define FRAME_END   "\033[J"

static volatile sig_atomic_t ended, resized;

static void on_end(int number)
{
	ended = number;
}

static void on_resize(int number)
{
	(void)number;
	resized = 1;
}

static void look_clear(struct top_look *look)
{
	json_decref(look->gpus);
	json_decref(look->vms);
	*look = (struct top_look){ 0 };
}

/* Returns 0, or an exit status; *look is then empty. */
static int look_now(struct ctl *ctl, struct top_look *look)
{
	VGPU_AUTO_JSON json_t *gpus = NULL, *vms = NULL;
	int status = ctl_get_list(ctl, "/v1/gpus", "gpus", &gpus);

	*look = (struct top_look){ 0 };
	if (status == 0)
		status = ctl_get_list(ctl, "/v1/vms", "vms", &vms);
	if (status)
		return status;
	*look = (struct top_look){
		.when_ns = vgpu_now_ns(),
		.gpus = json_incref(json_object_get(gpus, "gpus")),
		.vms = json_incref(json_object_get(vms, "vms")),
	};
	return 0;
}

/* Where a frame goes. */
struct screen {
	FILE *stream;
	size_t columns, lines; /* 0: no limit */
	const char *newline;
};

static size_t print_gpus(const struct screen *screen, const struct top_look *look)
{
	static const struct table_column columns[] = {
		{ .title = "GPU", .right = true },
		{ .title = "NAME", .flexible = true },
		{ .title = "POOL" },
		{ .title = "STATE" },
		{ .title = "UTIL", .right = true },
		{ .title = "USED", .right = true },
		{ .title = "OF", .right = true },
		{ .title = "TEMP", .right = true },
		{ .title = "POWER", .right = true },
	};
	TABLE_AUTO struct table table = TABLE_INIT(columns);
	const json_t *gpu;
	size_t index;

	json_array_foreach (look->gpus, index, gpu) {
		print_gpu_row(&table, gpu);
	}
	return table_print(&table, screen->stream, screen->columns, screen->newline, screen->lines);
}

static void add_rate(struct table *table, double value, const char *unit)
{
	if (value < 0)
		table_add(table, "-");
	else
		table_addf(table, value < 100 ? "%.1f%s" : "%.0f%s", value, unit);
}

/* 0 is that of no job. */
static void add_latency(struct table *table, const json_t *vm, const char *path)
{
	if (show_number(vm, path) == 0)
		table_add(table, "-");
	else
		show_cell(table, vm, path, SHOW_TIME);
}

static void print_vms(const struct screen *screen, const struct top_vm *rows, size_t count,
		      size_t lines)
{
	static const struct table_column columns[] = {
		{ .title = "VM", .flexible = true },
		{ .title = "STATE" },
		{ .title = "POOL" },
		{ .title = "PRIO" },
		{ .title = "WEIGHT", .right = true },
		{ .title = "GPU", .right = true },
		{ .title = "MAX", .right = true },
		{ .title = "MEMORY", .right = true },
		{ .title = "OF", .right = true },
		{ .title = "REQ/S", .right = true },
		{ .title = "P50", .right = true },
		{ .title = "P99", .right = true },
		{ .title = "CH", .right = true },
	};
	TABLE_AUTO struct table table = TABLE_INIT(columns);

	for (size_t i = 0; i < count; i++) {
		const json_t *vm = rows[i].vm;

		table_add(&table, vm_label(vm));
		table_add(&table, vm_state(vm));
		show_cell(&table, vm, "pool", SHOW_PLAIN);
		show_cell(&table, vm, "priority", SHOW_PLAIN);
		show_cell(&table, vm, "weight", SHOW_PLAIN);
		add_rate(&table, rows[i].gpu_percent, "%");
		show_limit_cell(&table, vm, "quotas.gpu_time_max_percent", SHOW_PERCENT);
		show_cell(&table, vm, "usage.gpu_memory_bytes", SHOW_SIZE);
		show_limit_cell(&table, vm, "quotas.gpu_memory_bytes", SHOW_SIZE);
		add_rate(&table, rows[i].requests_per_second, "");
		add_latency(&table, vm, "latency_ns.total.p50");
		add_latency(&table, vm, "latency_ns.total.p99");
		table_addf(&table, "%zu", json_array_size(json_object_get(vm, "channels")));
	}
	table_print(&table, screen->stream, screen->columns, screen->newline, lines);
}

/* One frame. problem: an exit status of the latest look, or 0. */
static void print_frame(const struct screen *screen, const struct top_look *earlier,
			const struct top_look *later, int problem)
{
	VGPU_AUTO_FREE struct top_vm *rows = NULL;
	char clock[32] = "";
	time_t now = time(NULL);
	struct tm parts;
	size_t count = 0, used;

	rows = top_compare(earlier, later, &count);
	if (localtime_r(&now, &parts))
		strftime(clock, sizeof(clock), "%H:%M:%S", &parts);
	fprintf(screen->stream, "%s  %zu GPUs, %zu VMs%s%s%s", clock, json_array_size(later->gpus),
		count, problem ? "  THE MEDIATOR DOES NOT ANSWER" : "", screen->newline,
		screen->newline);
	used = 3 + print_gpus(screen, later);
	fputs(screen->newline, screen->stream);
	if (screen->lines == 0)
		print_vms(screen, rows, count, 0);
	else if (screen->lines > used + 1)
		/* One line is left free: a line break on the last one would scroll. */
		print_vms(screen, rows, count, screen->lines - used - 1);
}

/* A frame on the terminal, in one write: a half of one is never to be seen. */
static void draw(const struct top_look *earlier, const struct top_look *later, int problem)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	VGPU_AUTO_FREE char *text = NULL;
	size_t length = 0;
	struct screen screen = { .newline = LINE_END };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	screen.columns = size.ws_col ? size.ws_col : 80;
	screen.lines = size.ws_row ? size.ws_row : 24;
	screen.stream = open_memstream(&text, &length);
	if (!screen.stream)
		return;
	fputs(FRAME_BEGIN, screen.stream);
	print_frame(&screen, earlier, later, problem);
	fputs(FRAME_END, screen.stream);
	fclose(screen.stream);
	fwrite(text, 1, length, stdout);
	fflush(stdout);
}

/* Waits for the next look. Returns false where the user wants to end. */
static bool wait_for_next(int64_t until_ns, const struct top_look looks[2], int problem)
{
	struct pollfd keys = { .fd = STDIN_FILENO, .events = POLLIN };

	for (;;) {
		int64_t left_ns = until_ns - vgpu_now_ns();
		char key;

		if (ended)
			return false;
		if (resized) {
			resized = 0;
			draw(&looks[0], &looks[1], problem);
		}
		if (left_ns <= 0)
			return true;
		if (poll(&keys, 1, (int)(left_ns / VGPU_NS_PER_MS) + 1) <= 0 || !keys.revents)
			continue;
		/* Standard input that has ended is not asked again. */
		if (read(STDIN_FILENO, &key, 1) != 1)
			keys.fd = -1;
		else if (key == 'q' || key == 'Q')
			return false;
	}
}

/* Keys come at once and unseen; signals still work. */
static bool terminal_begin(struct termios *old)
{
	struct sigaction end = { .sa_handler = on_end }, resize = { .sa_handler = on_resize };
	struct termios raw;

	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
	sigaction(SIGWINCH, &resize, NULL);
	fputs(SCREEN_BEGIN, stdout);
	if (tcgetattr(STDIN_FILENO, old) < 0)
		return false;
	raw = *old;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

/* The look that was taken goes to looks[1], where one was; what was there before to looks[0]. */
static int look_again(struct ctl *ctl, struct top_look looks[2])
{
	struct top_look fresh;
	int status = look_now(ctl, &fresh);

	if (status)
		return status;
	look_clear(&looks[0]);
	looks[0] = looks[1];
	looks[1] = fresh;
	return 0;
}

static int live(struct ctl *ctl, struct top_look looks[2])
{
	struct termios old;
	bool has_keys = terminal_begin(&old);
	int problem = 0;

	/* A mediator that is being restarted is waited for. */
	ctl->quiet = true;
	do {
		draw(&looks[0], &looks[1], problem);
		if (!wait_for_next(vgpu_now_ns() + ctl->interval_ms * VGPU_NS_PER_MS, looks,
				   problem))
			break;
		problem = look_again(ctl, looks);
	} while (!ferror(stdout));
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &old);
	fputs(SCREEN_END, stdout);
	return EX_OK;
}

/* Where nobody can look at a screen: one frame after the other. */
static int print_frames(struct ctl *ctl, struct top_look looks[2])
{
	struct screen screen = {
		.stream = stdout,
		.columns = table_terminal_columns(),
		.newline = "\n",
	};
	struct timespec interval = {
		.tv_sec = ctl->interval_ms / 1000,
		.tv_nsec = ctl->interval_ms % 1000 * VGPU_NS_PER_MS,
	};

	do {
		int status;

		nanosleep(&interval, NULL);
		status = look_again(ctl, looks);
		if (status)
			return status;
		if (ctl->json) {
			VGPU_AUTO_JSON json_t *json =
				json_pack("{s:O, s:O}", "gpus", looks[1].gpus, "vms", looks[1].vms);

			ctl_print_json(json);
		} else {
			print_frame(&screen, &looks[0], &looks[1], 0);
		}
		fflush(stdout);
	} while (!ctl->once && !ferror(stdout));
	return EX_OK;
}

static int top(struct ctl *ctl, int count, char **operands)
{
	struct top_look looks[2] = { 0 };
	int status = look_again(ctl, looks);

	(void)count;
	(void)operands;
	if (status == 0 && (ctl->once || ctl->json || !isatty(STDOUT_FILENO)))
		status = print_frames(ctl, looks);
	else if (status == 0)
		status = live(ctl, looks);
	look_clear(&looks[0]);
	look_clear(&looks[1]);
	return status;
}

const struct command command_top = {
	.name = "top",
	.summary = "GPUs and VMs, live",
	.usage = "Usage: vgpuctl top [--once] [--interval SECONDS]\n"
		 "Shows the GPUs, and the VMs by the GPU time that they had since the last look: "
		 "100%\n"
		 "is one GPU. REQ/S counts requests and submissions; P50 and P99 are of its jobs, "
		 "from\n"
		 "their arrival to their end, since the VM was registered. 'q' ends it.\n"
		 "\n"
		 "      --once              look twice, print it once, and end\n"
		 "      --interval=SECONDS  between two looks (default: 2)\n",
	.options = "1d",
	.run = top,
};
