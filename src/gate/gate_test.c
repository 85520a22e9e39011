/*
 * The gate as a process, sandbox and all, with this test in the places of supervisor, keeper, courier and SDK.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "gate/gate_rig.h"

/* ---- a client ------------------------------------------------------------------------------------------------- */

struct answer {
	int status;	/* 0: closed, -errno: broken */
	char head[2048], body[8192];
};

static int dial(const struct rig *r)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)r->port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval tv = {10, 0};
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

static void receive(int fd, struct answer *a)
{
	char in[16384];
	size_t n = 0;
	*a = (struct answer){0};
	for (;;) {
		ssize_t k = recv(fd, in + n, sizeof(in) - 1 - n, 0);
		if (k <= 0) {
			a->status = k < 0 ? -errno : 0;
			return;
		}
		n += (size_t)k;
		in[n] = 0;
		char *end = strstr(in, "\r\n\r\n");
		if (!end)
			continue;
		char *len = strstr(in, "Content-Length: ");
		size_t want = len && len < end ? (size_t)atoi(len + 16) : 0;
		if (n < (size_t)(end + 4 - in) + want)
			continue;
		a->status = atoi(in + 9);
		snprintf(a->head, sizeof(a->head), "%.*s", (int)(end + 2 - in), in);
		snprintf(a->body, sizeof(a->body), "%.*s", (int)want, end + 4);
		return;
	}
}

static struct answer ask(const struct rig *r, const char *method, const char *path, const char *fields, const char *body)
{
	struct answer a;
	struct buf b;
	int fd = dial(r);
	buf_init(&b, 0);
	buf_addf(&b, "%s %s HTTP/1.1\r\n%s%sContent-Length: %zu\r\n\r\n%s", method, path, strstr(fields, "Host:") ? "" : "Host: x\r\n",
		 fields, strlen(body), body);
	assert_int_equal(send(fd, b.data, b.len, MSG_NOSIGNAL), b.len);
	buf_release(&b);
	receive(fd, &a);
	close(fd);
	return a;
}

#define EVENT(token, extra) "{\"event\":\"signup\",\"properties\":{\"token\":\"" token "\",\"distinct_id\":\"alice\"" extra "}}"

static int track(const struct rig *r, const char *body)
{
	return ask(r, "POST", "/mixpanel/track", "Content-Type: application/json\r\n", body).status;
}

/* ---- what is in the log --------------------------------------------------------------------------------------- */

struct seen {
	unsigned frames, keys, objects, strangers, links, linked;
	struct buf payload;	/* of all frames, opened */
	struct buf vendors;
	uint64_t serial;	/* of the last */
};

static void read_log(const struct rig *r, struct seen *s)
{
	struct log_reader *in;
	struct log_frame f;
	struct err err;
	uint8_t key[32];
	*s = (struct seen){0};
	buf_init(&s->payload, 0);
	assert_int_equal(log_reader_open(&fio_os, r->log_dir, r->mark, 0, &in, &err), 0);
	while (log_read(in, &f, &err) == 1) {
		struct block b;
		uint8_t plain[1 << 16];
		if (f.type == LOG_KEY) {
			assert_int_equal(seal_open(f.body, f.len, r->courier_pk, r->courier_sk, key, &err), 0);
			s->keys++;
			continue;
		}
		if (f.type == LOG_LINK) {
			struct link_frame l;
			struct link_one k;
			assert_int_equal(link_parse(f.body, f.len, &l, &err), 0);
			assert_true(span_eq(l.head.vendor, "mixpanel"));
			for (s->links += l.count; l.count > 0; l.count--) {
				link_next(&l, &k);
				s->linked += k.n;
			}
			continue;
		}
		assert_int_equal(f.type, LOG_REQUEST);
		assert_int_equal(block_parse(f.body, f.len, &b, &err), 0);
		assert_true(b.sealed_len < sizeof(plain));
		assert_int_equal(aead_open(key, f.salt, f.seq, b.clear, b.clear_len, b.sealed, b.sealed_len, plain, &err), 0);
		s->frames++;
		s->objects += b.head.count;
		s->serial = b.head.plan_serial;
		for (uint32_t i = 0; i < b.head.count; i++) {
			static const uint8_t nobody[16];
			struct block_object o;
			block_object_at(&b, i, &o);
			s->strangers += memcmp(o.subject, nobody, 16) == 0;
		}
		buf_add(&s->payload, plain, b.sealed_len - AEAD_OVERHEAD);
		buf_addc(&s->payload, '\n');
	}
	log_reader_close(&in);
}

static unsigned frames(const struct rig *r)
{
	struct seen s;
	read_log(r, &s);
	buf_release(&s.payload);
	return s.frames;
}

