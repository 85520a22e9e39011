#include "steward/office.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/keys.h"
#include "keeper/control.h"
#include "keeper/keeper.h"
#include "ledger/ledger.h"
#include "steward/desk.h"

struct office {
	struct registry *registry;
	struct keeper_books books;
	char who[WHO_MAX + 1];
};

/* A decision under way; everything that must be released stands in one place. */
struct taking {
	struct decided x;
	struct plan_file now, then;
	bool has_now, has_then;
	struct contract *proposed;
	struct buf bytes;
};

static void taking_release(struct taking *t)
{
	if (t->has_now)
		plan_file_release(&t->now);
	if (t->has_then)
		plan_file_release(&t->then);
	contract_free(&t->proposed);
	buf_release(&t->bytes);
}

static int ask(struct office *o, struct decision *d, struct taking *t, enum flow *others, struct err *err)
{
	uint8_t digest[32];
	json_t *q = decision_question(d);
	json_t *a = desk_contract_get(o->registry, q, clock_now());
	json_decref(q);
	int r = control_check(a, err);
	const json_t *json = json_object_get(a, "json");
	const char *hex = json_string_value(json_object_get(a, "digest"));
	*others = decision_learn(d, a);
	if (r == 0 && d->kind == DECIDE_APPROVE)
		r = hex && hex_decode(hex, strlen(hex), digest, 32)
			    ? keeper_contract(json_string_value(json), json_string_length(json), digest, d->vendor, d->version, &t->proposed, err)
			    : err_set(err, ERR_BUG, "the registry's answer holds no contract");
	json_decref(a);
	return r;
}

static int load(struct office *o, const struct decision *d, struct taking *t, struct err *err)
{
	int got = keeper_load_for(&o->books, d, &t->now, err);
	t->has_now = got == 1;
	return got < 0 ? -1 : 0;
}

/* d's plan: behind load. */
static int take(struct office *o, struct decision *d, struct taking *t, struct err *err)
{
	enum flow others = FLOW_OPEN;
	const struct plan_file *now = t->has_now ? &t->now : NULL;
	bool first = keeper_asks_first(d, now);
	if (first && ask(o, d, t, &others, err) < 0)
		return -1;
	if (keeper_next(&o->books, d, now, others, &t->proposed, &t->then, err) < 0)
		return -1;
	t->has_then = true;
	keeper_sign(&o->books, &t->then, &t->bytes);
	keeper_decided(d, &t->then, &t->x);
	if (first && registry_record(o->registry, &t->x, NULL, err) < 0)
		return -1;
	if (keeper_write(&o->books, &t->then, &t->bytes, err) < 0)
		return -1;
	return first ? 0 : registry_record(o->registry, &t->x, NULL, err);
}

/* As the keeper's job: what is done first is recorded right after. */
static int drop(struct office *o, const char *dir, const struct decision *d, struct taking *t, struct err *err)
{
	if (keeper_check_drop(d, t->has_now ? &t->now : NULL, err) < 0)
		return -1;
	keeper_decided(d, &t->now, &t->x);
	t->x.serial = 0;	/* no plan changes */
	if (office_queue_drop(dir, &t->x, err) < 0)
		return -1;
	return registry_record(o->registry, &t->x, NULL, err);
}

static json_t *status(const char *dir)
{
	struct err err;
	json_t *queues;
	if (office_queues(dir, &queues, &err) < 0)
		return control_refusal(&err);
	return json_pack("{s:b, s:{s:{s:o}}}", "ok", 1, "processes", "courier", "queues", queues);
}

static json_t *decide(struct office *o, const char *dir, const json_t *request)
{
	struct err err;
	struct decision d;
	struct taking t = {0};
	buf_init(&t.bytes, 0);
	int r = decision_parse(request, &d, &err);
	memcpy(d.who, o->who, sizeof d.who);
	d.at = clock_now();
	if (r == 0)
		r = load(o, &d, &t, &err);
	if (r == 0)
		r = d.kind == DECIDE_DROP ? drop(o, dir, &d, &t, &err) : take(o, &d, &t, &err);
	json_t *answer = r == 0 ? decided_to_json(&t.x) : control_refusal(&err);
	if (r == 0)
		json_object_set_new(answer, "ok", json_true());
	taking_release(&t);
	return answer;
}

static int open_keys(const char *dir, struct keeper_books *b, struct err *err)
{
	char *path = xasprintf("%s/keys", dir);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? err_sys(err, "%s", path) : 0;
	if (r == 0)
		r = key_file_read(fd, KEY_SIGNING_PUBLIC, b->public_key, err);
	if (r == 0)
		r = key_file_read(fd, KEY_SIGNING_SECRET, b->secret, err);
	if (fd >= 0)
		close(fd);
	free(path);
	return r;
}

