/*
 * Roll-ups: what closed days add up to, so that a question needn't go through each of them.
 *
 *   state/ledger/month/YYYY-MM      the closed parts of a month that is over
 *   state/ledger/month/YYYY-MM-DD   of the four days that begin there, without attributes: for the edges of a window
 *   state/ledger/total/closed       all closed parts
 *
 * They are derived: each names the parts that it was made of, with their Merkle roots, and counts only while the days on disk
 * are exactly those.  One that is missing, stale or damaged is made again; until then the days answer.
 *
 * File, little-endian:
 *   head, 48 bytes: "WEIRSUM1", u32 version=1, u32 parts, u64 bytes of the first image, u64 of the second, u32 0[3],
 *                   u32 crc32c(the 44 before, parts)
 *   parts x { s64 day, u32 generation, u32 0, root[32] }
 *   first image     as a day's file (day.c): per combo the union of what was recorded, less what was attested to be deleted
 *                   since; attributes; deletions; and COMBO_ANY: a vendor's people, whatever the field-set
 *   second image    the same sets before deletions, of vendors that have some; empty when there are none
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ledger/inside.h"

enum { HEAD = 48, PART = 48, VERSION = 1, DAY_SECONDS = 86400, NAME = 16, MONTH = 7, DATE = 10, SPAN_DAYS = 4 };
static const char magic[8] = {'W', 'E', 'I', 'R', 'S', 'U', 'M', '1'};
#define TOTAL "closed"

static void month_of(int64_t day, char out[static NAME])
{
	char date[11];
	clock_format_day(day * DAY_SECONDS, date);
	snprintf(out, NAME, "%.*s", MONTH, date);
}

static void span_of(int64_t day, char out[static NAME])
{
	clock_format_day((day - (day % SPAN_DAYS + SPAN_DAYS) % SPAN_DAYS) * DAY_SECONDS, out);
}

static void rollup_free(struct rollup *r)
{
	if (!r)
		return;
	part_release(&r->live);
	part_release(&r->before);
	fio_view_release(&r->file);
	free(r->of);
	free(r);
}

void rollups_release(struct ledger *l)
{
	for (size_t i = 0; i < l->rollups_n; i++)
		rollup_free(l->rollups[i]);
	free(l->rollups);
	l->rollups = NULL;
	l->rollups_n = 0;
}

void rollup_drop(struct ledger *l, const struct rollup *r)
{
	for (size_t i = 0; i < l->rollups_n; i++)
		if (l->rollups[i] == r) {
			rollup_free(l->rollups[i]);
			memmove(&l->rollups[i], &l->rollups[i + 1], (l->rollups_n - i - 1) * sizeof *l->rollups);
			l->rollups_n--;
			return;
		}
}

struct removal {
	const struct ledger *l;
	int dir;
	bool failed;
};

static bool remove_one(void *arg, const char *name)
{
	struct removal *r = arg;
	r->failed |= r->l->place.io->unlink(r->l->place.io->ctx, r->dir, name) < 0;
	return true;
}

int rollups_remove(struct ledger *l, struct err *err)
{
	const struct fio *io = l->place.io;
	const int dirs[] = {l->month_dir, l->total_dir};
	rollups_release(l);
	for (size_t i = 0; i < 2; i++) {
		struct removal r = {l, dirs[i], false};
		if (io->list(io->ctx, dirs[i], remove_one, &r) < 0 || r.failed || io->sync(io->ctx, dirs[i]) < 0)
			return err_sys(err, "state/ledger: a roll-up can't be removed");
	}
	return 0;
}

static int check(const struct rollup *r)
{
	struct err ignored;
	for (uint32_t i = 0; i < r->live.sets_n; i++)
		if (set_check(&r->live, &r->live.sets[i], &ignored) < 0)
			return -1;
	for (uint32_t i = 0; i < r->before.sets_n; i++)
		if (set_check(&r->before, &r->before.sets[i], &ignored) < 0)
			return -1;
	return 0;
}

size_t rollups_check(struct ledger *l, size_t limit)
{
	size_t n = 0;
	for (size_t i = l->rollups_n; i-- > 0 && n < limit;) {
		struct rollup *r = l->rollups[i];
		if (r->checked)
			continue;
		r->checked = true;
		if (check(r) < 0)
			rollup_drop(l, r);
		n++;
	}
	return n;
}

/* ---- what it stands for ---------------------------------------------------------------------------------------------- */

static bool is_part(const struct rollup_part *a, const struct part *p)
{
	return a->day == p->day && a->generation == p->generation && memcmp(a->root, part_root(p), 32) == 0;
}

