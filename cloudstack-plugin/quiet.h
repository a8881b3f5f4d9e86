/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For what CloudStack's agent calls: nothing is ever written to standard error, which the agent
 * merges into standard output. Messages go to syslog.
 */
#ifndef VGPU_CLOUDSTACK_QUIET_H
#define VGPU_CLOUDSTACK_QUIET_H

/* From now on. Once, at start. */
void quiet_begin(void);

/* One line for the operator, of syslog(3)'s priority. */
void quiet_say(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
