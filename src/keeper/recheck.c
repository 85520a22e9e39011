/* What Weir recorded against its transparency log.  The leaves stand in notary.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/crypt.h"
#include "keeper/notary.h"

enum { NAME = 64, DAY_FILE_MAX = INT32_MAX };

struct batch_leaf {
	uint64_t from, to, frames;
	bool lost;
	uint8_t root[32];
};
struct day_leaf {
	char name[NAME];
	uint64_t index, days;
	uint64_t erasures;	/* in the log before it */
	uint8_t sha256[32];
};
struct event_leaf {
	uint64_t index;
	struct tlog_hash leaf;
	bool known;	/* to the registry */
};

struct recheck {
	const struct notary_files *f;
	struct notary_checked *out;
	void (*each_damage)(void *arg, const struct tlog_damage *d);
	void *arg;
	struct batch_leaf *batches;
	struct day_leaf *days;
	struct event_leaf *events;
	size_t batches_n, days_n, events_n;
	uint64_t erasures;
	struct {		/* the newest that the log says of the dictionary */
		bool known;
		uint32_t subjects;
		uint8_t root[32];
	} dict;
};

static void damage(struct recheck *c, const char *file, uint64_t from, uint64_t to, const char *why)
{
	const struct tlog_damage d = {file, from, to, why};
	c->out->log.damages++;
	c->each_damage(c->arg, &d);
}

/* ---- what the log says -------------------------------------------------------------------------------------------- */

static uint64_t number(const json_t *j, const char *name)
{
	json_int_t v = json_integer_value(json_object_get(j, name));
	return v > 0 ? (uint64_t)v : 0;
}

static bool hash(const json_t *j, const char *name, uint8_t out[static 32])
{
	const char *s = json_string_value(json_object_get(j, name));
	return s && hex_decode(s, strlen(s), out, 32);
}

static void *grow(void *v, size_t n, size_t size)
{
	return (n & (n - 1)) == 0 ? xrealloc(v, (n ? 2 * n : 1) * size) : v;
}

static void note_batch(struct recheck *c, const json_t *j)
{
	struct batch_leaf b = {number(j, "from"), number(j, "to"), number(j, "frames"), number(j, "lost") > 0, {0}};
	if (!hash(j, "root", b.root))
		return;
	c->batches = grow(c->batches, c->batches_n, sizeof *c->batches);
	c->batches[c->batches_n++] = b;
	c->out->batched_to = b.to;
}

static void note_day(struct recheck *c, uint64_t index, const json_t *j)
{
	const char *day = json_string_value(json_object_get(j, "day"));
	uint64_t generation = number(j, "generation");
	struct day_leaf d = {.index = index, .days = number(j, "days"), .erasures = c->erasures};
	if (!day || strlen(day) != 10 || strchr(day, '/') || !hash(j, "sha256", d.sha256))
		return;
	if (generation == 1)
		snprintf(d.name, sizeof d.name, "%s", day);
	else
		snprintf(d.name, sizeof d.name, "%s.%" PRIu64, day, generation);
	c->days = grow(c->days, c->days_n, sizeof *c->days);
	c->days[c->days_n++] = d;
}

/* Of a day or a state.  One that was logged later says as much or more, but for a day that was written again. */
static void note_dict(struct recheck *c, const json_t *j)
{
	uint64_t n = number(j, "subjects");
	if (n > UINT32_MAX || (c->dict.known && n < c->dict.subjects) || !hash(j, "dict", c->dict.root))
		return;
	c->dict.known = true;
	c->dict.subjects = (uint32_t)n;
}

/* An erasure changes keys: what was said before it no longer holds. */
static void note_people(struct recheck *c, const json_t *j)
{
	const char *done = json_string_value(json_object_get(j, "do"));
	bool erased = done && strcmp(done, "erase") == 0;
	c->erasures += erased;
	c->dict.known &= !erased;
	c->out->people++;
}

static void note_event(struct recheck *c, uint64_t index, struct span entry)
{
	struct event_leaf e = {.index = index};
	tlog_leaf(entry.at, entry.len, &e.leaf);
	c->events = grow(c->events, c->events_n, sizeof *c->events);
	c->events[c->events_n++] = e;
}