static double metric(struct rig *r, const char *name)
{
	rig_send(r, ROLE_STEWARD, "metrics", json_pack("{s:i}", "id", 3), NULL, 0);
	json_t *m = rig_expect(r, "metrics-text");
	assert_int_equal(json_integer_value(json_object_get(m, "id")), 3);
	const char *text = json_string_value(json_object_get(m, "text")), *at = strstr(text, name);
	double v = at ? atof(strchr(at, ' ') + 1) : 0;
	json_decref(m);
	return v;
}
#define EVENTS(outcome, reason) "weir_events_total{vendor=\"mixpanel\",outcome=\"" outcome "\",reason=\"" reason "\"}"

/* ---- tests ---------------------------------------------------------------------------------------------------- */

static void acknowledged_is_durable_and_minimised(void **state)
{
	(void)state;
	struct rig r;
	struct seen s;
	rig_make(&r);
	rig_start(&r);
	struct answer a = ask(&r, "POST", "/mixpanel/track?verbose=1", "Content-Type: application/json\r\n",
			      "[" EVENT("web-token", ",\"plan\":\"plus\",\"secret\":\"zq-1\"") "," EVENT("web-token", ",\"n\":1e400") "]");
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "{\"status\":1,\"error\":null}");
	read_log(&r, &s);	/* at once: the answer says that it is there */
	assert_int_equal(s.frames, 1);
	assert_int_equal(s.keys, 1);
	assert_int_equal(s.objects, 2);
	assert_int_equal(s.strangers, 0);
	const char *p = (char *)s.payload.data;
	assert_non_null(strstr(p, "\"plan\":\"plus\""));
	assert_non_null(strstr(p, "1e400"));
	assert_non_null(strstr(p, "$insert_id"));	/* minted */
	assert_null(strstr(p, "zq-1"));
	assert_null(strstr(p, "secret"));
	assert_null(strstr(p, "alice"));
	assert_null(strstr(p, "web-token"));
	buf_release(&s.payload);
	assert_int_equal(metric(&r, EVENTS("kept", "rule")), 2);
	assert_int_equal(metric(&r, "weir_commit_seconds_count"), 1);
	rig_stop(&r);
	rig_free(&r);
}

/* A link is in the log with its request, and only where the request is. */
static void links_are_recorded(void **state)
{
	(void)state;
	static const char alias[] = "{\"event\":\"$create_alias\",\"properties\":{\"token\":\"%s\",\"distinct_id\":\"a\",\"alias\":\"b\"}}";
	static const char merge[] = "{\"event\":\"$merge\",\"properties\":{\"token\":\"web-token\",\"$distinct_ids\":[\"a\",\"b\",\"c\"]}}";
	struct rig r;
	struct seen s;
	char body[512], stranger[256];
	rig_make(&r);
	rig_start(&r);
	snprintf(stranger, sizeof stranger, alias, "stranger");
	snprintf(body, sizeof body, "[%s,%s,%s]", EVENT("web-token", ""), stranger, merge);
	assert_int_equal(track(&r, body), 200);
	read_log(&r, &s);	/* at once */
	assert_int_equal(s.frames, 1);
	assert_int_equal(s.objects, 2);
	assert_int_equal(s.links, 1);	/* the stranger's isn't told */
	assert_int_equal(s.linked, 3);
	buf_release(&s.payload);
	assert_int_equal(track(&r, stranger), 403);
	assert_int_equal(ask(&r, "POST", "/mixpanel/track", "Sec-GPC: 1\r\n", merge).status, 200);
	assert_true(rig_plan(&r, (struct plan_wish){.mode = "learn"}));
	assert_int_equal(track(&r, merge), 200);
	assert_true(rig_plan(&r, (struct plan_wish){.deny_links = true}));
	assert_int_equal(track(&r, merge), 200);
	assert_int_equal(track(&r, EVENT("web-token", "")), 200);
	read_log(&r, &s);
	assert_int_equal(s.frames, 2);
	assert_int_equal(s.links, 1);
	buf_release(&s.payload);
	rig_stop(&r);
	rig_free(&r);
}

#define HELD(source) "weir_held_total{vendor=\"mixpanel\",source=\"" source "\"}"
#define LEFT(source, category) "weir_flow_total{vendor=\"mixpanel\",source=\"" source "\",category=\"" category "\"}"

