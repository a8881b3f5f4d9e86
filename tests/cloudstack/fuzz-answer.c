/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What vgpu-cloudstack reads, chosen by the first byte: an answer of CloudStack's API with a page
 * of it and the offerings' details in that, a file of offerings, cloudstack.conf, or what came to
 * the webhook's address.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cloudstack-plugin/answer.h"
#include "cloudstack-plugin/offering.h"
#include "cloudstack-plugin/offerings.h"
#include "cloudstack-plugin/sync_config.h"
#include "cloudstack-plugin/webhook_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_offerings(const struct cs_page *page)
{
	json_t *item;
	size_t i;

	json_array_foreach (page->items, i, item) {
		VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
		VGPU_AUTO_JSON json_t *values =
			offering_values(json_object_get(item, "serviceofferingdetails"), &err);

		if (!values != !!err || (values && json_object_get(values, "vm_id")))
			abort();
	}
}

static void read_answer(const char *text, size_t length)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_JSON json_t *payload = NULL;
	struct cs_page page;

	if (cs_answer_read(length % 3 ? 200 : 431, text, length, &payload, &err) == 0 &&
	    cs_page_read(payload, "serviceoffering", &page, &err) == 0)
		read_offerings(&page);
	else if (!err || strchr(err->message, '\n'))
		abort();
}

static void read_config(const char *text, size_t length)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	SYNC_AUTO_CONFIG struct sync_config config = { 0 };

	if (sync_config_parse(&config, text, length, "cloudstack.conf", &err) == 0 &&
	    (!config.api_url || config.interval_s < SYNC_INTERVAL_MIN_S || config.page_size == 0))
		abort();
}

static int count_step(void *opaque, const struct offering_step *step, struct vgpu_error **err)
{
	unsigned int *count = opaque;

	(void)err;
	if (step->kind != OFFERING_CREATE && (!step->id || !step->name))
		abort();
	return ++*count > 1000;
}

/* Compared with itself, as what CloudStack has. */
static void read_file(const char *text, size_t length)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_JSON json_t *offerings = offerings_read(text, length, &err);
	unsigned int count = 0;

	if (!offerings != !!err)
		abort();
	if (offerings &&
	    offerings_plan(json_array_get(offerings, 0), offerings, count_step, &count, &err) >= 0)
		abort();
}

/* With the right signature, too: what is behind it is read as well. */
static void read_event(const char *text, size_t length)
{
	static const char secret[] = "secret";
	struct webhook_memory memory = { .count = 0 };
	const char *reason;

	if (webhook_check(&memory, text, text, length, secret, 0, &reason) == 200)
		abort();
	webhook_event_time(text, length, &(int64_t){ 0 });
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VGPU_AUTO_FREE char *text = malloc(size + 1);

	if (!text || size == 0)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 4) {
	case 0:
		read_answer(text, size - 1);
		break;
	case 1:
		read_config(text, size - 1);
		break;
	case 2:
		read_file(text, size - 1);
		break;
	default:
		read_event(text, size - 1);
	}
	return 0;
}
