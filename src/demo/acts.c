/* The acts: traffic, breach, counts, papers; letters.c has the last. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "demo/act.h"

enum { FLOW_SECONDS = 10, ARRIVE_MS = 30000, AFTER_MS = 3000 };

static uint64_t get(const _Atomic uint64_t *v)
{
	return atomic_load(v);
}

/* ---- traffic ---------------------------------------------------------------------------------------------------- */

static void cut(const struct demo *d, const char *name, const char *text, size_t n)
{
	enum { SHOWN = 520 };
	say_line(d, PLAIN, "  %s  %.*s%s", name, (int)(n < SHOWN ? n : SHOWN), text, n > SHOWN ? "…" : "");
}

/* One event as the SDK sends it, and what `weir filter` leaves of it. */
static int show_one(struct demo *d, struct err *err)
{
	struct person p;
	struct buf b;
	struct run r;
	char *contract = xasprintf("%s/contracts/analytics.yaml", d->dir);
	person_make(0, &p);
	buf_init(&b, 0);
	person_events(&p, clock_now(), &b);
	char *second = strstr((char *)b.data, "},{") + 2;	/* the one with words of their own */
	size_t n = b.len - (size_t)(second - (char *)b.data) - 1;
	second[n] = 0;
	say_line(d, PLAIN, "%s", "A chat product's SDK sends what it is told to, and more than anybody remembers:");
	cut(d, "in ", second, n);
	rest_ms(d, 2500);
	const char *args[] = {"filter", "-c", contract, NULL};
	int rc = do_weir(d, args, second, false, &r, err);
	if (rc == 0) {
		say_line(d, PLAIN, "%s", "The contract names what the vendor may have. What leaves:");
		cut(d, "out", r.out, strcspn(r.out, "\n"));
		run_release(&r);
		rest_ms(d, 3000);
	}
	buf_release(&b);
	free(contract);
	return rc;
}

static void progress(const struct demo *d, bool last)
{
	char a[FIGURE_MAX], b[FIGURE_MAX], c[FIGURE_MAX], e[FIGURE_MAX];
	if (d->o->json || (!last && (d->o->headless || !d->o->terminal)))
		return;
	printf("%s  %s people · %s objects sent, %s e-mail addresses in them · at the vendor: %s objects, %s addresses ",
	       !d->o->terminal || d->o->headless ? "" : d->o->colour ? "\r\033[K" : "\r", figure(atomic_load(&d->sender.done), a), figure((int64_t)get(&d->sender.sent.n[SEEN_OBJECTS]), b),
	       figure((int64_t)get(&d->sender.sent.n[SEEN_EMAIL]), c), figure((int64_t)get(&d->vendor.seen->n[SEEN_OBJECTS]), e),
	       get(&d->vendor.seen->n[SEEN_EMAIL]) ? "SOME" : "0");
	if (last)
		putchar('\n');
	fflush(stdout);
}

static void compare(const struct demo *d, const char *name, enum seen what, json_t *sent, json_t *arrived)
{
	char a[FIGURE_MAX], b[FIGURE_MAX];
	uint64_t in = get(&d->sender.sent.n[what]), out = get(&d->vendor.seen->n[what]);
	say_line(d, out ? PLAIN : GREEN, "  %-24s %12s %12s", name, figure((int64_t)in, a), figure((int64_t)out, b));
	json_object_set_new(sent, name, json_integer((json_int_t)in));
	json_object_set_new(arrived, name, json_integer((json_int_t)out));
}

static void compare_all(struct demo *d)
{
	json_t *sent = json_object(), *arrived = json_object();
	say_line(d, DIM, "  %-24s %12s %12s", "counted in the bytes", "SDKs sent", "vendor got");
	compare(d, "objects", SEEN_OBJECTS, sent, arrived);
	compare(d, "e-mail addresses", SEEN_EMAIL, sent, arrived);
	compare(d, "names", SEEN_NAME, sent, arrived);
	compare(d, "cities", SEEN_CITY, sent, arrived);
	compare(d, "organisations", SEEN_ORGANISATION, sent, arrived);
	compare(d, "texts (redacted)", SEEN_TEXT, sent, arrived);
	json_object_set_new(d->figures, "sent", sent);
	json_object_set_new(d->figures, "arrived", arrived);
	rest_ms(d, 3500);
}