static void fields_are_counted_by_source_and_category(void **state)
{
	(void)state;
	struct rig r;
	rig_make(&r);
	rig_start(&r);
	assert_int_equal(track(&r, "[" EVENT("web-token", ",\"plan\":\"plus\",\"secret\":\"x\"") "," EVENT("web-token", "") "]"), 200);
	assert_int_equal(metric(&r, LEFT("web", "user.unique_id.pseudonymous")), 2);		/* distinct_id */
	assert_int_equal(metric(&r, LEFT("web", "uncategorised")), 1);	/* plan: its rule names no category */
	assert_int_equal(metric(&r, HELD("web")), 1);		/* secret, and neither token nor containers */
	/* a dropped object leaves nothing and is held back whole; a stranger's isn't counted at all */
	assert_int_equal(track(&r, "{\"event\":\"other\",\"properties\":{\"token\":\"web-token\",\"plan\":\"plus\"}}"), 200);
	assert_int_equal(track(&r, EVENT("stranger", ",\"plan\":\"plus\"")), 403);
	assert_int_equal(metric(&r, LEFT("web", "user.unique_id.pseudonymous")), 2);
	assert_int_equal(metric(&r, HELD("web")), 1 + 4);
	assert_int_equal(metric(&r, "weir_source_events_total{vendor=\"mixpanel\",source=\"web\"}"), 3);
	rig_stop(&r);
	rig_free(&r);
}

static void dropped_is_success_without_a_frame(void **state)
{
	(void)state;
	struct rig r;
	rig_make(&r);
	rig_start(&r);
	assert_int_equal(track(&r, "{\"event\":\"other\",\"properties\":{\"token\":\"web-token\"}}"), 200);
	assert_int_equal(ask(&r, "POST", "/mixpanel/track", "Sec-GPC: 1\r\n", EVENT("web-token", "")).status, 200);
	assert_int_equal(ask(&r, "POST", "/mixpanel/track", "Sec-GPC: 0\r\n", EVENT("web-token", "")).status, 200);
	assert_int_equal(frames(&r), 1);
	assert_true(rig_plan(&r, (struct plan_wish){.mode = "learn"}));
	assert_int_equal(track(&r, EVENT("web-token", "")), 200);
	assert_int_equal(frames(&r), 1);
	assert_int_equal(metric(&r, EVENTS("dropped", "event")), 1);
	assert_int_equal(metric(&r, EVENTS("dropped", "consent")), 1);
	assert_int_equal(metric(&r, EVENTS("dropped", "learn")), 1);
	rig_stop(&r);
	rig_free(&r);
}

/* on_hit: refuse and drop_event: an answer that says where and what kind, and nothing in the log. */
static void hits_stop_what_the_contract_says(void **state)
{
	(void)state;
	struct rig r;
	struct answer a;
	rig_make(&r);
	rig_start(&r);
	assert_true(rig_plan(&r, (struct plan_wish){.more = "  properties.secret: {keep: true, on_hit: refuse}\non_hit: drop_event\n"}));
	assert_int_equal(track(&r, EVENT("web-token", ",\"plan\":\"ann@example.org\"")), 200);
	a = ask(&r, "POST", "/mixpanel/track?verbose=1", "", "[" EVENT("web-token", "") "," EVENT("web-token", ",\"secret\":\"ann@example.org\"") "]");
	assert_int_equal(a.status, 403);
	assert_non_null(strstr(a.body, "email in properties.secret"));
	assert_null(strstr(a.body, "ann@"));
	assert_int_equal(frames(&r), 0);
	assert_int_equal(metric(&r, EVENTS("dropped", "detector")), 1);
	assert_int_equal(metric(&r, EVENTS("refused", "detector")), 1);
	rig_stop(&r);
	rig_free(&r);
}

/* An organisation's own detectors are those of the signed plan; a plan whose detectors can't be had closes its vendor. */
static void own_detectors_are_the_plans(void **state)
{
	(void)state;
	static const char more[] = "detectors: [own]\n";
	static const char own[] = "weir: 1\ndetectors:\n  - {name: customer_no, pattern: 'KD-[0-9]{6}', check: luhn, examples: [KD-123455]}\n";
	struct rig r;
	struct seen s;
	rig_make(&r);
	rig_start(&r);
	assert_true(rig_plan(&r, (struct plan_wish){.more = more, .own = own}));
	assert_int_equal(track(&r, EVENT("web-token", ",\"note\":\"KD-123455, KD-123456\"")), 200);
	assert_int_equal(metric(&r, "weir_redactions_total{vendor=\"mixpanel\",type=\"customer_no\"}"), 1);
	assert_false(rig_plan(&r, (struct plan_wish){.more = more}));	/* named, and not there */
	assert_int_equal(track(&r, EVENT("web-token", ",\"note\":\"KD-123455\"")), 503);
	assert_true(rig_plan(&r, (struct plan_wish){.more = more, .own = own}));
	assert_int_equal(track(&r, EVENT("web-token", ",\"note\":\"KD-123455 again\"")), 200);
	assert_int_equal(metric(&r, "weir_redactions_total{vendor=\"mixpanel\",type=\"customer_no\"}"), 2);	/* plans come and go, counts stay */
	assert_int_equal(metric(&r, "weir_redactions_total{vendor=\"mixpanel\",type=\"custom\"}"), 0);
	read_log(&r, &s);
	assert_int_equal(s.objects, 2);
	assert_non_null(strstr((char *)s.payload.data, "[CUSTOMER_NO], KD-123456"));
	assert_non_null(strstr((char *)s.payload.data, "[CUSTOMER_NO] again"));
	assert_null(strstr((char *)s.payload.data, "KD-123455"));
	buf_release(&s.payload);
	rig_stop(&r);
	rig_free(&r);
}

