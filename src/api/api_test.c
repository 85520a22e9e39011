/* Figures of the flow, accounts and sessions; the routes are in tests/e2e_console. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/private.h"
#include "crypt/crypt.h"

static json_int_t figure(const json_t *flow, const char *list, size_t i, const char *name)
{
	return json_integer_value(json_object_get(json_array_get(json_object_get(flow, list), i), name));
}

static const char *word(const json_t *flow, const char *list, size_t i, const char *name)
{
	return json_string_value(json_object_get(json_array_get(json_object_get(flow, list), i), name));
}

static void flow_reads_metrics(void **state)
{
	(void)state;
	json_t *f = api_flow("# TYPE weir_flow_total counter\n"
			     "weir_flow_total{vendor=\"mix\",source=\"web\",category=\"user.device\"} 12\n"
			     "weir_flow_total_bucket{vendor=\"mix\"} 9\n"
			     "weir_held_total{vendor=\"mix\",source=\"web\"} 30\n"
			     "weir_events_total{vendor=\"mix\",outcome=\"kept\",reason=\"rule\"} 4\n"
			     "weir_queue_events{vendor=\"mix\"} 7");
	assert_int_equal(json_array_size(json_object_get(f, "flows")), 1);
	assert_string_equal(word(f, "flows", 0, "source"), "web");
	assert_string_equal(word(f, "flows", 0, "category"), "user.device");
	assert_string_equal(word(f, "flows", 0, "vendor"), "mix");
	assert_int_equal(figure(f, "flows", 0, "fields"), 12);
	assert_int_equal(figure(f, "held", 0, "fields"), 30);
	assert_string_equal(word(f, "events", 0, "reason"), "rule");
	assert_int_equal(figure(f, "events", 0, "events"), 4);
	assert_int_equal(figure(f, "queued", 0, "events"), 7);
	json_decref(f);
}

static void broken_metrics_do_no_harm(void **state)
{
	(void)state;
	static const char *const rows[] = {"", "\n\n", "weir_flow_total{", "weir_flow_total{source", "weir_flow_total{source=\"", "weir_flow_total{source=\"a} 3",
					   "weir_flow_total{=\"a\"} 3", "weir_flow_total} 1", "{} 1", "weir_held_total{vendor=\"a\",} x"};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *f = api_flow(rows[i]);
		assert_true(json_is_array(json_object_get(f, "flows")));
		json_decref(f);
	}
}

static struct registry *registry_here(char path[static 64])
{
	struct registry *r;
	struct err err;
	snprintf(path, 64, "/tmp/api-test-%d.db", (int)getpid());
	unlink(path);
	assert_int_equal(registry_open(path, &r, &err), 0);
	return r;
}

static int tell(struct registry *r, const char *w, json_t *request)
{
	struct err err;
	json_t *answer = json_object();
	int rc = -2;
	for (const struct registry_word *x = api_words; x->word; x++)
		if (strcmp(x->word, w) == 0)
			rc = x->handle(r, request, "tester", 1000, answer, &err);
	json_decref(request);
	json_decref(answer);
	return rc;
}

static void accounts_fit_their_password_only(void **state)
{
	(void)state;
	struct err err;
	char path[64], hash[USER_HASH_MAX], found[USER_HASH_MAX];
	struct registry *r = registry_here(path);
	assert_int_equal(crypt_init(&err), 0);
	assert_int_equal(user_hash_make("too short", hash, &err), -1);
	assert_int_equal(user_hash_make("long enough", hash, &err), 0);
	assert_int_equal(tell(r, "user-add", json_pack("{s:s, s:s}", "name", "ada", "hash", hash)), 0);
	assert_true(user_hash_find(r, "ada", found));
	assert_true(user_hash_fits(found, "long enough"));
	assert_false(user_hash_fits(found, "long enougH"));
	assert_false(user_hash_find(r, "bob", found));	/* and a hash to spend time on */
	assert_int_equal(strncmp(found, "$argon2id$", 10), 0);
	assert_false(user_hash_fits(found, ""));
	assert_int_equal(tell(r, "user-remove", json_pack("{s:s}", "name", "ada")), 0);
	assert_int_equal(tell(r, "user-remove", json_pack("{s:s}", "name", "ada")), -1);
	assert_false(user_hash_find(r, "ada", found));
	registry_close(&r);
	unlink(path);
}

static void what_is_no_account_is_refused(void **state)
{
	(void)state;
	static const char good[] = "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	static const struct {
		const char *name, *hash;
	} rows[] = {{"", good}, {"Ada", good}, {"a b", good}, {"-a", good}, {"../a", good}, {"ada", ""}, {"ada", "password"},
		    {"ada", "$argon2i$v=19$m=65536,t=2,p=1$AAAA$AAAA"},
		    {"ada", "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}};	/* too cheap */
	char path[64];
	struct registry *r = registry_here(path);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (tell(r, "user-add", json_pack("{s:s, s:s}", "name", rows[i].name, "hash", rows[i].hash)) != -1)
			fail_msg("row %zu was taken", i);
	assert_int_equal(tell(r, "user-add", json_pack("{s:s}", "name", "ada")), -1);
	assert_int_equal(tell(r, "user-add", json_object()), -1);
	registry_close(&r);
	unlink(path);
}

static struct session *by(struct sessions *s, const char *before, const char *cookie, const char *behind, int64_t now)
{
	char field[256];
	snprintf(field, sizeof field, "%s%s%s", before, cookie, behind);
	return session_find(s, (struct span){field, strlen(field)}, now);
}

static void sessions_end(void **state)
{
	(void)state;
	static struct sessions s;
	char a[65], b[65];
	session_begin(&s, "ada", 100, a);
	session_begin(&s, "bob", 100, b);
	assert_string_equal(by(&s, "weir=", a, "", 101)->user, "ada");
	assert_string_equal(by(&s, "x=1; weir=", b, "; y=2", 101)->user, "bob");
	static const char *const no[][2] = {{"", ""}, {"xweir=", ""}, {"weird=", ""}, {"WEIR=", ""}, {"weir=", "0"}, {"weir=0", ""}, {"weir= ", ""}};
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		assert_null(by(&s, no[i][0], a, no[i][1], 101));
	a[63] = a[63] == '1' ? '2' : '1';
	assert_null(by(&s, "weir=", a, "", 101));
	assert_non_null(by(&s, "weir=", b, "", 101 + SESSION_IDLE_S - 1));
	assert_null(by(&s, "weir=", b, "", 101 + 3 * SESSION_IDLE_S));	/* idle */
	session_begin(&s, "bob", 100, b);
	for (int64_t t = 100; t < 100 + SESSION_LIFE_S; t += SESSION_IDLE_S / 2)
		assert_non_null(by(&s, "weir=", b, "", t));
	assert_null(by(&s, "weir=", b, "", 100 + SESSION_LIFE_S));	/* however busy */
	session_begin(&s, "bob", 200, b);
	session_end_user(&s, "bob");
	assert_null(by(&s, "weir=", b, "", 201));
	for (int i = 0; i < SESSIONS_MAX; i++)
		session_begin(&s, "eve", 300 + i, a);
	session_begin(&s, "bob", 900, b);	/* the longest unseen makes room */
	assert_non_null(by(&s, "weir=", b, "", 901));
	assert_non_null(by(&s, "weir=", a, "", 901));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flow_reads_metrics),
		cmocka_unit_test(broken_metrics_do_no_harm),
		cmocka_unit_test(accounts_fit_their_password_only),
		cmocka_unit_test(what_is_no_account_is_refused),
		cmocka_unit_test(sessions_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
