#include "keeper/notary.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "crypt/crypt.h"
#include "keeper/decision.h"

enum { BATCH_FRAMES = 65536, LEAF_MAX = 1024, KIND_MAX = 40, DAY_SECONDS = 86400 };

struct notary {
	struct notary_place place;
	struct tlog *log;
	struct log_reader *reader;	/* of open/, behind the last batch; NULL: to be opened */
	uint64_t batched;		/* its last number */
	uint64_t days;			/* day files that have a leaf */
	uint64_t people;		/* decisions about them that have one */
	uint64_t erasures;		/* of ledger_stats, when days were last compared */
	bool dict_due;			/* what was said of the dictionary no longer holds: somebody was erased since */
	uint64_t event;			/* the highest number of an event in the log */
};

void notary_key(const uint8_t public_key[static 32], struct tlog_key *out)
{
	uint8_t sha[32];
	char name[32] = "weir-log/";
	struct err err;
	crypt_sha256(public_key, 32, sha);
	hex_encode(sha, 8, name + strlen(name));
	must(tlog_key_make(name, TLOG_ED25519, public_key, out, &err) == 0);
}

/* ---- where we are, from the log itself ------------------------------------------------------------------------------ */

static uint64_t number(const json_t *j, const char *name)
{
	json_int_t v = json_integer_value(json_object_get(j, name));
	return v > 0 ? (uint64_t)v : 0;
}

static bool is_leaf(struct span entry, const char *kind)
{
	char head[32];
	int n = snprintf(head, sizeof head, "{\"weir\":\"%s\",", kind);
	return entry.len > (size_t)n && memcmp(entry.at, head, (size_t)n) == 0;
}

struct found {
	struct notary *n;
	bool batch, day, event, people, dict;
};

/* Was the dictionary's root logged behind the newest erasure? */
static void look_for_dict(struct found *f, struct span entry)
{
	static const char erase[] = "\"do\":\"erase\"";
	bool erased = is_leaf(entry, "people") && memmem(entry.at, entry.len, erase, sizeof erase - 1);
	if (f->dict || (!erased && !is_leaf(entry, "day") && !is_leaf(entry, "state")))
		return;
	f->dict = true;
	f->n->dict_due = erased;
}

/* The newest of each kind; earlier ones aren't parsed. */
static bool look_back(void *arg, uint64_t index, struct span entry)
{
	struct found *f = arg;
	(void)index;
	look_for_dict(f, entry);
	const struct {
		const char *kind, *member;
		bool *found;
		uint64_t *to;
	} kinds[] = {{"batch", "to", &f->batch, &f->n->batched}, {"day", "days", &f->day, &f->n->days}, {"event", "seq", &f->event, &f->n->event},
		     {"people", "number", &f->people, &f->n->people}, {"day", "people", &f->people, &f->n->people}};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (*kinds[i].found || !is_leaf(entry, kinds[i].kind))
			continue;
		json_t *j = json_loadb(entry.at, entry.len, 0, NULL);
		*kinds[i].to = number(j, kinds[i].member);
		*kinds[i].found = true;
		json_decref(j);
	}
	return !(f->batch && f->day && f->event && f->people);
}

int notary_open(const struct notary_place *p, struct notary **out, struct err *err)
{
	struct notary *n = xcalloc(1, sizeof *n);
	struct tlog_place t = {.io = p->io, .dir = p->tlog, .secret = p->secret};
	struct found f = {.n = n};
	n->place = *p;
	notary_key(p->public_key, &t.key);
	int r = tlog_open(&t, &n->log, err);
	if (r == 0)
		r = tlog_entries_back(n->log, tlog_size(n->log), look_back, &f, err);
	/* A folder whose open/ was lost begins anew: what it holds is behind no batch. */
	if (r == 0 && p->mark && n->batched > atomic_load(&p->mark->durable))
		n->batched = 0;
	if (r < 0)
		notary_close(&n);
	*out = n;
	return r;
}

void notary_close(struct notary **n)
{
	if (!*n)
		return;
	log_reader_close(&(*n)->reader);
	tlog_close(&(*n)->log);
	free(*n);
	*n = NULL;
}

static int add(struct notary *n, const struct buf *leaf, uint64_t *index, struct err *err)
{
	return tlog_append(n->log, &(struct span){(const char *)leaf->data, leaf->len}, 1, index, err);
}