/* Reads until the next message; its verb.  Of a plan's answer *serial and *ok. */
static const char *next_verb(struct rig *r, uint64_t *serial, bool *ok)
{
	static char verb[32];
	struct message m;
	struct err err;
	struct pollfd f = {.fd = r->channel, .events = POLLIN};
	assert_int_equal(poll(&f, 1, 60000), 1);
	assert_int_equal(channel_receive(r->channel, &m, &err), 1);
	snprintf(verb, sizeof verb, "%s", m.verb);
	*serial = (uint64_t)json_integer_value(json_object_get(m.body, "serial"));
	*ok = json_is_true(json_object_get(m.body, "ok"));
	message_release(&m);
	return verb;
}

/* How many of these come before the plan of this serial is answered; whether it is obeyed. */
static unsigned before_the_answer(struct rig *r, const char *verb, uint64_t serial, bool *obeyed)
{
	unsigned n = 0;
	for (uint64_t got;;) {
		const char *v = next_verb(r, &got, obeyed);
		if (strcmp(v, "plan-done") == 0 && got == serial)
			return n;
		n += strcmp(v, verb) == 0;
	}
}

/* While new detectors are made ready the gate answers everything else, obeys what is announced since, and keeps the old plan. */
static void new_detectors_stop_nothing(void **state)
{
	(void)state;
	enum { ROWS = 1000, ASKED = 5 };
	struct rig r;
	struct buf own;
	bool ok;
	buf_init(&own, 0);
	buf_adds(&own, "weir: 1\ndetectors:\n");
	for (unsigned i = 0; i < ROWS; i++)
		buf_addf(&own, "  - {name: own_%u, pattern: 'K%03uD-[0-9]{6}(-[a-z]{2,9})?', examples: [K%03uD-123456]}\n", i, i, i);
	const struct plan_wish many = {.more = "detectors: [own]\n", .own = (char *)own.data};
	rig_make(&r);
	rig_start(&r);
	uint64_t serial = rig_plan_sent(&r, many);
	for (unsigned i = 0; i < ASKED; i++) {
		assert_int_equal(track(&r, EVENT("web-token", ",\"note\":\"K007D-123456\"")), 200);
		rig_send(&r, ROLE_STEWARD, "status", json_pack("{s:i}", "id", 3), NULL, 0);
	}
	assert_int_equal(before_the_answer(&r, "status-is", serial, &ok), ASKED);
	assert_true(ok);
	assert_int_equal(track(&r, EVENT("web-token", ",\"note\":\"K007D-123456\"")), 200);
	assert_int_equal(metric(&r, "weir_redactions_total{vendor=\"mixpanel\",type=\"own_7\"}"), 1);	/* the last only */
	/* others, and before they are ready the vendor is cut off: it stays so */
	buf_reset(&own);
	buf_adds(&own, "weir: 1\ndetectors:\n");
	for (unsigned i = 0; i < ROWS; i++)
		buf_addf(&own, "  - {name: own_%u, pattern: 'L%03uD-[0-9]{6}(-[a-z]{2,9})?', examples: [L%03uD-123456]}\n", i, i, i);
	serial = rig_plan_sent(&r, (struct plan_wish){.more = "detectors: [own]\n", .own = (char *)own.data});
	metric(&r, "");	/* it has been read: its file may change */
	uint64_t cut = rig_plan_sent(&r, (struct plan_wish){.flow = FLOW_SUSPENDED});
	assert_int_equal(before_the_answer(&r, "plan-done", cut, &ok), 0);
	assert_true(ok);
	assert_int_equal(track(&r, EVENT("web-token", "")), 403);
	before_the_answer(&r, "plan-done", serial, &ok);
	assert_false(ok);
	assert_int_equal(track(&r, EVENT("web-token", "")), 403);
	/* and one that can't be read: closed, whatever becomes ready later */
	assert_true(rig_plan(&r, (struct plan_wish){0}));
	serial = rig_plan_sent(&r, (struct plan_wish){.more = "detectors: [own]\n", .own = (char *)own.data});
	metric(&r, "");	/* it has been read: its file may change */
	assert_false(rig_plan(&r, (struct plan_wish){.forged = true}));
	before_the_answer(&r, "plan-done", serial, &ok);
	assert_false(ok);
	assert_int_equal(track(&r, EVENT("web-token", "")), 503);
	rig_stop(&r);
	rig_free(&r);
	buf_release(&own);
}