static int open_office(const char *dir, struct office *o, struct err *err)
{
	char *db = xasprintf("%s/state/registry.db", dir), *plans = xasprintf("%s/state/plan", dir);
	struct users *u = users_load();
	*o = (struct office){.books = {.io = &fio_os}};
	users_name(u, getuid(), o->who, sizeof o->who);
	users_free(&u);
	o->books.plans = open(plans, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = o->books.plans < 0 ? err_sys(err, "%s", plans) : crypt_init(err);
	if (r == 0)
		r = open_keys(dir, &o->books, err);
	if (r == 0)
		r = registry_open(db, &o->registry, err);
	if (r == 0)
		desk_rules(o->registry, dir, clock_now());
	free(db);
	free(plans);
	return r;
}

static void close_office(struct office *o)
{
	registry_close(&o->registry);
	if (o->books.plans >= 0)
		close(o->books.plans);
	crypt_wipe(&o->books, sizeof o->books);
}

/* The plan follows what is asked now; the registry learns its flow. */
static int refresh(struct office *o, const char *vendor, struct err *err)
{
	struct taking t = {0};
	struct decision d;
	enum flow others;
	keeper_refresh(vendor, clock_now(), &d);
	buf_init(&t.bytes, 0);
	int r = load(o, &d, &t, err);
	if (r == 0 && t.has_now && t.now.approved)
		r = ask(o, &d, &t, &others, err);
	if (r == 0 && t.has_now && t.now.approved) {
		enum flow want = t.now.person > others ? t.now.person : others;
		r = want == t.now.flow ? registry_plan_flow(o->registry, vendor, want, err) : take(o, &d, &t, err);
	}
	taking_release(&t);
	return r;
}

/* As steward_answer_after, here and now. */
static void follow(struct office *o, json_t *answer)
{
	struct err err;
	json_t *vendors = json_incref(json_object_get(answer, "refresh"));
	json_object_del(answer, "refresh");
	for (size_t i = 0; i < json_array_size(vendors); i++)
		if (refresh(o, json_string_value(json_array_get(vendors, i)), &err) < 0) {
			json_t *no = control_refusal(&err);
			json_object_update(answer, no);
			json_decref(no);
			break;
		}
	json_decref(vendors);
}

/* What a decision moved elsewhere. */
static void settle(struct office *o, json_t *answer)
{
	json_t *vendors = json_array();
	desk_tick(o->registry, clock_now(), vendors);
	json_object_set_new(answer, "refresh", vendors);
	follow(o, answer);
}

static int ask_ledger(const char *dir, const json_t *questions, const char *who, json_t *said, struct err *err)
{
	struct office_ledger *l;
	int r = 0;
	if (office_ledger_open(dir, &l, err) < 0)
		return -1;
	for (size_t i = 0; r == 0 && i < json_array_size(questions); i++) {
		json_t *a = office_ledger_do(l, json_array_get(questions, i), who);
		r = control_check(a, err);
		json_array_append_new(said, a);
	}
	office_ledger_close(&l);
	return r;
}

static json_t *ledger_word_do(const char *dir, const json_t *request, const char *who)
{
	struct office_ledger *l;
	struct err err;
	if (office_ledger_open(dir, &l, &err) < 0)
		return control_refusal(&err);
	json_t *answer = office_ledger_do(l, request, who);
	office_ledger_close(&l);
	return answer;
}

/* As steward_answer_count, here and now: the ledger is opened beside us. */
static void count(struct office *o, const char *dir, json_t *answer)
{
	json_t *questions, *then;
	if (!answer_continues(answer, &questions, &then))
		return;
	struct err err;
	json_t *said = json_array();
	if (ask_ledger(dir, questions, o->who, said, &err) < 0) {
		json_object_set_new(answer, "uncounted", json_string(err.msg));
	} else {
		json_object_set(then, "ledger", said);
		answer_merge(answer, desk_do(o->registry, then, o->who, clock_now()));
	}
	json_decref(said);
	json_decref(questions);
	json_decref(then);
}

/* As truth_vendors: nobody takes events now. */
static void truth_stopped(json_t *answer)
{
	json_t *one = json_object_get(answer, "vendor"), *v;
	size_t i;
	json_array_foreach(json_object_get(answer, "vendors"), i, v)
		json_object_set_new(v, "gate", json_string("stopped"));
	if (json_is_object(one))
		json_object_set_new(one, "gate", json_string("stopped"));
}

static json_t *desk(struct office *o, const char *dir, const json_t *request)
{
	json_t *clean = json_copy((json_t *)(uintptr_t)request);
	json_object_del(clean, "ledger");	/* as control.c */
	json_t *answer = desk_do(o->registry, clean, o->who, clock_now());
	json_decref(clean);
	follow(o, answer);
	count(o, dir, answer);
	truth_stopped(answer);
	return answer;
}

json_t *office_do(const char *dir, const json_t *request)
{
	struct office o;
	struct err err;
	json_t *answer;
	const char *word = json_string_value(json_object_get(request, "do"));
	bool writes;
	if (open_office(dir, &o, &err) < 0)
		answer = control_refusal(&err);
	else if (word && strcmp(word, "status") == 0)
		answer = status(dir);
	else if (word && decision_kind_of(word) >= 0)
		settle(&o, answer = decide(&o, dir, request));
	else if (word && ledger_word(word, &writes))
		answer = ledger_word_do(dir, request, o.who);
	else
		answer = desk(&o, dir, request);
	close_office(&o);
	return answer;
}
