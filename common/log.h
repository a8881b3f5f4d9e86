/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
/*
 * Log lines. Where standard error is systemd's journal they go there: with their fields, by its
 * native protocol, where the program asked for that, and as "<3>text" otherwise. Elsewhere they are
 * written to standard error as "PROGRAM: level: text", without fields.
 */
#ifndef VGPU_COMMON_LOG_H
#define VGPU_COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>

/* syslog(3)'s levels, those that are used here. */
#define VGPU_LOG_ERROR	 3
#define VGPU_LOG_WARNING 4
#define VGPU_LOG_INFO	 6
#define VGPU_LOG_DEBUG	 7

/* Names the program and the most detailed level to print. Call once, before any thread starts. */
void vgpu_log_init(const char *program, int level);

/* Another most detailed level from now on. Any thread. */
void vgpu_log_set_level(int level);

/*
 * From now on lines that go to the journal have fields: for programs that are not confined, and
 * before any thread starts. Nothing happens where standard error is not the journal, or where its
 * socket cannot be opened.
 */
void vgpu_log_open_journal(void);

/*
 * From now on lines go to standard error again: for what is said just before the program ends,
 * since the journal can tell the service of such a line, but of one with fields only while its
 * sender is there. After the last thread has ended.
 */
void vgpu_log_close_journal(void);

/* What a line in the journal can be found by: a name of A-Z, 0-9 and '_', and a text. */
struct vgpu_log_field {
	const char *name; /* NULL: the end of a list */
	const char *value;
};

/*
 * Logs one line, with fields or NULL. Control characters in texts are replaced by '?', so that a
 * hostile name cannot forge a second line or another field. Callable from any thread; keeps errno.
 */
void vgpu_log_fields(int level, const struct vgpu_log_field *fields, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define vgpu_log(level, ...)  vgpu_log_fields(level, NULL, __VA_ARGS__)
#define vgpu_log_error(...)   vgpu_log(VGPU_LOG_ERROR, __VA_ARGS__)
#define vgpu_log_warning(...) vgpu_log(VGPU_LOG_WARNING, __VA_ARGS__)
#define vgpu_log_info(...)    vgpu_log(VGPU_LOG_INFO, __VA_ARGS__)
#define vgpu_log_debug(...)   vgpu_log(VGPU_LOG_DEBUG, __VA_ARGS__)

const char *vgpu_log_level_name(int level);

/* The level that a configuration file or option names: error, warning, info or debug; else -1. */
int vgpu_log_level_from_name(const char *name);

/*
 * A limiter for what others can make the program say: at most `burst` lines in `period_ns`.
 * `struct vgpu_log_limit limit = { .burst = 5, .period_ns = 10 s };` and then
 * `if (vgpu_log_allowed(&limit, now)) vgpu_log_warning(...)`.
 */
struct vgpu_log_limit {
	unsigned int burst;
	long long period_ns;
	long long start_ns;
	unsigned int said;
};
bool vgpu_log_allowed(struct vgpu_log_limit *limit, long long now_ns);

#endif