/* ---- batches ------------------------------------------------------------------------------------------------------ */

struct batch {
	struct tlog_hash *v;
	size_t n;
	uint64_t from, to, lost;
	struct buf frame;
};

static void add_frame(struct batch *b, const struct log_frame *f)
{
	uint8_t head[9];
	put_u64(head, f->seq);
	head[8] = (uint8_t)f->type;
	buf_reset(&b->frame);
	buf_add(&b->frame, head, sizeof head);
	buf_add(&b->frame, f->body, f->len);
	tlog_leaf(b->frame.data, b->frame.len, &b->v[b->n]);
	if (b->n++ == 0)
		b->from = f->seq;
	b->to = f->seq;
}

static int read_batch(struct notary *n, struct batch *b, struct err *err)
{
	if (!n->reader) {
		if (log_reader_open(n->place.io, n->place.open, n->place.mark, n->batched, &n->reader, err) < 0)
			return -1;
		log_reader_patience(n->reader, 0);	/* whoever writes it is us */
	}
	while (b->n < BATCH_FRAMES) {
		struct log_frame f;
		int got = log_read(n->reader, &f, err);
		if (got == 0)
			return 0;
		if (got == 1)
			add_frame(b, &f);
		else if (err->code == ERR_CORRUPT)
			b->lost++;	/* the ledger says where */
		else
			return -1;
	}
	return 0;
}

static int log_batch(struct notary *n, const struct batch *b, int64_t at, struct err *err)
{
	struct tlog_hash root;
	struct buf leaf;
	char hex[65];
	uint64_t index;
	tlog_root_of(b->v, b->n, &root);
	hex_encode(root.b, sizeof root.b, hex);
	buf_init(&leaf, LEAF_MAX);
	buf_addf(&leaf, "{\"weir\":\"batch\",\"at\":%" PRId64 ",\"from\":%" PRIu64 ",\"to\":%" PRIu64 ",\"frames\":%zu,\"lost\":%" PRIu64
			",\"root\":\"%s\"}", at, b->from, b->to, b->n, b->lost, hex);
	int r = add(n, &leaf, &index, err);
	buf_release(&leaf);
	if (r == 0)
		n->batched = b->to;
	return r;
}

int notary_batch(struct notary *n, int64_t at, struct err *err)
{
	int leaves = 0, r;
	struct batch b = {.v = xcalloc(BATCH_FRAMES, sizeof *b.v)};
	buf_init(&b.frame, 0);
	do {
		b.n = 0;
		b.lost = 0;
		r = read_batch(n, &b, err);
		if (r == 0 && b.n)
			r = log_batch(n, &b, at, err);
		leaves += r == 0 && b.n;
	} while (r == 0 && b.n == BATCH_FRAMES);
	if (r < 0)
		log_reader_close(&n->reader);	/* the same frames are read again */
	buf_release(&b.frame);
	free(b.v);
	return r < 0 ? -1 : leaves;
}

/* ---- people ------------------------------------------------------------------------------------------------------- */

struct decisions {
	struct ledger_decision *v;
	size_t n;
};

static void note_decision(void *arg, const struct ledger_decision *d)
{
	struct decisions *s = arg;
	s->v = xrealloc(s->v, (s->n + 1) * sizeof *s->v);
	s->v[s->n++] = *d;
}

/* Takes those out that have a leaf. */
static bool strike_decision(void *arg, uint64_t index, struct span entry)
{
	struct decisions *s = arg;
	uint8_t sha[32];
	(void)index;
	if (!is_leaf(entry, "people"))
		return s->n > 0;
	json_t *j = json_loadb(entry.at, entry.len, 0, NULL);
	const char *hex = json_string_value(json_object_get(j, "sha256"));
	bool good = hex && hex_decode(hex, strlen(hex), sha, sizeof sha);
	for (size_t i = 0; good && i < s->n; i++)
		if (memcmp(s->v[i].sha256, sha, sizeof sha) == 0) {
			s->v[i] = s->v[--s->n];
			break;
		}
	json_decref(j);
	return s->n > 0;
}

static int by_time(const void *a, const void *b)
{
	const struct ledger_decision *x = a, *y = b;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return memcmp(x->sha256, y->sha256, sizeof x->sha256);
}