static void each_entry(void *arg, uint64_t index, struct span entry)
{
	struct recheck *c = arg;
	json_t *j = json_loadb(entry.at, entry.len, 0, NULL);
	const char *what = json_string_value(json_object_get(j, "weir"));
	if (what && strcmp(what, "batch") == 0)
		note_batch(c, j);
	else if (what && strcmp(what, "day") == 0)
		note_day(c, index, j);
	else if (what && strcmp(what, "people") == 0)
		note_people(c, j);
	else if (what && strcmp(what, "event") == 0)
		note_event(c, index, entry);
	if (what && (strcmp(what, "day") == 0 || strcmp(what, "state") == 0))
		note_dict(c, j);
	json_decref(j);
}

static void pass_damage(void *arg, const struct tlog_damage *d)
{
	struct recheck *c = arg;
	char file[TLOG_PATH_MAX + 16];
	snprintf(file, sizeof file, "state/tlog/%s", d->file);
	const struct tlog_damage named = {file, d->from, d->to, d->why};
	c->each_damage(c->arg, &named);	/* counted by tlog_check */
}

/* ---- frames ------------------------------------------------------------------------------------------------------- */

struct frames {
	struct {
		uint64_t seq;
		struct tlog_hash leaf;
	} *v;
	size_t n;
};

static int read_frames(const struct recheck *c, struct frames *out, struct err *err)
{
	struct log_reader *r;
	struct log_frame f;
	struct buf b;
	int got;
	if (log_reader_open(c->f->io, c->f->open, NULL, 0, &r, err) < 0)
		return -1;
	log_reader_patience(r, 0);
	buf_init(&b, 0);
	while ((got = log_read(r, &f, err)) == 1 || (got < 0 && err->code == ERR_CORRUPT)) {
		uint8_t head[9];
		if (got < 0)
			continue;	/* a batch will lack a frame */
		put_u64(head, f.seq);
		head[8] = (uint8_t)f.type;
		buf_reset(&b);
		buf_add(&b, head, sizeof head);
		buf_add(&b, f.body, f.len);
		out->v = grow(out->v, out->n, sizeof *out->v);
		out->v[out->n].seq = f.seq;
		tlog_leaf(b.data, b.len, &out->v[out->n++].leaf);
	}
	buf_release(&b);
	log_reader_close(&r);
	return got;
}

/* The frames of a batch, where open/ still has its first. */
static void check_batch(struct recheck *c, const struct batch_leaf *b, const struct frames *f)
{
	char file[NAME];
	size_t lo = 0, n = 0;
	while (lo < f->n && f->v[lo].seq < b->from)
		lo++;
	if (lo == f->n || f->v[lo].seq > b->to || (f->v[lo].seq != b->from && lo == 0)) {
		c->out->batches_gone++;
		return;
	}
	while (lo + n < f->n && f->v[lo + n].seq <= b->to)
		n++;
	struct tlog_hash *v = xcalloc(n + 1, sizeof *v), root;
	for (size_t i = 0; i < n; i++)
		v[i] = f->v[lo + i].leaf;
	tlog_root_of(v, n, &root);
	snprintf(file, sizeof file, "state/ledger/open, frames %" PRIu64 " to %" PRIu64, b->from, b->to);
	if (n != b->frames || memcmp(root.b, b->root, sizeof root.b) != 0)
		damage(c, file, 0, UINT64_MAX, n != b->frames ? "some are gone that were logged" : "not those that were logged");
	free(v);
}

static int check_batches(struct recheck *c, struct err *err)
{
	struct frames f = {0};
	int r = read_frames(c, &f, err);
	for (size_t i = 0; r == 0 && i < c->batches_n; i++)
		check_batch(c, &c->batches[i], &f);
	c->out->batches = c->batches_n;
	free(f.v);
	return r;
}

/* ---- days --------------------------------------------------------------------------------------------------------- */

static void check_day(struct recheck *c, const struct day_leaf *d)
{
	char file[2 * NAME];
	struct buf b;
	struct err err;
	uint8_t sha[32];
	snprintf(file, sizeof file, "state/ledger/day/%s", d->name);
	buf_init(&b, 0);
	if (tlog_file_read(c->f->io, c->f->day, d->name, DAY_FILE_MAX, &b, &err) < 0) {
		damage(c, file, 0, UINT64_MAX, err.code == ERR_NOTFOUND ? "it is gone, and was logged" : err.msg);
	} else {
		crypt_sha256(b.len ? b.data : (const uint8_t *)"", b.len, sha);
		if (memcmp(sha, d->sha256, sizeof sha) != 0)	/* which part: the file's own checksums know */
			damage(c, file, 0, b.len, "not what was logged when the day was closed; `weir ledger verify` may say which part");
	}
	buf_release(&b);
}