static void sources_are_matched_per_event(void **state)
{
	(void)state;
	struct rig r;
	struct seen s;
	rig_make(&r);
	rig_start(&r);
	assert_int_equal(track(&r, EVENT("other", ",\"plan\":\"zq-2\"")), 403);
	assert_int_equal(track(&r, "[" EVENT("other", ",\"plan\":\"zq-3\"") "," EVENT("web-token", ",\"plan\":\"mine\"") ","
				   EVENT("other", ",\"plan\":\"zq-4\"") "," EVENT("web-token", ",\"plan\":\"too\"") "]"), 200);
	assert_int_equal(track(&r, "{\"event\":\"signup\",\"properties\":{\"distinct_id\":\"a\"}}"), 403);
	read_log(&r, &s);
	assert_int_equal(s.objects, 2);
	assert_null(strstr((char *)s.payload.data, "zq-"));
	assert_non_null(strstr((char *)s.payload.data, "mine"));
	assert_non_null(strstr((char *)s.payload.data, "too"));
	buf_release(&s.payload);
	assert_int_equal(metric(&r, EVENTS("dropped", "unknown_source")), 4);
	rig_stop(&r);
	rig_free(&r);
}

static void states_have_their_answers(void **state)
{
	(void)state;
	static const struct {
		struct plan_wish wish;
		int status;
		const char *counted;
	} rows[] = {
		{{.flow = FLOW_SUSPENDED}, 403, EVENTS("refused", "suspended")},
		{{.unapproved = true}, 403, EVENTS("refused", "not_approved")},
		{{.flow = FLOW_RESTRICTED}, 403, EVENTS("refused", "restricted")},
		{{.flow = FLOW_RESTRICTED, .more = "restricted: {identity: daily, drop: [properties.note]}\n"}, 200, NULL},
		{{.not_after = 1000000000}, 403, EVENTS("refused", "expired")},
		{{.flow = FLOW_QUARANTINED}, -ECONNRESET, EVENTS("refused", "quarantined")},
		{{.flow = FLOW_OPEN}, 200, NULL},
	};
	struct rig r;
	rig_make(&r);
	rig_start(&r);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		unsigned before = frames(&r);
		assert_true(rig_plan(&r, rows[i].wish));
		assert_int_equal(track(&r, EVENT("web-token", "")), rows[i].status);
		assert_int_equal(frames(&r) - before, rows[i].status == 200);
		if (rows[i].counted)
			assert_int_equal(metric(&r, rows[i].counted), 1);
	}
	rig_stop(&r);
	rig_free(&r);
}

static void only_the_announced_plan_is_obeyed(void **state)
{
	(void)state;
	struct rig r;
	rig_make(&r);
	rig_start(&r);
	assert_int_equal(track(&r, EVENT("web-token", "")), 200);
	assert_false(rig_plan(&r, (struct plan_wish){.forged = true}));
	assert_int_equal(track(&r, EVENT("web-token", "")), 503);	/* closed, not the old one */
	assert_true(rig_plan(&r, (struct plan_wish){0}));
	assert_int_equal(track(&r, EVENT("web-token", "")), 200);
	r.serial = 1;	/* an older one, validly signed */
	assert_false(rig_plan(&r, (struct plan_wish){0}));
	assert_int_equal(track(&r, EVENT("web-token", "")), 503);
	crypt_random(r.plan_sk, 8);	/* another key's signature */
	sign_keypair(r.plan_pk, r.plan_sk);
	r.serial = 90;
	assert_false(rig_plan(&r, (struct plan_wish){0}));
	assert_int_equal(track(&r, EVENT("web-token", "")), 503);
	assert_int_equal(frames(&r), 2);
	rig_stop(&r);
	rig_free(&r);
}