static int log_decision(struct notary *n, const struct ledger_decision *d, int64_t at, struct err *err)
{
	struct buf leaf;
	char hex[65];
	uint64_t index;
	hex_encode(d->sha256, 32, hex);
	buf_init(&leaf, LEAF_MAX);
	buf_addf(&leaf, "{\"weir\":\"people\",\"at\":%" PRId64 ",\"do\":\"%s\",\"number\":%" PRIu64 ",\"identifiers\":%" PRIu32 ",\"forced\":%s,"
			"\"sha256\":\"%s\"}", at, d->what, n->people + 1, d->identifiers, d->forced ? "true" : "false", hex);
	int r = add(n, &leaf, &index, err);
	n->people += r == 0;
	n->dict_due |= r == 0 && strcmp(d->what, "erase") == 0;
	buf_release(&leaf);
	return r;
}

int notary_people(struct notary *n, const struct ledger *l, int64_t at, struct err *err)
{
	struct decisions s = {0};
	uint64_t before = n->people;
	ledger_decisions(l, note_decision, &s);
	int r = 0;
	if (s.n > n->people) {
		r = tlog_entries_back(n->log, tlog_size(n->log), strike_decision, &s, err);
		if (r == 0 && s.n)
			qsort(s.v, s.n, sizeof *s.v, by_time);
		for (size_t i = 0; i < s.n && r == 0; i++)
			r = log_decision(n, &s.v[i], at, err);
	}
	free(s.v);
	return r < 0 ? -1 : (int)(n->people - before);
}

/* ---- days --------------------------------------------------------------------------------------------------------- */

struct days {
	struct day_seen {
		struct ledger_day d;
		uint64_t number;	/* it has a leaf, of what it was; 0: it has none */
	} *v;
	size_t n, found;	/* found: have a leaf; of which the last is what counts */
};

static void note_day(void *arg, const struct ledger_day *d)
{
	struct days *s = arg;
	s->v = xrealloc(s->v, (s->n + 1) * sizeof *s->v);
	s->v[s->n++] = (struct day_seen){.d = *d};
}

static void hex_of(const void *p, size_t n, char out[static 65])
{
	uint8_t sha[32];
	crypt_sha256(p, n, sha);
	hex_encode(sha, sizeof sha, out);
}

static void day_leaf(const struct notary *n, struct ledger *l, const struct day_seen *x, int64_t at, struct buf *leaf)
{
	const struct ledger_day *d = &x->d;
	uint8_t dict[32];
	char hex[65], head[65], root[65], keys[65], day[11];
	hex_of(d->bytes, d->n, hex);
	hex_of(d->bytes, d->head_n, head);
	hex_encode(d->root, 32, root);
	ledger_dict_root(l, d->subjects, dict);
	hex_encode(dict, 32, keys);
	clock_format_day(d->day * DAY_SECONDS, day);
	buf_addf(leaf, "{\"weir\":\"day\",\"at\":%" PRId64 ",\"day\":\"%s\",\"generation\":%" PRIu32 ",\"number\":%" PRIu64 ",\"days\":%" PRIu64
		       ",\"people\":%" PRIu64 ",\"bytes\":%zu,\"root\":\"%s\",\"head\":\"%s\",\"subjects\":%" PRIu32 ",\"dict\":\"%s\",\"sha256\":\"%s\"}",
		 at, day, d->generation, x->number ? x->number : n->days + 1, n->days + !x->number, n->people, d->n, root, head, d->subjects, keys, hex);
}

/* Takes those out whose newest leaf says what they are. */
static bool strike_day(void *arg, uint64_t index, struct span entry)
{
	struct days *s = arg;
	uint8_t root[32];
	(void)index;
	if (!is_leaf(entry, "day"))
		return s->n > s->found;
	json_t *j = json_loadb(entry.at, entry.len, 0, NULL);
	const char *day = json_string_value(json_object_get(j, "day")), *hex = json_string_value(json_object_get(j, "root"));
	bool good = hex && hex_decode(hex, strlen(hex), root, sizeof root);
	for (size_t i = 0; day && good && i < s->n; i++) {
		char own[11];
		struct day_seen *x = &s->v[i];
		clock_format_day(x->d.day * DAY_SECONDS, own);
		if (x->number || strcmp(own, day) != 0 || x->d.generation != number(j, "generation"))
			continue;
		if (memcmp(root, x->d.root, sizeof root) == 0) {
			*x = s->v[--s->n];
		} else {
			x->number = number(j, json_object_get(j, "number") ? "number" : "days");	/* of before days had numbers */
			s->found++;
		}
		break;
	}
	json_decref(j);
	return s->n > s->found;
}