const struct set *part_find(const struct part *p, const struct combo *c)
{
	for (uint32_t i = 0; c && i < p->sets_n; i++)
		if (p->sets[i].combo == c)
			return &p->sets[i];
	return NULL;
}

static bool deletes(const struct part *p, const char *vendor)
{
	for (uint32_t i = 0; i < p->sets_n; i++)
		if (p->sets[i].combo->kind == COMBO_DELETED && (!vendor || strcmp(p->sets[i].combo->name, vendor) == 0))
			return true;
	return false;
}

/*
 * How many parts before parts[end] the roll-up stands for; 0: not for these.  *late: among them are some that are open,
 * which it doesn't hold.
 */
static size_t stands_for(const struct ledger *l, const struct rollup *r, size_t end, bool *late)
{
	size_t at = end, left = r->of_n;
	*late = false;
	while (left > 0 && at > 0) {
		const struct part *p = l->parts[at - 1];
		if (p->generation == 0 && left < r->of_n)
			*late = true;
		else if (p->generation == 0 || !is_part(&r->of[left - 1], p))
			return 0;
		else
			left--;
		at--;
	}
	return left ? 0 : end - at;
}

/* Deletions take effect in order: where some count and others don't, or something open stands between, days must answer. */
static bool serves(const struct rollup *r, const struct question *q, bool late)
{
	if (!q)
		return strlen(r->name) != DATE;
	if (r->from < q->effective || r->to > q->until)
		return false;
	if (!deletes(&r->live, q->vendor))
		return true;
	return !late && (!q->has_since || r->to < q->since);
}

static bool late_deletes(const struct ledger *l, size_t from, size_t end)
{
	for (size_t i = from; i < end; i++)
		if (l->parts[i]->generation == 0 && l->parts[i]->deletions)
			return true;
	return false;
}

static struct rollup *best(const struct ledger *l, const struct question *q, size_t end, size_t *covers, bool *late)
{
	struct rollup *found = NULL;
	*covers = 0;
	for (size_t i = 0; i < l->rollups_n; i++) {
		bool between;
		size_t n = stands_for(l, l->rollups[i], end, &between);
		if (n <= *covers || !serves(l->rollups[i], q, between) || (between && late_deletes(l, end - n, end)))
			continue;
		found = l->rollups[i];
		*covers = n;
		*late = between;
	}
	return found;
}

struct piece *ledger_pieces(const struct ledger *l, const struct question *q, size_t *n)
{
	struct piece *v = xcalloc(l->parts_n + 1, sizeof *v);
	*n = 0;
	for (size_t end = l->parts_n; end > 0;) {
		size_t covers;
		bool late = false;
		struct rollup *r = best(l, q, end, &covers, &late);
		if (!r) {
			v[(*n)++].part = l->parts[--end];
			continue;
		}
		for (size_t i = end; late && i > end - covers; i--)
			if (l->parts[i - 1]->generation == 0)
				v[(*n)++].part = l->parts[i - 1];
		v[*n].part = &r->live;
		v[(*n)++].rollup = r;
		end -= covers;
	}
	return v;
}

/* ---- adding up ---------------------------------------------------------------------------------------------------------- */

struct sum {
	struct ledger *l;
	struct part live, before;	/* open */
	bool attributes;
};

static bool exposes(const struct combo *c)
{
	return c->kind == COMBO_EXPOSURE || c->kind == COMBO_MEASURED;
}

/* From the first deletion on, what was there before it is kept apart. */
static void keep_before(struct sum *s, const char *vendor)
{
	for (uint32_t i = 0; !deletes(&s->live, vendor) && i < s->live.sets_n; i++)
		if (exposes(s->live.sets[i].combo) && s->live.sets[i].combo->name == vendor)
			bits_or(&part_set(&s->before, s->live.sets[i].combo)->bits, &s->live.sets[i].bits);
}

static void take_off(struct sum *s, const struct set *deletion)
{
	struct bits gone = {0};
	const char *vendor = deletion->combo->name;
	set_add_to(deletion, &gone);
	keep_before(s, vendor);
	for (uint32_t i = 0; i < s->live.sets_n; i++)
		if (exposes(s->live.sets[i].combo) && s->live.sets[i].combo->name == vendor)
			bits_without(&s->live.sets[i].bits, &gone);
	bits_or(&part_set(&s->live, deletion->combo)->bits, &gone);
	bits_release(&gone);
}