static void waits_for_plans_and_secrets(void **state)
{
	(void)state;
	struct rig r;
	rig_make(&r);
	rig_fork(&r);
	int fd = dial(&r);	/* queued by the kernel until the plans have come */
	static const char get[] = "GET /nobody/track HTTP/1.1\r\nHost: x\r\n\r\n";
	assert_int_equal(send(fd, get, sizeof(get) - 1, 0), sizeof(get) - 1);
	assert_true(rig_plan(&r, (struct plan_wish){0}));
	rig_plans_end(&r);
	struct answer a;
	receive(fd, &a);
	assert_int_equal(a.status, 404);
	close(fd);
	assert_int_equal(track(&r, EVENT("web-token", "")), 503);	/* its tokens didn't resolve */
	rig_secrets(&r, "mixpanel");
	for (int i = 0; i < 100 && track(&r, EVENT("web-token", "")) != 200; i++)
		usleep(10000);
	assert_int_equal(track(&r, EVENT("web-token", "")), 200);
	rig_stop(&r);
	rig_free(&r);
}

static void routes(void **state)
{
	(void)state;
	struct rig r;
	rig_make(&r);
	r.host = true;
	rig_start(&r);
	static const struct {
		const char *method, *path, *fields, *body;
		int status;
	} rows[] = {
		{"POST", "/nobody/track", "", EVENT("web-token", ""), 404},
		{"POST", "/", "", "", 404},
		{"POST", "/mixpanel", "", "", 404},
		{"POST", "/mixpanelx/track", "", EVENT("web-token", ""), 404},
		{"POST", "/mixpanel/nothing", "", EVENT("web-token", ""), 404},
		{"PUT", "/mixpanel/track", "", EVENT("web-token", ""), 404},
		{"POST", "/mixpanel/track/", "", EVENT("web-token", ""), 200},
		{"POST", "/track", "Host: MP.example.com:7080\r\n", EVENT("web-token", ""), 200},
		{"POST", "/mixpanel/track", "Host: mp.example.com\r\n", EVENT("web-token", ""), 404},
		{"POST", "/mixpanel/record", "", "x", 403},
		{"GET", "/mixpanel/settings?token=x", "", "", 200},
		{"POST", "/mixpanel/track", "", "", 400},
		{"POST", "/mixpanel/track", "", "{\"event\":", 400},
		{"POST", "/mixpanel/track", "", "42", 400},
		{"GET", "/mixpanel/track?data=eyJldmVudCI6InNpZ251cCIsInByb3BlcnRpZXMiOnsidG9rZW4iOiJ3ZWItdG9rZW4ifX0=", "", "", 200},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct answer a = ask(&r, rows[i].method, rows[i].path, rows[i].fields, rows[i].body);
		if (a.status != rows[i].status)
			fail_msg("%s %s: %d, want %d: %s", rows[i].method, rows[i].path, a.status, rows[i].status, a.body);
	}
	assert_int_equal(frames(&r), 3);
	char *big = xmalloc((2 << 20) + 1);
	memset(big, ' ', 2 << 20);
	big[2 << 20] = 0;
	assert_int_equal(track(&r, big), 413);
	struct buf b;
	buf_init(&b, 0);
	buf_adds(&b, "[{\"event\":\"signup\",\"properties\":{\"x\":");	/* one that no smaller batch would mend */
	for (int i = 0; i < 200; i++)
		buf_addc(&b, '[');
	assert_int_equal(track(&r, (char *)b.data), 400);
	buf_reset(&b);
	for (int i = 0; i < 20001; i++)	/* and many that it would */
		buf_adds(&b, i ? ",{}" : "[{}");
	buf_addc(&b, ']');
	assert_int_equal(track(&r, (char *)b.data), 413);
	buf_release(&b);
	free(big);
	rig_stop(&r);
	rig_free(&r);
}

static void browsers_may_send_credentials(void **state)
{
	(void)state;
	struct rig r;
	rig_make(&r);
	rig_start(&r);
	struct answer a = ask(&r, "OPTIONS", "/mixpanel/track/?verbose=1",
			      "Origin: https://shop.example.com\r\nAccess-Control-Request-Method: POST\r\n"
			      "Access-Control-Request-Headers: x-custom, content-type\r\n", "");
	assert_int_equal(a.status, 204);
	assert_non_null(strstr(a.head, "Access-Control-Allow-Origin: https://shop.example.com\r\n"));
	assert_non_null(strstr(a.head, "Access-Control-Allow-Credentials: true\r\n"));
	assert_non_null(strstr(a.head, "Access-Control-Allow-Headers: x-custom, content-type\r\n"));
	assert_non_null(strstr(a.head, "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"));
	assert_non_null(strstr(a.head, "Vary: Origin\r\n"));
	a = ask(&r, "POST", "/mixpanel/track", "Origin: https://shop.example.com\r\n", EVENT("web-token", ""));
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.head, "Access-Control-Allow-Origin: https://shop.example.com\r\n"));
	a = ask(&r, "POST", "/mixpanel/track", "", EVENT("web-token", ""));
	assert_null(strstr(a.head, "Access-Control"));
	rig_stop(&r);
	rig_free(&r);
}