static int by_day(const void *a, const void *b)
{
	const struct ledger_day *x = &((const struct day_seen *)a)->d, *y = &((const struct day_seen *)b)->d;
	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	return x->generation < y->generation ? -1 : x->generation > y->generation;
}

static int log_days(struct notary *n, struct ledger *l, struct days *s, int64_t at, struct err *err)
{
	struct buf leaf;
	uint64_t index;
	int r = tlog_entries_back(n->log, tlog_size(n->log), strike_day, s, err);
	if (r == 0 && s->n)
		qsort(s->v, s->n, sizeof *s->v, by_day);
	for (size_t i = 0; i < s->n && r == 0; i++) {
		buf_init(&leaf, LEAF_MAX);
		day_leaf(n, l, &s->v[i], at, &leaf);
		r = ledger_faulted(l) ? err_set(err, ERR_AGAIN, "a closed day can't be read") : add(n, &leaf, &index, err);
		n->days += r == 0 && !s->v[i].number;
		n->dict_due &= r < 0 || s->v[i].number;
		buf_release(&leaf);
	}
	return r;
}

int notary_days(struct notary *n, struct ledger *l, int64_t at, struct err *err)
{
	struct days s = {0};
	int r = 0;
	ledger_days(l, note_day, &s);
	size_t files = s.n;
	uint64_t before = tlog_size(n->log), erasures = ledger_stats(l).erasures;
	if (files < n->days)
		r = err_set(err, ERR_CORRUPT, "state/ledger/day: %zu files, and %" PRIu64 " are in the transparency log", files, n->days);
	else if (files > n->days || erasures != n->erasures)
		r = log_days(n, l, &s, at, err);
	if (r == 0)
		n->erasures = erasures;
	if (r == 0 && n->dict_due)
		r = notary_state(n, l, at, NULL, err);
	free(s.v);
	return r < 0 ? -1 : (int)(tlog_size(n->log) - before);
}

void notary_spell(const json_t *answer, struct buf *out)
{
	json_t *clean = json_copy((json_t *)(uintptr_t)answer);
	json_object_del(clean, "ok");
	json_object_del(clean, "checkpoint");
	char *text = json_dumps(clean, JSON_COMPACT | JSON_SORT_KEYS);
	must(text);
	buf_adds(out, text);
	free(text);
	json_decref(clean);
}

static void add_answer(const json_t *answer, struct buf *leaf)
{
	char hex[65];
	struct buf b;
	buf_init(&b, 0);
	notary_spell(answer, &b);
	hex_of(b.data, b.len, hex);
	buf_addf(leaf, ",\"answer\":\"%s\"", hex);
	buf_release(&b);
}

int notary_state(struct notary *n, struct ledger *l, int64_t at, const json_t *answer, struct err *err)
{
	struct buf leaf;
	uint8_t dict[32];
	char hex[65];
	uint64_t index;
	uint32_t subjects = ledger_subjects_stored(l);
	ledger_dict_root(l, subjects, dict);
	hex_encode(dict, 32, hex);
	buf_init(&leaf, LEAF_MAX);
	buf_addf(&leaf, "{\"weir\":\"state\",\"at\":%" PRId64 ",\"days\":%" PRIu64 ",\"people\":%" PRIu64 ",\"subjects\":%" PRIu32 ",\"dict\":\"%s\"", at,
		 n->days, n->people, subjects, hex);
	if (answer)
		add_answer(answer, &leaf);
	buf_addc(&leaf, '}');
	int r = ledger_faulted(l) ? err_set(err, ERR_AGAIN, "the dictionary can't be read") : add(n, &leaf, &index, err);
	n->dict_due &= r < 0;
	buf_release(&leaf);
	return r;
}

int notary_answer(struct notary *n, struct ledger *l, int64_t at, const json_t *answer, struct err *err)
{
	if (notary_batch(n, at, err) < 0 || notary_people(n, l, at, err) < 0 || notary_days(n, l, at, err) < 0)
		return -1;
	return notary_state(n, l, at, answer, err);
}