int act_traffic(struct demo *d, struct err *err)
{
	struct sender *s = &d->sender;
	say_act(d, "An ordinary day");
	if (show_one(d, err) < 0)
		return -1;
	s->host = d->host;
	s->port = d->port;
	s->people = d->o->people;
	s->people_per_s = d->o->headless ? 0 : (double)d->o->people / FLOW_SECONDS;
	int64_t began = clock_mono_ms();
	if (sender_start(s, err) < 0)
		return -1;
	while (atomic_load(&s->finished) < SENDERS && !demo_interrupted()) {
		progress(d, false);
		wait_ms(100);
	}
	d->expected = get(&s->sent.n[SEEN_OBJECTS]);
	for (int64_t until = clock_mono_ms() + ARRIVE_MS; clock_mono_ms() < until && !demo_interrupted(); wait_ms(20)) {
		progress(d, false);
		if (get(&d->vendor.seen->n[SEEN_OBJECTS]) >= d->expected)
			break;
	}
	int64_t ms = clock_mono_ms() - began;
	d->arrived = get(&d->vendor.seen->n[SEEN_OBJECTS]);
	progress(d, true);
	json_object_set_new(d->figures, "people", json_integer(atomic_load(&s->done)));
	json_object_set_new(d->figures, "events", json_integer((json_int_t)d->expected));
	json_object_set_new(d->figures, "flow_seconds", json_real((double)ms / 1000));
	compare_all(d);
	return 0;
}

/* ---- breach ----------------------------------------------------------------------------------------------------- */

static const char letter[] =
	"From: security@analytics.example\nSubject: Security incident\n\n"
	"We detected unauthorised access to part of our systems. The attacker exported a data set with limited customer\n"
	"identifiable information and analytics information of your users. We are still investigating its extent.\n";

static void tell_letter(struct demo *d)
{
	say_act(d, "The vendor writes");
	if (d->o->json)
		return;
	for (const char *at = letter, *end; (end = strchr(at, '\n')); at = end + 1)
		say_line(d, PLAIN, "  │ %.*s", (int)(end - at), at);
	rest_ms(d, 3500);
}

/* Bytes at the vendor from the moment the command returned, while the product goes on sending. */
static void measure_after(struct demo *d)
{
	uint64_t bytes = get(&d->vendor.seen->bytes), refused = get(&d->sender.later_refused);
	wait_ms(AFTER_MS);
	d->bytes_after = get(&d->vendor.seen->bytes) - bytes;
	d->refused_after = get(&d->sender.later_refused) - refused;
}

int act_breach(struct demo *d, struct err *err)
{
	struct run r;
	char a[FIGURE_MAX], b[FIGURE_MAX], today[21];
	tell_letter(d);
	atomic_store(&d->sender.go, true);	/* the product doesn't know and goes on */
	wait_ms(500);
	clock_format(clock_now(), today);
	today[10] = 0;
	int64_t began = clock_mono_us();
	const char *args[] = {"incident", "open", "--vendor", "analytics", "--until", today, "--why", "the vendor's message: a data set was exported", "--json", NULL};
	if (do_weir(d, args, NULL, true, &r, err) < 0)
		return -1;
	int64_t us = clock_mono_us() - began;
	d->incident = json_integer_value(json_object_get(r.json, "id"));
	measure_after(d);
	bool cut_off = json_is_true(json_object_get(r.json, "cut_off"));
	say_line(d, cut_off ? GREEN : RED, "  %s after %.0f ms. In the next %d seconds, with the product still sending:", cut_off ? "Cut off" : "NOT cut off",
		 (double)us / 1000, AFTER_MS / 1000);
	say_line(d, d->bytes_after ? RED : GREEN, "  %s bytes reached the vendor; %s requests were turned away.", figure((int64_t)d->bytes_after, a),
		 figure((int64_t)d->refused_after, b));
	json_object_set_new(d->figures, "cut_off_ms", json_real((double)us / 1000));
	json_object_set_new(d->figures, "bytes_after_cut_off", json_integer((json_int_t)d->bytes_after));
	json_object_set_new(d->figures, "refused_after_cut_off", json_integer((json_int_t)d->refused_after));
	json_object_set(d->figures, "incident", json_object_get(r.json, "id"));
	const json_t *counts = json_object_get(json_object_get(r.json, "scope"), "counts");
	json_object_set_new(d->figures, "scope", counts ? json_deep_copy(counts) : json_null());
	run_release(&r);
	sender_stop(&d->sender);
	rest_ms(d, 2500);
	return 0;
}

/* ---- counts ----------------------------------------------------------------------------------------------------- */

