/* What the gate tells of what flows: everything in `mode: learn`, a sample otherwise, values never. */
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "gate/gate_rig.h"
#include "shape/form.h"

static int dial(const struct rig *r)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)r->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* Posts body times times on one connection; every answer must be 200. */
static void track(const struct rig *r, const char *body, unsigned times)
{
	struct buf b;
	char in[4096];
	int fd = dial(r);
	buf_init(&b, 0);
	buf_addf(&b, "POST /mixpanel/track HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
	for (unsigned i = 0; i < times; i++) {
		assert_int_equal(send(fd, b.data, b.len, MSG_NOSIGNAL), b.len);
		ssize_t n = recv(fd, in, sizeof(in) - 1, 0);
		assert_true(n > 12);
		in[n] = 0;
		assert_non_null(strstr(in, " 200 "));
	}
	buf_release(&b);
	close(fd);
}

/* All rows that are told with this status, as "source event path" -> counts; text: everything, to look for values in. */
static json_t *learned(struct rig *r, struct buf *text)
{
	json_t *all = json_object();
	rig_send(r, ROLE_STEWARD, "status", json_pack("{s:i}", "id", 1), NULL, 0);
	for (bool done = false; !done;) {
		struct pollfd f = {.fd = r->channel, .events = POLLIN};
		struct message m;
		struct err err;
		assert_int_equal(poll(&f, 1, 8000), 1);
		assert_int_equal(channel_receive(r->channel, &m, &err), 1);
		done = strcmp(m.verb, "status-is") == 0;
		if (strcmp(m.verb, "shapes") == 0) {
			json_t *row, *rows = json_object_get(m.body, "rows");
			size_t i;
			char *s = json_dumps(m.body, JSON_COMPACT);
			buf_adds(text, s);
			free(s);
			assert_string_equal(json_string_value(json_object_get(m.body, "vendor")), "mixpanel");
			assert_true(json_array_size(rows) <= 500);
			json_array_foreach(rows, i, row) {
				char key[600];
				snprintf(key, sizeof(key), "%s %s %s", json_string_value(json_object_get(row, "s")), json_string_value(json_object_get(row, "e")),
					 json_string_value(json_object_get(row, "p")));
				json_object_set(all, key, json_object_get(row, "c"));
			}
		}
		message_release(&m);
	}
	return all;
}

static long long objects(const json_t *all, const char *key)
{
	const json_t *c = json_object_get(all, key);
	return c ? json_integer_value(json_object_get(c, "n")) : -1;
}

#define EVENT(name, token, extra) "{\"event\":\"" name "\",\"properties\":{\"token\":\"" token "\",\"distinct_id\":\"MARKER-alice\"" extra "}}"

static void learn_looks_at_everything(void **state)
{
	struct rig r;
	struct buf text;
	(void)state;
	buf_init(&text, 0);
	rig_make(&r);
	rig_start(&r);
	assert_true(rig_plan(&r, (struct plan_wish){.mode = "learn"}));
	track(&r, "[" EVENT("signup", "web-token", ",\"plan\":\"MARKER-plus\",\"note\":\"write to MARKER@example.com\"") ","
		      EVENT("unknown to the contract", "web-token", ",\"n\":8817263,\"MARKER@example.com\":1") "]", 700);
	track(&r, "[" EVENT("x", "stranger", ",\"strange\":1") "," EVENT("signup", "web-token", "") "]", 1);
	json_t *all = learned(&r, &text);
	assert_int_equal(objects(all, "web signup "), 701);
	assert_int_equal(objects(all, "web signup properties.note"), 700);
	assert_int_equal(objects(all, "web unknown to the contract properties.n"), 700);
	assert_int_equal(objects(all, "web unknown to the contract properties.*"), 700);
	assert_int_equal(objects(all, "web x "), -1);	/* nobody's: not counted */
	json_t *f = json_object_get(json_object_get(json_object_get(all, "web signup properties.note"), "f"), "email");
	assert_int_equal(json_integer_value(json_array_get(f, 0)), 700);
	assert_int_equal(json_integer_value(json_array_get(f, 1)), 0);
	assert_null(strstr((char *)text.data, "MARKER"));
	assert_null(strstr((char *)text.data, "8817263"));
	json_decref(all);
	all = learned(&r, &text);	/* what was told isn't told again */
	assert_int_equal(json_object_size(all), 0);
	json_decref(all);
	buf_release(&text);
	rig_stop(&r);
	rig_free(&r);
}

static void enforce_looks_at_all_while_few(void **state)
{
	struct rig r;
	struct buf text;
	(void)state;
	buf_init(&text, 0);
	rig_make(&r);
	r.loops = 2;
	rig_start(&r);
	track(&r, EVENT("signup", "web-token", ",\"plan\":\"MARKER\",\"secret\":\"MARKER\""), 20);
	track(&r, EVENT("dropped by name", "web-token", ",\"plan\":true"), 1);
	json_t *all = learned(&r, &text);
	long long n = objects(all, "web signup properties.secret");	/* of one loop: the last that told */
	assert_true(n > 0 && n <= 20);
	assert_int_equal(objects(all, "web dropped by name properties.plan"), 1);
	assert_null(strstr((char *)text.data, "MARKER"));
	json_decref(all);
	buf_release(&text);
	rig_stop(&r);
	rig_free(&r);
}

/* Many in one second: the first of them, then one in 256, whatever the batch. */
static void enforce_samples_when_many(void **state)
{
	enum { BATCH = 200, SECONDS = 3 };
	struct rig r;
	struct buf body, text;
	(void)state;
	buf_init(&body, 0);
	buf_init(&text, 0);
	buf_addc(&body, '[');
	for (int i = 0; i < BATCH; i++)
		buf_addf(&body, "%s" EVENT("signup", "web-token", ",\"plan\":\"MARKER\""), i ? "," : "");
	buf_addc(&body, ']');
	rig_make(&r);
	rig_start(&r);
	long long looked = 0, sent = 0;
	for (int64_t until = clock_mono_ms() + SECONDS * 1000; clock_mono_ms() < until; sent += BATCH)
		track(&r, (char *)body.data, 1);
	json_t *all = learned(&r, &text);
	looked = objects(all, "web signup properties.plan");
	print_message("%lld of %lld looked at in %d s\n", looked, sent, SECONDS);
	assert_true(looked >= 2000);
	assert_true(looked < 3 * 2000 + sent / 64);	/* a machine that others keep busy may look like a quiet vendor */
	json_decref(all);
	buf_release(&body);
	buf_release(&text);
	rig_stop(&r);
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(learn_looks_at_everything), cmocka_unit_test(enforce_looks_at_all_while_few),
		cmocka_unit_test(enforce_samples_when_many),
	};
	signal(SIGPIPE, SIG_IGN);
	int failed = cmocka_run_group_tests(tests, NULL, NULL), all = (int)(sizeof tests / sizeof *tests);
	printf("%d passed, %d failed\n", all - failed, failed);
	return failed != 0;
}