/* ---- events ------------------------------------------------------------------------------------------------------- */

static bool word_ok(const char *s, size_t max)
{
	size_t n = s ? strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") : 0;
	return s && n <= max && s[n] == 0;
}

/* The steward says what happened; what a leaf looks like is ours. */
int notary_event_leaf(const json_t *e, struct buf *leaf, struct err *err)
{
	const char *kind = json_string_value(json_object_get(e, "kind")), *vendor = json_string_value(json_object_get(e, "vendor"));
	const char *sha = json_string_value(json_object_get(e, "sha256"));
	uint8_t bytes[32];
	if (!word_ok(kind, KIND_MAX) || !word_ok(vendor, VENDOR_MAX) || !sha || !hex_decode(sha, strlen(sha), bytes, 32) || number(e, "seq") == 0)
		return err_set(err, ERR_BUG, "an event for the log isn't in form");
	buf_addf(leaf, "{\"weir\":\"event\",\"seq\":%" PRIu64 ",\"at\":%" PRId64 ",\"kind\":\"%s\",\"vendor\":\"%s\",\"version\":%" PRIu64
		       ",\"sha256\":\"%s\"}", number(e, "seq"), (int64_t)json_integer_value(json_object_get(e, "at")), kind, vendor,
		 number(e, "version"), sha);
	return 0;
}

struct search {
	const struct buf *leaf;
	uint64_t seq, index;
	bool found;
};

static bool same_leaf(void *arg, uint64_t index, struct span entry)
{
	struct search *s = arg;
	if (!is_leaf(entry, "event"))
		return true;
	s->found = entry.len == s->leaf->len && memcmp(entry.at, s->leaf->data, entry.len) == 0;
	s->index = index;
	json_t *j = s->found ? NULL : json_loadb(entry.at, entry.len, 0, NULL);
	bool older = j && number(j, "seq") < s->seq;
	json_decref(j);
	return !s->found && !older;
}

static int log_event(struct notary *n, const json_t *e, json_t *leaves, struct err *err)
{
	struct buf leaf;
	struct search s = {.leaf = &leaf, .seq = number(e, "seq")};
	buf_init(&leaf, LEAF_MAX);
	int r = notary_event_leaf(e, &leaf, err);
	/* Told again: the registry was not, or not durably, told the place. */
	if (r == 0 && s.seq <= n->event)
		r = tlog_entries_back(n->log, tlog_size(n->log), same_leaf, &s, err);
	if (r == 0 && !s.found)
		r = add(n, &leaf, &s.index, err);
	buf_release(&leaf);
	if (r < 0)
		return -1;
	if (s.seq > n->event)
		n->event = s.seq;
	json_array_append_new(leaves, json_pack("{s:I, s:I}", "seq", (json_int_t)s.seq, "leaf", (json_int_t)s.index));
	return 0;
}

int notary_events(struct notary *n, const json_t *events, int64_t taken, json_t *leaves, struct err *err)
{
	if (taken >= 0 && (uint64_t)taken >= tlog_size(n->log))
		return err_set(err, ERR_CORRUPT, "the log holds %" PRIu64 " entries, and the registry knows of number %" PRId64 ": it was rolled back",
			       tlog_size(n->log), taken);
	for (size_t i = 0; i < json_array_size(events); i++)
		if (log_event(n, json_array_get(events, i), leaves, err) < 0)
			return -1;
	return 0;
}

/* ---- what is said of it ------------------------------------------------------------------------------------------- */

json_t *notary_checkpoint_json(const struct tlog_checkpoint *c)
{
	char root[45];
	base64_encode(c->root.b, sizeof c->root.b, root);
	return json_pack("{s:s%, s:I, s:s}", "origin", c->origin.at, c->origin.len, "size", (json_int_t)c->size, "root", root);
}

json_t *notary_checkpoint(const struct notary *n)
{
	struct tlog_checkpoint c;
	tlog_checkpoint_now(n->log, &c);
	return notary_checkpoint_json(&c);
}

struct tlog *notary_log(struct notary *n)
{
	return n->log;
}

uint64_t notary_size(const struct notary *n)
{
	return tlog_size(n->log);
}
