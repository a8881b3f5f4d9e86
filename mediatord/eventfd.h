/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_MEDIATORD_EVENTFD_H
#define VGPU_MEDIATORD_EVENTFD_H

/*
 * NULL where two descriptors that somebody else sent are eventfds, and not the same one; otherwise
 * what is wrong with them. Asks /proc/self, and does not touch the descriptors themselves.
 */
const char *eventfd_pair_fault(const int fds[2]);

#endif
