/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what a REST client controls: the path with its method, the JSON body of a VM, a service
 * offering or a profile or, behind a 'd', what is said of its domain and, behind a 't', what token
 * is wanted. What decodes must merge or be refused with a status, and must encode to something that
 * decodes to the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mediatord/config.h"
#include "mediatord/domain_report.h"
#include "mediatord/registry/layers.h"
#include "mediatord/problem.h"
#include "mediatord/rest/router.h"
#include "mediatord/token_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_router(const uint8_t *data, size_t size)
{
	static const char *const methods[] = { "GET", "HEAD", "PUT", "PATCH", "DELETE", "POST" };
	char *path = calloc(1, size + 1);
	struct rest_target target;
	int status;

	if (!path)
		return;
	memcpy(path, data, size);
	status = rest_route(methods[size % 6], path, &target);
	if (status == 0 ? target.route >= REST_ROUTES : (status == 405) != (target.allow != NULL))
		abort();
	free(path);
}

static void fuzz_body(const uint8_t *data, size_t size)
{
	static const char text[] = "[pool A]\ngpus = 0\n[profile gold]\ngpu-time-guaranteed = 9\n";
	static struct config *config;
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vm_layer layers[VM_HANDS] = { 0 }, again;
	struct vm_field_name field;
	struct vm_merged merged;
	char *encoded, *encoded_again;

	if (!config && config_parse(text, strlen(text), "fuzz", &config, NULL) < 0)
		abort();
	if (vm_layer_decode((const char *)data, size, &layers[0], &field, &err) < 0) {
		json_t *problem;

		if (err->status != 400)
			abort();
		problem = problem_to_json(400, err->message, field.text);
		if (!problem)
			abort();
		json_decref(problem);
		return;
	}
	if (vm_layer_check_offering(&layers[0], &field, &err) < 0) {
		if (err->status != 400 || !field.text[0])
			abort();
		vgpu_error_free(&err);
	}
	encoded = vm_layer_encode(&layers[0]);
	if (!encoded || vm_layer_decode(encoded, strlen(encoded), &again, &field, NULL) < 0)
		abort();
	encoded_again = vm_layer_encode(&again);
	if (!encoded_again || strcmp(encoded, encoded_again) != 0 || again.given != layers[0].given)
		abort();
	free(encoded);
	free(encoded_again);
	if (vm_layers_merge(layers, config, &merged, &field, &err) < 0 &&
	    ((err->status != 400 && err->status != 422) || !field.text[0]))
		abort();
}

static void fuzz_report(const char *text, size_t length)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct domain_report report, again;
	struct vm_field_name field;
	json_t *json;
	char *encoded;

	if (domain_report_decode(text, length, &report, &field, &err) < 0) {
		if (err->status != 400)
			abort();
		return;
	}
	json = domain_report_to_json(&report);
	encoded = json ? json_dumps(json, 0) : NULL;
	if (!encoded || domain_report_decode(encoded, strlen(encoded), &again, &field, NULL) < 0 ||
	    again.drift_count != report.drift_count || again.state != report.state)
		abort();
	json_decref(json);
	free(encoded);
}

static void fuzz_token(const char *text, size_t length)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vm_field_name field;
	struct token_body wanted;

	if (token_body_decode(text, length, &wanted, &field, &err) < 0) {
		if (err->status != 400)
			abort();
		return;
	}
	if (!wanted.name[0] || strlen(wanted.name) > REST_NAME_MAX || wanted.role >= TOKEN_ROLES ||
	    wanted.seconds < 0 || wanted.seconds > TOKEN_SECONDS_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == '/')
		fuzz_router(data, size);
	else if (data[0] == 'd')
		fuzz_report((const char *)data + 1, size - 1);
	else if (data[0] == 't')
		fuzz_token((const char *)data + 1, size - 1);
	else
		fuzz_body(data, size);
	return 0;
}