static int64_t people_with(const json_t *counts, const char *category)
{
	size_t i;
	const json_t *row;
	json_array_foreach(json_object_get(counts, "categories"), i, row)
		if (strcmp(json_string_value(json_object_get(row, "category")), category) == 0)
			return json_integer_value(json_object_get(row, "people"));
	return 0;
}

int act_count(struct demo *d, struct err *err)
{
	char a[FIGURE_MAX], b[FIGURE_MAX];
	const json_t *counts = json_object_get(d->figures, "scope");
	(void)err;
	say_act(d, "Who is affected?");
	int64_t without = atomic_load(&d->sender.done);
	json_object_set_new(d->figures, "affected_without_contract", json_integer(without));
	if (!json_is_object(counts)) {
		say_line(d, DIM, "  The ledger didn't count.");
		json_object_set_new(d->figures, "affected_with_contract", json_null());
		return 0;
	}
	d->counted = json_integer_value(json_object_get(counts, "people"));
	d->affected = people_with(counts, "user.content");
	json_object_set_new(d->figures, "people_at_vendor", json_integer(d->counted));
	json_object_set_new(d->figures, "affected_with_contract", json_integer(d->affected));
	say_line(d, DIM, "  %-46s %10s %10s", "people whose data set the vendor lost", "direct", "with Weir");
	say_line(d, PLAIN, "  %-46s %10s %10s", "name, e-mail address, city, organisation", figure(without, a), "0");
	say_line(d, PLAIN, "  %-46s %10s %10s", "words of their own", figure(d->affected, a), figure(d->affected, b));
	say_line(d, PLAIN, "  %-46s %10s %10s", "usage under a pseudonym that only Weir can read", "-", figure(d->counted, b));
	say_line(d, GREEN, "  To be told: %s people instead of %s. The addresses in their words had been redacted.", figure(d->affected, a), figure(without, b));
	rest_ms(d, 4000);
	return 0;
}

/* ---- papers ----------------------------------------------------------------------------------------------------- */

static void clock_line(const struct demo *d, const json_t *c)
{
	const char *law = json_string_value(json_object_get(c, "law")), *due = json_string_value(json_object_get(c, "due"));
	int short_name = (int)(strstr(law, " (") ? strstr(law, " (") - law : (ptrdiff_t)strlen(law));
	char date[64];
	struct tm t;
	int64_t at;
	if (!due || !clock_parse(due, strlen(due), &at) || !gmtime_r(&(time_t){(time_t)at}, &t) || !strftime(date, sizeof date, "%e %B %Y, %H:%M UTC", &t))
		return;
	say_line(d, PLAIN, "  %-20.*s %-24s by %s%s", short_name, law, json_string_value(json_object_get(c, "article")), date,
		 json_is_true(json_object_get(c, "verified")) ? "" : "  (nobody checked this rule)");
}

static void clocks(struct demo *d, const json_t *incident)
{
	enum { SHOWN = 5 };
	size_t i, n = 0;
	const json_t *c;
	json_array_foreach(json_object_get(incident, "clocks"), i, c)
		if (strcmp(json_string_value(json_object_get(c, "state")), "running") == 0 && n++ < SHOWN)
			clock_line(d, c);
	if (n > SHOWN)
		say_line(d, DIM, "  and %zu more", n - SHOWN);
	json_object_set_new(d->figures, "clocks_running", json_integer((json_int_t)n));
}

int act_papers(struct demo *d, struct err *err)
{
	char id[24], now[21];
	struct run r;
	char *path = xasprintf("%s/message.txt", d->top);
	snprintf(id, sizeof id, "%" PRId64, d->incident);
	clock_format(clock_now(), now);
	say_act(d, "The clocks run");
	int rc = write_text(path, letter, sizeof letter - 1, err);
	if (rc == 0)
		rc = do_quietly(d, (const char *const[]){"incident", "message", id, "--from", "security@analytics.example", "--file", path, NULL}, NULL, err);
	free(path);
	if (rc < 0)
		return -1;
	const char *aware[] = {"incident", "aware", id, "--at", now, "--why", "the vendor's message was read", NULL};
	if (do_weir(d, aware, NULL, true, &r, err) < 0)
		return -1;
	run_release(&r);
	if (do_weir(d, (const char *const[]){"incident", "show", id, "--json", NULL}, NULL, false, &r, err) < 0)
		return -1;
	clocks(d, r.json);
	run_release(&r);
	rest_ms(d, 3000);
	return 0;
}
