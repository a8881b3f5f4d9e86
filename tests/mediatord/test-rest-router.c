/* SPDX-License-Identifier: Apache-2.0 */
/* Which paths and methods there are, and the status of all others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mediatord/rest/router.h"

/* 64 characters. */
#define LONG_NAME "0123456789012345678901234567890123456789012345678901234567890123"
#define UUID	  "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"

static void every_route_is_found(void **state)
{
	static const struct {
		const char *method, *path;
		enum rest_route route;
	} good[] = {
		{ "GET", "/healthz", REST_HEALTH },
		{ "HEAD", "/healthz", REST_HEALTH },
		{ "GET", "/v1/vms", REST_VM_LIST },
		{ "GET", "/v1/vms/" UUID, REST_VM_GET },
		{ "PUT", "/v1/vms/" UUID, REST_VM_PUT },
		{ "DELETE", "/v1/vms/" UUID, REST_VM_DELETE },
		{ "GET", "/v1/vms/" UUID "/cloudstack", REST_CLOUDSTACK_GET },
		{ "PUT", "/v1/vms/" UUID "/cloudstack", REST_CLOUDSTACK_PUT },
		{ "PUT", "/v1/vms/" UUID "/domain", REST_DOMAIN_PUT },
		{ "DELETE", "/v1/vms/" UUID "/domain", REST_DOMAIN_DELETE },
		{ "PUT", "/v1/vms/" UUID "/domain/state", REST_DOMAIN_REPORT },
		{ "PATCH", "/v1/vms/" UUID, REST_VM_PATCH },
		{ "GET", "/v1/vms/" UUID "/channels", REST_VM_CHANNELS },
		{ "POST", "/v1/vms/" UUID "/pause", REST_VM_PAUSE },
		{ "POST", "/v1/vms/" UUID "/reset", REST_VM_RESET },
		{ "GET", "/v1/profiles", REST_PROFILE_LIST },
		{ "PUT", "/v1/profiles/a.b_c-9", REST_PROFILE_PUT },
		{ "PATCH", "/v1/profiles/gold", REST_PROFILE_PATCH },
		{ "POST", "/v1/vms/" UUID "/quarantine", REST_VM_QUARANTINE },
		{ "POST", "/v1/vms/" UUID "/release", REST_VM_RELEASE },
		{ "GET", "/v1/vms/" UUID "/times", REST_VM_TIMES },
		{ "GET", "/v1/pools", REST_POOL_LIST },
		{ "GET", "/ui", REST_UI },
		{ "GET", "/ui/", REST_UI_FILE },
		{ "HEAD", "/ui/app.js", REST_UI_FILE },
		{ "GET", "/v1/gpus", REST_GPU_LIST },
		{ "GET", "/v1/seats", REST_SEAT_LIST },
		{ "GET", "/v1/events", REST_EVENTS },
		{ "POST", "/v1/tokens", REST_TOKEN_ADD },
		{ "DELETE", "/v1/tokens/ci", REST_TOKEN_DELETE },
		{ "GET", "/v1/audit", REST_AUDIT },
		{ "POST", "/v1/backup", REST_BACKUP },
		{ "GET", "/metrics", REST_METRICS },
		{ "GET", "/readyz", REST_READY },
		{ "PUT", "/v1/vms/0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0", REST_VM_PUT },
	};
	struct rest_target target;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(rest_route(good[i].method, good[i].path, &target), 0);
		assert_int_equal(target.route, good[i].route);
		if (strstr(good[i].path, "/vms/"))
			assert_int_equal(target.uuid[15], 0xf0);
	}
}

static void all_else_has_its_status(void **state)
{
	static const struct {
		const char *method, *path;
		int status;
		const char *allow;
	} bad[] = {
		{ "GET", "/", 404, NULL },
		{ "GET", "", 404, NULL },
		{ "GET", "/v1", 404, NULL },
		{ "GET", "/v1/vms/", 404, NULL },
		{ "GET", "/v2/vms", 404, NULL },
		{ "GET", "/healthz/", 404, NULL },
		{ "GET", "/v1/vms/" UUID "/", 404, NULL },
		{ "GET", "/v1/vms/" UUID "/domains", 404, NULL },
		{ "GET", "/v1/vms//domain", 404, NULL },
		{ "GET", "/v1/vms/x/y/domain", 404, NULL },
		{ "GET", "/v1/vms/x", 400, NULL },
		{ "GET", "/v1/vms/" UUID "0", 400, NULL },
		{ "PUT", "/v1/vms/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1fg/domain", 400, NULL },
		{ "GET", "/v1/vms/%00", 400, NULL },
		{ "GET", "/v1/profiles/", 404, NULL },
		{ "GET", "/v1/profiles/a/b", 404, NULL },
		{ "GET", "/v1/profiles/a%20b", 400, NULL },
		{ "PUT", "/v1/profiles/.", 400, NULL },
		{ "PUT", "/v1/profiles/..", 400, NULL },
		{ "GET", "/ui/../v1/vms", 404, NULL },
		{ "GET", "/ui/..%2fapp.js", 400, NULL },
		{ "POST", "/ui/app.js", 405, "GET, HEAD" },
		{ "GET", "/v1/profiles/" LONG_NAME, 400, NULL },
		{ "GET", "/v1/vms/" UUID "/pause", 405, "POST" },
		{ "POST", "/healthz", 405, "GET, HEAD" },
		{ "DELETE", "/v1/vms", 405, "GET, HEAD" },
		{ "POST", "/v1/vms/" UUID, 405, "GET, HEAD, PUT, PATCH, DELETE" },
		{ "get", "/v1/vms/" UUID, 405, "GET, HEAD, PUT, PATCH, DELETE" },
		{ "GET", "/v1/vms/" UUID "/domain", 405, "PUT, DELETE" },
	};
	struct rest_target target;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(rest_route(bad[i].method, bad[i].path, &target), bad[i].status);
		if (bad[i].allow)
			assert_string_equal(target.allow, bad[i].allow);
		else
			assert_null(target.allow);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_route_is_found),
		cmocka_unit_test(all_else_has_its_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
