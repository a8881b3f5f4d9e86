/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device with channels, and orders for loop-fake-worker, which serves them: an order is written
 * into the channel's region and the doorbell rung; the worker carries it out, answers in the region
 * and writes the completion eventfd. Failures end the test.
 */
#ifndef VGPU_TESTS_MEDCHAN_DEVICE_H
#define VGPU_TESTS_MEDCHAN_DEVICE_H

#include "tests/mediatord/loop-client.h"

#define DEVICE_WINDOW_BYTES (UINT64_C(32) << 20)
#define DEVICE_ENTRIES	    16u
#define DEVICE_WINDOW	    4096u

/* Orders. */
#define ORDER_RESERVE	  1u /* argument bytes; answers whether they were granted */
#define ORDER_RELEASE	  2u /* argument bytes */
#define ORDER_COUNT	  3u /* adds argument to each counter of the grant page */
#define ORDER_LIE	  4u /* sets each counter of the grant page to its maximum */
#define ORDER_EXIT	  5u /* ends without being told to */
#define ORDER_IGNORE_END  6u /* from now on */
#define ORDER_DONE	  7u /* sends a DONE, which no worker of a channel may */
#define ORDER_USED	  8u /* answers with the VM's use as the grant page says it */
#define ORDER_QUOTA	  9u
#define ORDER_ECHO	  10u /* answers with the argument */
#define ORDER_DESCRIPTORS 11u /* answers with the number of descriptors that came with START */
#define ORDER_SHRINK	  12u /* tries to cut the grant page short; answers whether it could */
#define ORDER_CONTEXT	  14u /* 1: asks for a context, and answers as RESERVE; 0: gives it back */
#define ORDER_WANT	  15u /* sends WANT of the argument */
#define ORDER_HOLD	  16u /* sets `holding` to the argument; answers with `grant` after that */
#define ORDER_YIELD	  17u /* sets `holding` to 0 and sends YIELDED */
#define ORDER_GRANT	  18u /* answers with `grant` */
#define ORDER_TOKENS	  19u /* answers with `tokens` */
#define ORDER_JOB_SINCE	  20u /* sets `job_since_ns` to the argument */
#define ORDER_DEPTH	  21u /* answers with `queue_depth` */
#define ORDER_FLOOD	  22u /* sends WANT of the argument, or with 0 YIELDED, and never stops */
#define ORDER_FAIL_AT_END 13u /* at the end sends FAILED, and a while later answers with 13 */

/* At the start of a channel's region. */
struct order {
	uint32_t sequence; /* written last by the device; the answer's repeats it */
	uint32_t kind;
	uint64_t argument;
	uint64_t answer;
	uint32_t answered;
	uint32_t reserved;
	uint64_t flooded; /* messages that ORDER_FLOOD has sent */
};

struct device {
	struct client client;
	int window;
	uint8_t *memory; /* the whole BAR2 */
	uint32_t serial; /* of the last OPEN */
	struct device_channel {
		uint32_t serial;
		uint64_t region, region_bytes;
		int doorbell, completion; /* -1: closed */
	} channels[VGPU_CHANNELS_MAX];
};

/* Makes a device with BAR2, and connects it. */
void device_open(struct device *device, const char *path);
/* Connects it again, with the same BAR2, and resumes nothing. */
void device_connect(struct device *device, const char *path);
/* Connects it, and says nothing after WELCOME. */
void device_greet(struct device *device, const char *path);
/* Says then that every channel that was not closed goes on. */
void device_resume(struct device *device);
void device_close(struct device *device);

/* Sends OPEN, and keeps the eventfds. */
void device_send_open(struct device *device, uint32_t number, uint32_t entries, uint64_t window);
/* Takes the answer to it; returns its error code. */
uint32_t device_opened(struct device *device, uint32_t number);
/* Both, with small sizes, which must succeed. */
void device_open_channel(struct device *device, uint32_t number);
void device_send_close(struct device *device, uint32_t number);
/* Takes a CLOSED of this channel; returns its error code. */
uint32_t device_closed(struct device *device, uint32_t number);
/* Takes the next CLOSED, of any channel. */
uint32_t device_closed_any(struct device *device, uint32_t *number);
void device_close_channel(struct device *device, uint32_t number);
void device_reset(struct device *device);

/* Gives an order without waiting. */
void device_order(struct device *device, uint32_t number, uint32_t kind, uint64_t argument);
/* Gives an order, and returns the answer, which must come within 5 s. */
uint64_t device_ask(struct device *device, uint32_t number, uint32_t kind, uint64_t argument);

#endif