static void back_pressure_is_told(void **state)
{
	(void)state;
	struct rig r;
	rig_make(&r);
	rig_start(&r);
	courier_mark_set_full(r.courier, shared_vendor_hash("mixpanel"), true);
	struct answer a = ask(&r, "POST", "/mixpanel/track", "", EVENT("web-token", ""));
	assert_int_equal(a.status, 503);
	assert_non_null(strstr(a.head, "Retry-After: "));
	courier_mark_set_full(r.courier, shared_vendor_hash("mixpanel"), false);
	assert_int_equal(track(&r, EVENT("web-token", "")), 200);
	assert_int_equal(metric(&r, EVENTS("retry", "quota")), 1);
	rig_stop(&r);
	r.reserve_bytes = INT64_MAX / 2;	/* as good as a full disk */
	rig_start(&r);
	assert_int_equal(track(&r, EVENT("web-token", "")), 503);
	assert_int_equal(metric(&r, EVENTS("retry", "disk")), 1);
	assert_int_equal(frames(&r), 1);
	rig_stop(&r);
	rig_free(&r);
}

static unsigned segments(const struct rig *r)
{
	char cmd[128];
	unsigned n = 0;
	snprintf(cmd, sizeof(cmd), "ls %s/log | wc -l", r->dir);
	FILE *f = popen(cmd, "r");
	assert_int_equal(fscanf(f, "%u", &n), 1);
	pclose(f);
	return n;
}

/* I5: what courier and keeper have passed goes when its segment rolls, with the key that opened it. */
static void passed_segments_go(void **state)
{
	(void)state;
	struct rig r;
	struct seen s;
	rig_make(&r);
	r.segment_seconds = 1;
	rig_start(&r);
	assert_int_equal(track(&r, EVENT("web-token", ",\"plan\":\"first\"")), 200);
	sleep(2);
	assert_int_equal(frames(&r), 1);
	assert_int_equal(track(&r, EVENT("web-token", ",\"plan\":\"second\"")), 200);
	atomic_store(&r.courier->passed, atomic_load(&r.mark->durable));
	sleep(2);
	assert_int_equal(frames(&r), 2);	/* the keeper hasn't */
	atomic_store(&r.keeper->passed, atomic_load(&r.mark->durable));
	for (int i = 0; i < 200 && segments(&r) > 1; i++)
		usleep(20000);
	assert_int_equal(segments(&r), 1);
	assert_int_equal(track(&r, EVENT("web-token", ",\"plan\":\"third\"")), 200);
	struct log_reader *in;
	struct err err;
	assert_int_equal(log_reader_open(&fio_os, r.log_dir, r.mark, atomic_load(&r.keeper->passed), &in, &err), 0);
	log_reader_close(&in);
	read_log(&r, &s);
	assert_non_null(strstr((char *)s.payload.data, "third"));
	assert_null(strstr((char *)s.payload.data, "first"));
	assert_null(strstr((char *)s.payload.data, "second"));
	buf_release(&s.payload);
	rig_stop(&r);
	rig_free(&r);
}

/* I3: a log that was removed, or put back from an old copy, begins behind what its readers passed: they'd pass over it. */
static void lost_log_begins_behind_its_readers(void **state)
{
	(void)state;
	struct rig r;
	struct log_reader *in;
	struct log_frame f;
	struct err err;
	int got;
	rig_make(&r);
	atomic_store(&r.courier->passed, 500);
	atomic_store(&r.keeper->passed, 499);
	rig_start(&r);
	assert_int_equal(track(&r, EVENT("web-token", ",\"plan\":\"new\"")), 200);
	assert_int_equal(log_reader_open(&fio_os, r.log_dir, r.mark, 500, &in, &err), 0);
	while ((got = log_read(in, &f, &err)) == 1 && f.type != LOG_REQUEST)
		;
	assert_int_equal(got, 1);
	assert_true(f.seq > 500);
	log_reader_close(&in);
	rig_stop(&r);
	rig_free(&r);
}

struct load {
	struct rig *r;
	unsigned number, acknowledged;
	pthread_t thread;
	_Atomic bool *end;
};

