/* SPDX-License-Identifier: Apache-2.0 */
/* What bearer tokens are held to: how many there are, and how often each is shown. */
#include "mediatord/token.h"
#include "tests/mediatord/plane-check.h"

#define TOKENS_MAX 1000
/* More than one token, and than all wrong ones, may be shown within a second. */
#define MANY 5000

struct fixture {
	char *folder;
	struct state *state;
	struct tokens *tokens;
};

static void open_tokens(struct fixture *fixture)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	char path[128];

	fixture->folder = plane_folder();
	plane_path(path, fixture->folder, "state.db");
	if (state_open(path, &fixture->state, &err) < 0 ||
	    tokens_open(fixture->state, &fixture->tokens, &err) < 0)
		fail_msg("%s", err->message);
}

static void close_tokens(struct fixture *fixture)
{
	tokens_close(&fixture->tokens);
	state_close(&fixture->state);
	plane_folder_remove(fixture->folder);
}

/* Makes a token. Returns 0, or the error's errno value. */
static int add(struct fixture *fixture, const char *name, char text[TOKEN_TEXT_BYTES])
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	return tokens_add(fixture->tokens, name, TOKEN_OPERATE, 0, text, &err) < 0 ? err->status
										   : 0;
}

static enum token_verdict show(struct fixture *fixture, const char *text)
{
	char authorization[TOKEN_TEXT_BYTES + sizeof("Bearer ")], name[64];
	enum token_role role;

	snprintf(authorization, sizeof(authorization), "Bearer %s", text);
	return tokens_check(fixture->tokens, authorization, &role, name);
}

static void wrong_secrets_do_not_use_up_a_tokens_rate(void **state)
{
	char good[TOKEN_TEXT_BYTES], other[TOKEN_TEXT_BYTES], wrong[TOKEN_TEXT_BYTES];
	struct fixture fixture;

	(void)state;
	open_tokens(&fixture);
	assert_int_equal(add(&fixture, "boss", good), 0);
	assert_int_equal(add(&fixture, "other", other), 0);
	snprintf(wrong, sizeof(wrong), "boss%s", strchr(other, '.'));
	for (int i = 0; i < MANY; i++) {
		enum token_verdict verdict = show(&fixture, wrong);

		assert_true(verdict == TOKEN_WRONG || verdict == TOKEN_TOO_OFTEN);
	}
	assert_int_equal(show(&fixture, good), TOKEN_GOOD);
	close_tokens(&fixture);
}

static void one_tokens_rate_is_not_anothers(void **state)
{
	char busy[TOKEN_TEXT_BYTES], other[TOKEN_TEXT_BYTES];
	struct fixture fixture;

	(void)state;
	open_tokens(&fixture);
	assert_int_equal(add(&fixture, "busy", busy), 0);
	assert_int_equal(add(&fixture, "other", other), 0);
	for (int i = 0; i < MANY; i++) {
		enum token_verdict verdict = show(&fixture, busy);

		assert_true(verdict == TOKEN_GOOD || verdict == TOKEN_TOO_OFTEN);
	}
	assert_int_equal(show(&fixture, other), TOKEN_GOOD);
	close_tokens(&fixture);
}

static void there_is_room_for_so_many(void **state)
{
	char name[16], text[TOKEN_TEXT_BYTES];
	struct fixture fixture;

	(void)state;
	open_tokens(&fixture);
	for (int i = 0; i < TOKENS_MAX; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		assert_int_equal(add(&fixture, name, text), 0);
	}
	assert_int_equal(add(&fixture, "t7", text), EEXIST);
	assert_int_equal(add(&fixture, "more", text), EDQUOT);
	assert_int_equal(tokens_delete(fixture.tokens, "t7", NULL), 0);
	assert_int_equal(add(&fixture, "more", text), 0);
	assert_int_equal(show(&fixture, text), TOKEN_GOOD);
	close_tokens(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_secrets_do_not_use_up_a_tokens_rate),
		cmocka_unit_test(one_tokens_rate_is_not_anothers),
		cmocka_unit_test(there_is_room_for_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