static void put_on(struct sum *s, const struct set *x, const struct part *before)
{
	struct set *to = part_set(&s->live, x->combo);
	const struct set *whole = before ? part_find(before, x->combo) : NULL;
	set_add_to(x, &to->bits);
	to->events += x->events;
	if (exposes(x->combo) && deletes(&s->live, x->combo->name))
		set_add_to(whole ? whole : x, &part_set(&s->before, x->combo)->bits);
}

static void add_each(struct sum *s, const struct part *p, const struct part *before, bool deletions)
{
	for (uint32_t i = 0; i < p->sets_n; i++) {
		enum combo_kind kind = p->sets[i].combo->kind;
		if (kind == COMBO_ANY || (kind == COMBO_ATTRIBUTE && !s->attributes) || (kind == COMBO_DELETED) != deletions)
			continue;
		if (deletions)
			take_off(s, &p->sets[i]);
		else
			put_on(s, &p->sets[i], before);
	}
}

/* In a day's file deletions cover what is recorded there; in a roll-up they have been taken off. */
static int add_piece(struct sum *s, const struct part *p, const struct rollup *r, struct err *err)
{
	const struct part *before = r ? &r->before : NULL;
	for (uint32_t i = 0; i < p->sets_n; i++)
		if ((r ? set_check(p, &p->sets[i], err) : ledger_use_set(s->l, p, &p->sets[i], err)) < 0)
			return -1;
	for (uint32_t i = 0; before && i < before->sets_n; i++)
		if (set_check(before, &before->sets[i], err) < 0)
			return -1;
	add_each(s, p, before, r != NULL);
	add_each(s, p, before, r == NULL);
	return 0;
}

static void add_any(struct sum *s)
{
	for (uint32_t i = 0; i < s->live.sets_n; i++) {
		const struct combo *c = s->live.sets[i].combo;
		if (!exposes(c))
			continue;
		const struct combo *any = combos_intern(&s->l->combos, COMBO_ANY, false, c->name, NULL, 0);
		struct set *to = part_set(&s->live, any);
		bits_or(&to->bits, &s->live.sets[i].bits);
	}
}

/* ---- on disk ------------------------------------------------------------------------------------------------------------ */

static void image(struct part *p, const struct part *last, struct buf *out, uint64_t *len)
{
	size_t start = out->len;
	p->day = last->day;
	p->generation = 1;
	p->dict_n = last->dict_n;
	p->dict_crc = last->dict_crc;
	if (p->sets_n)
		day_write(p, NULL, out);
	*len = out->len - start;
}

static void spell(struct sum *s, struct part *const *of, size_t n, struct buf *out)
{
	const struct part *last = of[0];
	uint64_t len[2];
	for (size_t i = 0; i < n; i++)	/* the longest dictionary, which isn't always the last day's */
		last = of[i]->dict_n >= last->dict_n ? of[i] : last;
	uint8_t head[HEAD] = {0};
	buf_add(out, head, sizeof head);
	for (size_t i = 0; i < n; i++) {
		uint8_t p[PART] = {0};
		put_u64(p, (uint64_t)of[i]->day);
		put_u32(p + 8, of[i]->generation);
		memcpy(p + 16, part_root(of[i]), 32);
		buf_add(out, p, sizeof p);
	}
	image(&s->live, last, out, &len[0]);
	part_release(&s->live);
	image(&s->before, last, out, &len[1]);
	memcpy(head, magic, sizeof magic);
	put_u32(head + 8, VERSION);
	put_u32(head + 12, (uint32_t)n);
	put_u64(head + 16, len[0]);
	put_u64(head + 24, len[1]);
	put_u32(head + 44, crc32c(crc32c(0, head, 44), out->data + HEAD, n * PART));
	memcpy(out->data, head, HEAD);
}

static bool walk_image(const uint8_t *p, size_t n, struct combos *combos, struct part *out)
{
	struct fio_view v = {.p = p, .n = n, .borrowed = true};
	struct err ignored;
	return n == 0 || day_walk(&v, combos, out, &ignored) == 0;
}