static void *load_run(void *arg)
{
	struct load *l = arg;
	int fd = -1;
	while (!*l->end) {
		char request[512], body[256], in[1024];
		if (fd < 0)
			fd = dial(l->r);
		int n = snprintf(body, sizeof(body), EVENT("web-token", ",\"plan\":\"%u-%u\""), l->number, l->acknowledged);
		n = snprintf(request, sizeof(request), "POST /mixpanel/track HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", n, body);
		ssize_t k = send(fd, request, (size_t)n, MSG_NOSIGNAL) == n ? recv(fd, in, sizeof(in) - 1, 0) : -1;
		if (k > 12 && memcmp(in + 9, "200", 3) == 0) {
			l->acknowledged++;
			continue;
		}
		close(fd);
		fd = -1;
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* Where the threads meet: plans, tokens and figures change hands while two loops and the committer work. */
static void parts_change_under_load(void **state)
{
	(void)state;
	enum { CLIENTS = 4, ROUNDS = 40 };
	struct rig r;
	struct load l[CLIENTS];
	_Atomic bool end = false;
	rig_make(&r);
	r.loops = 2;
	rig_start(&r);
	for (unsigned i = 0; i < CLIENTS; i++) {
		l[i] = (struct load){.r = &r, .number = i, .end = &end};
		pthread_create(&l[i].thread, NULL, load_run, &l[i]);
	}
	for (int k = 0; k < ROUNDS; k++) {
		usleep(10000);
		assert_true(rig_plan(&r, (struct plan_wish){.flow = k % 8 == 7 ? FLOW_SUSPENDED : FLOW_OPEN}));
		rig_secrets(&r, "mixpanel");
		rig_send(&r, ROLE_STEWARD, "metrics", json_pack("{s:i}", "id", k), NULL, 0);
		json_decref(rig_expect(&r, "metrics-text"));
		rig_send(&r, ROLE_STEWARD, "status", json_pack("{s:i}", "id", k), NULL, 0);
		json_decref(rig_expect(&r, "status-is"));
	}
	end = true;
	for (unsigned i = 0; i < CLIENTS; i++) {
		pthread_join(l[i].thread, NULL);
		assert_true(l[i].acknowledged > 5);
	}
	rig_stop(&r);
	rig_free(&r);
}

#ifndef __SANITIZE_THREAD__
/* I3: kill -9 under load; every acknowledged event is in the log that the next gate opens. */
static void acknowledged_survives_kills(void **state)
{
	(void)state;
	enum { CLIENTS = 8, KILLS = 6 };
	struct rig r;
	struct seen s;
	struct load l[CLIENTS];
	_Atomic bool end = false;
	rig_make(&r);
	r.loops = 2;
	rig_start(&r);
	for (unsigned i = 0; i < CLIENTS; i++) {
		l[i] = (struct load){.r = &r, .number = i, .end = &end};
		pthread_create(&l[i].thread, NULL, load_run, &l[i]);
	}
	for (int k = 0; k < KILLS; k++) {
		usleep(150000);
		rig_kill(&r);
		rig_start(&r);
	}
	usleep(100000);
	end = true;
	for (unsigned i = 0; i < CLIENTS; i++)
		pthread_join(l[i].thread, NULL);
	rig_stop(&r);
	read_log(&r, &s);
	for (unsigned i = 0; i < CLIENTS; i++) {
		assert_true(l[i].acknowledged > 10);
		for (unsigned k = 0; k < l[i].acknowledged; k++) {
			char want[64];
			snprintf(want, sizeof(want), "\"plan\":\"%u-%u\"", i, k);
			if (!memmem(s.payload.data, s.payload.len, want, strlen(want)))
				fail_msg("acknowledged and lost: %s", want);
		}
	}
	buf_release(&s.payload);
	rig_free(&r);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acknowledged_is_durable_and_minimised),
		cmocka_unit_test(links_are_recorded), cmocka_unit_test(fields_are_counted_by_source_and_category),
		cmocka_unit_test(dropped_is_success_without_a_frame),
		cmocka_unit_test(sources_are_matched_per_event), cmocka_unit_test(hits_stop_what_the_contract_says), cmocka_unit_test(own_detectors_are_the_plans), cmocka_unit_test(new_detectors_stop_nothing),
		cmocka_unit_test(states_have_their_answers),
		cmocka_unit_test(only_the_announced_plan_is_obeyed),
		cmocka_unit_test(waits_for_plans_and_secrets),
		cmocka_unit_test(routes),
		cmocka_unit_test(browsers_may_send_credentials),
		cmocka_unit_test(back_pressure_is_told),
		cmocka_unit_test(passed_segments_go), cmocka_unit_test(lost_log_begins_behind_its_readers),
		cmocka_unit_test(parts_change_under_load),
#ifndef __SANITIZE_THREAD__	/* it forks from a process with threads, which the sanitizer can't follow */
		cmocka_unit_test(acknowledged_survives_kills),
#endif
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
