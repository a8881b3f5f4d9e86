/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/webhook_check.h"

#include <string.h>
#include <time.h>

#include "cloudstack-plugin/answer.h"

int webhook_event_time(const char *body, size_t length, int64_t *seconds)
{
	VGPU_AUTO_JSON json_t *event = json_loadb(body, length, JSON_REJECT_DUPLICATES, NULL);
	const char *text = cs_text(event, "eventDateTime");
	struct tm when = { 0 };
	const char *end = text ? strptime(text, "%Y-%m-%d %H:%M:%S %z", &when) : NULL;
	long offset = when.tm_gmtoff;

	if (!end || *end)
		return -1;
	*seconds = (int64_t)timegm(&when) - offset;
	return 0;
}

static bool came_before(const struct webhook_memory *memory,
			const uint8_t signature[CS_WEBHOOK_SIGNATURE])
{
	for (unsigned int i = 0; i < memory->count; i++)
		if (memcmp(memory->seen[i], signature, CS_WEBHOOK_SIGNATURE) == 0)
			return true;
	return false;
}

static void remember(struct webhook_memory *memory, const uint8_t signature[CS_WEBHOOK_SIGNATURE])
{
	memcpy(memory->seen[memory->next], signature, CS_WEBHOOK_SIGNATURE);
	memory->next = (memory->next + 1) % WEBHOOK_REMEMBER;
	if (memory->count < WEBHOOK_REMEMBER)
		memory->count++;
}

static unsigned int refuse(unsigned int status, const char *why, const char **reason)
{
	*reason = why;
	return status;
}

unsigned int webhook_check(struct webhook_memory *memory, const char *signature, const char *body,
			   size_t length, const char *secret, int64_t now_s, const char **reason)
{
	uint8_t raw[CS_WEBHOOK_SIGNATURE];
	int64_t then_s;

	if (!signature || !cs_webhook_signature(signature, raw))
		return refuse(401, "there is no X-CS-Signature", reason);
	if (!cs_webhook_signed(raw, body, length, secret))
		return refuse(401, "the signature is not that of the secret key", reason);
	if (webhook_event_time(body, length, &then_s) < 0)
		return refuse(400, "the body has no eventDateTime", reason);
	if (then_s < now_s - WEBHOOK_LATE_S || then_s > now_s + WEBHOOK_LATE_S)
		return refuse(410, "the event is not of now", reason);
	if (came_before(memory, raw))
		return refuse(409, "the event came before", reason);
	remember(memory, raw);
	return refuse(200, "", reason);
}