static int by_name(const void *a, const void *b)
{
	const struct day_leaf *x = a, *y = b;
	int r = strcmp(x->name, y->name);
	return r ? r : x->index < y->index ? -1 : x->index > y->index;
}

/* A day that has leaves twice is what the newest says; it may have become another one only by an erasure between the two. */
static void check_days(struct recheck *c)
{
	if (c->days_n)
		qsort(c->days, c->days_n, sizeof *c->days, by_name);
	for (size_t i = 0; i < c->days_n; i++) {
		const struct day_leaf *d = &c->days[i], *next = i + 1 < c->days_n ? d + 1 : NULL;
		if (!next || strcmp(d->name, next->name) != 0) {
			check_day(c, d);
			c->out->days++;
		} else if (memcmp(d->sha256, next->sha256, 32) != 0 && d->erasures == next->erasures) {
			char file[2 * NAME];
			snprintf(file, sizeof file, "state/ledger/day/%s", d->name);
			damage(c, file, 0, UINT64_MAX, "logged twice, as two different files, and nobody was erased between");
		}
	}
}

static void check_dict(struct recheck *c)
{
	static const char file[] = "state/ledger/dict/keys";
	uint8_t root[32];
	struct err err;
	if (!c->dict.known)
		return;
	if (ledger_keys_root(c->f->io, c->f->dict, c->dict.subjects, root, &err) < 0)
		damage(c, file, 0, UINT64_MAX, err.msg);
	else if (memcmp(root, c->dict.root, sizeof root) != 0)
		damage(c, file, 0, (uint64_t)c->dict.subjects * SUBJECT_BYTES, "not the identifiers that were logged; `weir ledger verify` may say which part");
}

/* ---- events ------------------------------------------------------------------------------------------------------- */

static int by_index(const void *key, const void *e)
{
	uint64_t index = *(const uint64_t *)key, at = ((const struct event_leaf *)e)->index;
	return index < at ? -1 : index > at;
}

static void check_event(struct recheck *c, const json_t *e)
{
	uint64_t index = number(e, "leaf");
	struct event_leaf *l = c->events_n ? bsearch(&index, c->events, c->events_n, sizeof *l, by_index) : NULL;
	struct tlog_hash leaf;
	struct buf b;
	struct err err;
	char file[NAME];
	buf_init(&b, 0);
	snprintf(file, sizeof file, "state/registry.db, event %" PRIu64, number(e, "seq"));
	bool good = notary_event_leaf(e, &b, &err) == 0;
	if (good)
		tlog_leaf(b.data, b.len, &leaf);
	if (!l)
		damage(c, file, 0, UINT64_MAX, "the log has no such event where the registry says");
	else if (!good || memcmp(&leaf, &l->leaf, sizeof leaf) != 0)
		damage(c, file, 0, UINT64_MAX, "not the event that was logged");
	if (l)
		l->known = true;
	buf_release(&b);
}

static void check_events(struct recheck *c)
{
	size_t i;
	json_t *e;
	json_array_foreach((json_t *)(uintptr_t)c->f->events, i, e)
		check_event(c, e);
	/* The newest may have a leaf that the registry hasn't been told yet. */
	size_t last = c->events_n;
	while (last > 0 && !c->events[last - 1].known)
		last--;
	for (i = 0; i < last; i++)
		if (!c->events[i].known) {
			char file[NAME];
			snprintf(file, sizeof file, "state/registry.db, entry %" PRIu64 " of the log", c->events[i].index);
			damage(c, file, 0, UINT64_MAX, "the registry has no event that was logged");
		}
	c->out->events = json_array_size(c->f->events);
}

int notary_check(const struct notary_files *f, void (*each_damage)(void *arg, const struct tlog_damage *d), void *arg,
		 struct notary_checked *out, struct err *err)
{
	struct recheck c = {.f = f, .out = out, .each_damage = each_damage, .arg = arg};
	*out = (struct notary_checked){0};
	int r = tlog_check(f->io, f->tlog, &f->key, pass_damage, each_entry, &c, &out->log, err);
	if (r == 0 && f->open >= 0)
		r = check_batches(&c, err);
	if (r == 0 && f->day >= 0)
		check_days(&c);
	if (r == 0 && f->dict >= 0)
		check_dict(&c);
	if (r == 0 && f->events)
		check_events(&c);
	free(c.batches);
	free(c.days);
	free(c.events);
	return r;
}