/* NULL: it isn't one. */
static struct rollup *parse(struct fio_view *file, struct combos *combos)
{
	const uint8_t *p = file->p;
	struct rollup *r = xcalloc(1, sizeof *r);
	r->file = *file;
	*file = (struct fio_view){0};
	size_t n = r->file.n, parts = n >= HEAD ? get_u32(p + 12) : 0;
	bool good = n >= HEAD && memcmp(p, magic, sizeof magic) == 0 && get_u32(p + 8) == VERSION && parts > 0 && parts <= (n - HEAD) / PART &&
		    crc32c(crc32c(0, p, 44), p + HEAD, parts * PART) == get_u32(p + 44);
	size_t left = good ? n - HEAD - parts * PART : 0, live = good ? get_u64(p + 16) : 0;
	good = good && live <= left && get_u64(p + 24) == left - live;
	r->of = good ? xcalloc(parts, sizeof *r->of) : NULL;
	for (size_t i = 0; good && i < parts; i++) {
		const uint8_t *at = p + HEAD + i * PART;
		r->of[i] = (struct rollup_part){.day = (int64_t)get_u64(at), .generation = get_u32(at + 8)};
		memcpy(r->of[i].root, at + 16, 32);
	}
	good = good && walk_image(p + n - left, live, combos, &r->live) && walk_image(p + n - left + live, left - live, combos, &r->before);
	if (!good) {
		rollup_free(r);
		return NULL;
	}
	r->of_n = parts;
	r->from = r->of[0].day;
	r->to = r->of[parts - 1].day;
	return r;
}

