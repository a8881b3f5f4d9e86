/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: their text, their JSON, and their exit status. */
#include <stdarg.h>
#include <stdio.h>

#include "guest-agent/agent/agent.h"
#include "guest-agent/agent/json.h"

/* What CUDA's errors say of the user's input, of the host, or of the work. */
static int cuda_exit_status(uint32_t error)
{
	switch (error) {
	case 2:	  /* OUT_OF_MEMORY */
	case 100: /* NO_DEVICE */
	case 221: /* JIT_COMPILER_NOT_FOUND */
	case 801: /* NOT_SUPPORTED */
		return EX_UNAVAILABLE;
	case 200: /* INVALID_IMAGE */
	case 209: /* NO_BINARY_FOR_GPU */
	case 218: /* INVALID_PTX */
	case 222: /* UNSUPPORTED_PTX_VERSION */
	case 300: /* INVALID_SOURCE */
	case 500: /* NOT_FOUND */
		return EX_DATAERR;
	default:
		return EX_SOFTWARE;
	}
}

int agent_exit_status(enum vgpu_result result, const struct vgpu_error_detail *detail)
{
	switch (result) {
	case VGPU_OK:
		return EX_OK;
	case VGPU_E_ARGUMENT:
		return EX_USAGE;
	case VGPU_E_PERMISSION:
		return EX_NOPERM;
	case VGPU_E_NO_MEMORY:
		return EX_OSERR;
	case VGPU_E_IO:
		return EX_IOERR;
	case VGPU_E_PROTOCOL:
		return EX_PROTOCOL;
	case VGPU_E_NO_DEVICE:
	case VGPU_E_INCOMPATIBLE:
	case VGPU_E_GONE:
	case VGPU_E_UNAVAILABLE:
	case VGPU_E_INVALID_POOL:
	case VGPU_E_QUARANTINED:
	case VGPU_E_UNSUPPORTED:
		return EX_UNAVAILABLE;
	case VGPU_E_TIMEOUT:
	case VGPU_E_JOB_TIMEOUT:
	case VGPU_E_QUEUE_FULL:
	case VGPU_E_RATE_LIMITED:
	case VGPU_E_CHANNEL_LIMIT:
	case VGPU_E_WINDOW_LIMIT:
	case VGPU_E_CONTEXT_LOST:
		return EX_TEMPFAIL;
	case VGPU_E_CUDA:
		return cuda_exit_status(detail->cuda_error);
	default:
		return EX_SOFTWARE;
	}
}

static int say(const struct agent *agent, int status, const char *code, const char *message,
	       const struct vgpu_error_detail *detail)
{
	struct json json = { .stream = stdout };

	if (!agent->json) {
		fprintf(stderr, "vgpu-agent: %s\n", message);
		return status;
	}
	json_begin(&json, NULL);
	json_begin(&json, "error");
	json_text(&json, "code", code);
	json_text(&json, "message", message);
	json_unsigned(&json, "exit_status", (uint64_t)status);
	if (detail && detail->device_error)
		json_unsigned(&json, "device_error", detail->device_error);
	if (detail && detail->cuda_error)
		json_unsigned(&json, "cuda_error", detail->cuda_error);
	json_end(&json);
	json_finish(&json);
	return status;
}

static const char *status_code(int status)
{
	switch (status) {
	case EX_USAGE:
		return "usage";
	case EX_DATAERR:
		return "data";
	case EX_NOINPUT:
		return "no-input";
	case EX_UNAVAILABLE:
		return "unavailable";
	case EX_SOFTWARE:
		return "software";
	case EX_OSERR:
		return "system";
	case EX_CANTCREAT:
		return "cannot-create";
	case EX_IOERR:
		return "io";
	default:
		return "error";
	}
}

int agent_fail_result(const struct agent *agent, enum vgpu_result result)
{
	struct vgpu_error_detail detail;

	vgpu_last_error_detail(&detail);
	return say(agent, agent_exit_status(result, &detail), vgpu_result_name(result),
		   vgpu_last_error(), &detail);
}

int agent_fail_error(const struct agent *agent, const struct vgpu_error *err)
{
	return say(agent, err->status, status_code(err->status), err->message, NULL);
}

int agent_fail(const struct agent *agent, int status, const char *format, ...)
{
	VGPU_AUTO_FREE char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return say(agent, status, status_code(status), text ? text : "out of memory", NULL);
}

void agent_close(struct vgpu **vgpu)
{
	vgpu_close(*vgpu);
	*vgpu = NULL;
}