static struct rollup *load(struct ledger *l, int dir, const char *name)
{
	const struct fio *io = l->place.io;
	struct fio_view v = {0};
	struct fio_stat st;
	int fd = io->open(io->ctx, dir, name, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	bool good = io->stat(io->ctx, fd, &st) == 0 && fio_view(io, fd, (size_t)st.size, &v) == 0;
	io->close(io->ctx, fd);
	struct rollup *r = good ? parse(&v, &l->combos) : NULL;
	if (r && (r->live.dict_n > l->dict.n || r->before.dict_n > l->dict.n)) {
		rollup_free(r);
		return NULL;
	}
	return r;
}

static void keep(struct ledger *l, struct rollup *r, const char *name)
{
	if (!r)
		return;
	snprintf(r->name, sizeof r->name, "%s", name);
	for (size_t i = 0; i < l->rollups_n; i++)
		if (strcmp(l->rollups[i]->name, name) == 0) {
			rollup_free(l->rollups[i]);
			l->rollups[i] = r;
			return;
		}
	l->rollups = xrealloc(l->rollups, (l->rollups_n + 1) * sizeof *l->rollups);
	l->rollups[l->rollups_n++] = r;
}

static bool load_month(void *arg, const char *name)
{
	struct ledger *l = arg;
	if (strlen(name) == MONTH || strlen(name) == DATE)
		keep(l, load(l, l->month_dir, name), name);
	return true;
}

void rollups_load(struct ledger *l)
{
	(void)l->place.io->list(l->place.io->ctx, l->month_dir, load_month, l);
	keep(l, load(l, l->total_dir, TOTAL), TOTAL);
}

/* ---- making them -------------------------------------------------------------------------------------------------------- */

static struct rollup *named(const struct ledger *l, const char *name)
{
	for (size_t i = 0; i < l->rollups_n; i++)
		if (strcmp(l->rollups[i]->name, name) == 0)
			return l->rollups[i];
	return NULL;
}

static bool made_of(const struct rollup *r, struct part *const *of, size_t n)
{
	for (size_t i = 0; i < r->of_n && i < n; i++)
		if (!is_part(&r->of[i], of[i]))
			return false;
	return r->of_n <= n;
}

static int write_rollup(const struct ledger *l, int dir, const char *name, const struct buf *b, struct err *err)
{
	const struct fio *io = l->place.io;
	char fresh[NAME + 4];
	snprintf(fresh, sizeof fresh, "%s.new", name);
	int fd = io->open(io->ctx, dir, fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "state/ledger: %s", fresh);
	bool good = fio_write_all(io, fd, b->data, b->len, 0) == 0 && io->sync(io->ctx, fd) == 0;
	io->close(io->ctx, fd);
	good = good && io->rename(io->ctx, dir, fresh, name) == 0 && io->sync(io->ctx, dir) == 0;
	return good ? 0 : err_sys(err, "state/ledger: %s", fresh);
}

const struct rollup *rollup_total(const struct ledger *l)
{
	const struct rollup *r = named(l, TOTAL);
	size_t n = 0;
	for (size_t i = 0; r && i < l->parts_n; i++) {
		if (l->parts[i]->generation == 0)
			continue;
		if (n == r->of_n || !is_part(&r->of[n], l->parts[i]))
			return NULL;
		n++;
	}
	return r && n == r->of_n ? r : NULL;
}

static int still_sound(struct ledger *l, struct err *err)
{
	int sound = ledger_sound(l, err);
	return sound > 0 ? err_set(err, ERR_AGAIN, "a roll-up can't be read any more") : sound;
}

/* From the roll-up that stands for the first of the parts, where there is one. */
static int make(struct ledger *l, int dir, const char *name, struct part *const *of, size_t n, const struct rollup *base, struct err *err)
{
	struct sum s = {.l = l, .attributes = strlen(name) != DATE};
	struct buf b;
	int r = l->damage.code ? -1 : 0;
	if (r < 0)
		*err = l->damage;
	else if (base)
		r = add_piece(&s, &base->live, base, err);
	for (size_t i = base ? base->of_n : 0; r == 0 && i < n; i++)
		r = add_piece(&s, of[i], NULL, err);
	buf_init(&b, 0);
	if (r == 0) {
		add_any(&s);
		spell(&s, of, n, &b);
		r = still_sound(l, err) < 0 ? -1 : write_rollup(l, dir, name, &b, err);
	}
	buf_release(&b);
	part_release(&s.live);
	part_release(&s.before);
	if (r == 0)
		keep(l, load(l, dir, name), name);
	return r;
}

/* 1: made, 0: it stood, -1: it can't be made now. */
static int renew(struct ledger *l, int dir, const char *name, struct part *const *of, size_t n, bool anew, struct err *err)
{
	struct rollup *have = named(l, name);
	bool begins = have && !anew && made_of(have, of, n);
	if (begins && have->of_n == n)
		return 0;
	if (begins && make(l, dir, name, of, n, have, err) == 0)
		return 1;
	rollup_drop(l, have);	/* stale, or damaged */
	return make(l, dir, name, of, n, NULL, err) == 0 ? 1 : -1;
}

/* Each run of parts that has one name, unless it isn't over. */
static int renew_each(struct ledger *l, void (*name_of)(int64_t day, char out[static NAME]), int64_t today, struct part *const *of, size_t n,
		      bool anew, struct err *err)
{
	char name[NAME], other[NAME], now[NAME];
	int made = 0;
	name_of(today, now);
	for (size_t i = 0, end; i < n; i = end) {
		name_of(of[i]->day, name);
		if (strcmp(name, now) >= 0)
			break;
		for (end = i + 1; end < n && (name_of(of[end]->day, other), strcmp(other, name) == 0); end++)
			;
		int r = renew(l, l->month_dir, name, of + i, end - i, anew, err);
		if (r < 0)
			return -1;
		made += r;
	}
	return made;
}

int ledger_roll_up(struct ledger *l, int64_t today, bool anew, struct err *err)
{
	struct part **of = xcalloc(l->parts_n + 1, sizeof *of);
	size_t n = 0;
	if (ledger_finish_erasing(l, err) < 0) {
		free(of);
		return -1;
	}
	for (size_t i = 0; i < l->parts_n; i++)
		if (l->parts[i]->generation)
			of[n++] = l->parts[i];
	int spans = renew_each(l, span_of, today, of, n, anew, err);
	int months = spans < 0 ? -1 : renew_each(l, month_of, today, of, n, anew, err);
	int total = months < 0 ? -1 : n ? renew(l, l->total_dir, TOTAL, of, n, anew, err) : 0;
	free(of);
	return total < 0 ? -1 : spans + months + total;
}

/* ---- verifying ---------------------------------------------------------------------------------------------------------- */

/* Which of the two images, and where it lies. */
static const char *image_damage(const struct fio_view *v, size_t from, size_t n, uint64_t bytes[static 2])
{
	struct combos combos = {0};
	struct part p = {0};
	struct err ignored;
	const char *why = NULL;
	if (!walk_image(v->p + from, n, &combos, &p))
		why = "it isn't in form";
	else
		for (uint32_t i = 0; i < p.sets_n && !why; i++)
			why = set_check(&p, &p.sets[i], &ignored) < 0 ? "a container's checksum doesn't fit" : NULL;
	bytes[0] = from;
	bytes[1] = from + n;
	part_release(&p);
	combos_release(&combos);
	return why;
}

const char *rollup_damage(const uint8_t *p, size_t n, uint64_t bytes[static 2])
{
	const struct fio_view all = {.p = p, .n = n, .borrowed = true};
	size_t parts = n >= HEAD ? get_u32(p + 12) : 0;
	bytes[0] = 0;
	bytes[1] = n;
	if (n < HEAD || memcmp(p, magic, sizeof magic) != 0 || parts == 0 || parts > (n - HEAD) / PART ||
	    crc32c(crc32c(0, p, 44), p + HEAD, parts * PART) != get_u32(p + 44))
		return "its head's checksum doesn't fit";
	size_t at = HEAD + parts * PART, live = get_u64(p + 16);
	if (live > n - at || get_u64(p + 24) != n - at - live)
		return "it isn't as long as its head says";
	const char *why = image_damage(&all, at, live, bytes);
	return why ? why : image_damage(&all, at + live, n - at - live, bytes);
}
