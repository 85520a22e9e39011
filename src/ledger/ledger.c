/* The ledger as a whole: what is on disk at the start, what comes, days that are closed. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ledger/inside.h"

enum { DAY_SECONDS = 86400, GENERATIONS_MAX = 9999 };
#define DAY_BYTES_MAX (UINT64_C(4) << 30)

/* ---- parts ---------------------------------------------------------------------------------------------------------------- */

static int part_order(const struct part *p, int64_t day, uint32_t generation)
{
	if (p->day != day)
		return p->day < day ? -1 : 1;
	uint32_t g = p->generation ? p->generation : UINT32_MAX;
	return g < generation ? -1 : g > generation;
}

static struct part *insert_part(struct ledger *l, int64_t day, uint32_t generation)
{
	size_t at = l->parts_n;
	while (at > 0 && part_order(l->parts[at - 1], day, generation) > 0)
		at--;
	l->parts = xrealloc(l->parts, (l->parts_n + 1) * sizeof *l->parts);
	memmove(l->parts + at + 1, l->parts + at, (l->parts_n - at) * sizeof *l->parts);
	l->parts_n++;
	return l->parts[at] = xcalloc(1, sizeof **l->parts);
}

struct part *ledger_open_part(struct ledger *l, int64_t day, uint64_t own)
{
	for (size_t i = l->parts_n; i-- > 0 && l->parts[i]->day >= day;)
		if (l->parts[i]->day == day && l->parts[i]->generation == 0)
			return l->parts[i];
	struct part *p = insert_part(l, day, UINT32_MAX);
	*p = (struct part){.day = day, .first_own = own};
	return p;
}

bool ledger_has_record(const struct ledger *l, const uint8_t id[static 16])
{
	for (size_t i = 0; i < l->parts_n; i++)
		for (size_t k = 0; k < l->parts[i]->records_n; k++)
			if (memcmp(l->parts[i]->records[k].id, id, 16) == 0)
				return true;
	return false;
}

void ledger_day_name(int64_t day, uint32_t generation, char out[static DAY_NAME])
{
	char date[11];
	clock_format_day(day * DAY_SECONDS, date);
	if (generation == 1)
		snprintf(out, DAY_NAME, "%s", date);
	else
		snprintf(out, DAY_NAME, "%s.%" PRIu32, date, generation);
}

/* ---- closed days at the start ----------------------------------------------------------------------------------------------- */

struct name {
	int64_t day;
	uint32_t generation;
};

struct names {
	struct name *v;
	size_t n;
};

/* "2026-01-15", "2026-01-15.2"; what a write left behind isn't a day. */
static bool note_name(void *arg, const char *name)
{
	struct names *s = arg;
	char again[DAY_NAME];
	int64_t at;
	if (strlen(name) < 10 || strlen(name) >= DAY_NAME || !clock_parse(name, 10, &at))
		return true;
	unsigned long g = name[10] == '.' ? strtoul(name + 11, NULL, 10) : 1;
	if (g == 0 || g > GENERATIONS_MAX)
		return true;
	ledger_day_name(at / DAY_SECONDS, (uint32_t)g, again);
	if (strcmp(again, name) != 0)
		return true;
	s->v = xrealloc(s->v, (s->n + 1) * sizeof *s->v);
	s->v[s->n++] = (struct name){at / DAY_SECONDS, (uint32_t)g};
	return true;
}

static int view_file(const struct fio *io, int dir, const char *name, struct fio_view *out, struct err *err)
{
	struct fio_stat st;
	int fd = io->open(io->ctx, dir, name, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "state/ledger/day/%s", name);
	int r = io->stat(io->ctx, fd, &st) < 0 ? err_sys(err, "state/ledger/day/%s", name) : 0;
	if (r == 0 && st.size > DAY_BYTES_MAX)
		r = err_set(err, ERR_CORRUPT, "state/ledger/day/%s: larger than a day can be", name);
	if (r == 0 && fio_view(io, fd, (size_t)st.size, out) != 0)
		r = err_sys(err, "state/ledger/day/%s", name);
	io->close(io->ctx, fd);
	return r;
}

static int open_day(struct ledger *l, int64_t day, uint32_t generation, struct part *out, struct err *err)
{
	char name[DAY_NAME];
	struct fio_view view;
	ledger_day_name(day, generation, name);
	if (view_file(l->place.io, l->day_dir, name, &view, err) < 0)
		return -1;
	if (day_walk(&view, &l->combos, out, err) < 0)
		return err_prefix(err, "state/ledger/day/%s: ", name);
	const char *wrong = out->day != day || out->generation != generation ? "holds another day" : NULL;
	for (uint32_t i = 0; i < out->sets_n; i++)
		if (out->sets[i].combo->kind == COMBO_ANY)
			wrong = "holds what only a roll-up may";
	if (!wrong)
		return 0;
	part_release(out);
	return err_set(err, ERR_CORRUPT, "state/ledger/day/%s: %s", name, wrong);
}

static int load_part(struct ledger *l, int64_t day, uint32_t generation, struct dict_claim *claim, struct err *err)
{
	struct part p;
	if (open_day(l, day, generation, &p, err) < 0)
		return -1;
	*insert_part(l, day, generation) = p;
	ranges_add_all(&l->sources, p.sources.v, p.sources.n);
	l->links += p.links_n;
	*claim = (struct dict_claim){.n = p.dict_n, .crc = p.dict_crc};
	ledger_day_name(day, generation, claim->who);
	return 0;
}

/* What is wrong with a part makes the whole ledger wrong: from now on it answers nothing. */
static int name_damage(struct ledger *l, const struct part *p, struct err *err)
{
	char name[DAY_NAME];
	ledger_day_name(p->day, p->generation, name);
	err_prefix(err, "state/ledger/day/%s: ", name);
	l->damage = *err;
	return -1;
}

int ledger_use_set(struct ledger *l, const struct part *p, const struct set *s, struct err *err)
{
	return set_check(p, s, err) < 0 ? name_damage(l, p, err) : 0;
}

int ledger_has(struct ledger *l, const struct part *p, const struct set *s, uint32_t id, struct err *err)
{
	int r = set_has(p, s, id, err);
	return r < 0 ? name_damage(l, p, err) : r;
}

void ledger_forget_checks(struct ledger *l)
{
	for (size_t i = 0; i < l->parts_n; i++) {
		struct part *p = l->parts[i];
		p->checked = false;
		for (size_t k = 0; k < p->containers_n; k++)
			p->containers[k].checked = false;
	}
}

int ledger_check(struct ledger *l, size_t limit, struct err *err)
{
	int n = 0;
	if (ledger_look_at_one(l, err) < 0)
		return -1;
	for (size_t i = 0; i < l->parts_n && limit > 0; i++) {
		struct part *p = l->parts[i];
		if (p->generation == 0 || p->checked)
			continue;
		if (part_check(p, err) < 0)
			return name_damage(l, p, err);
		p->checked = true;
		limit--;
		n++;
	}
	n += (int)rollups_check(l, limit);
	return ledger_sound(l, err) < 0 ? -1 : n;
}

static int whole(const struct ledger *l, struct err *err)
{
	for (size_t i = 0; i < l->parts_n; i++) {
		const struct part *p = l->parts[i], *before = i ? l->parts[i - 1] : NULL;
		uint32_t want = before && before->day == p->day ? before->generation + 1 : 1;
		char name[DAY_NAME];
		ledger_day_name(p->day, want, name);
		if (p->generation != want)
			return err_set(err, ERR_CORRUPT, "state/ledger/day/%s is gone", name);
	}
	return 0;
}

static int by_age(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	return x->generation < y->generation ? -1 : x->generation > y->generation;
}

static int load_days(struct ledger *l, struct err *err)
{
	struct names s = {0};
	if (l->place.io->list(l->place.io->ctx, l->day_dir, note_name, &s) < 0) {
		free(s.v);
		return err_sys(err, "state/ledger/day");
	}
	if (s.n)
		qsort(s.v, s.n, sizeof *s.v, by_age);	/* the same combos, whatever the folder's order */
	struct dict_claim *claims = xcalloc(s.n + 1, sizeof *claims);
	int r = 0;
	for (size_t i = 0; i < s.n && r == 0; i++)
		r = load_part(l, s.v[i].day, s.v[i].generation, &claims[i], err);
	if (r == 0)
		r = whole(l, err);
	if (r == 0)
		r = dict_load(&l->dict, l->place.io, l->dict_dir, claims, s.n, err);
	free(claims);
	free(s.v);
	return r;
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------ */

static int open_dir(const struct ledger_place *p, const char *name, int *out, struct err *err)
{
	*out = p->io->open(p->io->ctx, p->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (*out < 0 && errno == ENOENT && p->io->mkdir(p->io->ctx, p->dir, name, 0700) == 0 && p->io->sync(p->io->ctx, p->dir) == 0)
		*out = p->io->open(p->io->ctx, p->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return *out < 0 ? err_sys(err, "state/ledger/%s", name) : 0;
}

int ledger_open(const struct ledger_place *p, const struct log_mark *mark, struct ledger **out, struct err *err)
{
	struct ledger *l = xcalloc(1, sizeof *l);
	*l = (struct ledger){.place = *p, .faults = fio_faults(), .day_dir = -1, .dict_dir = -1, .open_dir = -1, .month_dir = -1, .total_dir = -1};
	*out = NULL;
	int r = open_dir(p, "day", &l->day_dir, err);
	if (r == 0)
		r = open_dir(p, "dict", &l->dict_dir, err);
	if (r == 0)
		r = open_dir(p, "open", &l->open_dir, err);
	struct err ignored;	/* without roll-ups the days answer: a folder may be read-only */
	(void)!open_dir(p, "month", &l->month_dir, &ignored);
	(void)!open_dir(p, "total", &l->total_dir, &ignored);
	if (r == 0)
		r = load_days(l, err);
	if (r == 0)
		rollups_load(l);
	if (r == 0)
		r = log_reader_open(p->io, l->open_dir, mark, 0, &l->open, err);
	if (r == 0) {
		log_reader_patience(l->open, 0);	/* whoever writes it is us, or gone */
		r = ledger_catch_up(l, SIZE_MAX, err) < 0 ? -1 : 0;
	}
	if (r == 0)
		*out = l;
	else
		ledger_close(&l);
	return r;
}

void ledger_close(struct ledger **l)
{
	struct ledger *x = *l;
	if (!x)
		return;
	int dirs[] = {x->day_dir, x->dict_dir, x->open_dir, x->month_dir, x->total_dir};
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		if (dirs[i] >= 0)
			x->place.io->close(x->place.io->ctx, dirs[i]);
	log_reader_close(&x->open);
	blast_free(&x->last);
	rollups_release(x);
	for (size_t i = 0; i < x->parts_n; i++) {
		part_release(x->parts[i]);
		free(x->parts[i]);
	}
	free(x->parts);
	free(x->sources.v);
	fold_release(x);
	persons_release(&x->persons);
	combos_release(&x->combos);
	dict_release(&x->dict);
	free(x->leaving);
	free(x);
	*l = NULL;
}

/* ---- what comes --------------------------------------------------------------------------------------------------------------- */

static int damaged(struct ledger *l, struct err *err)
{
	if (err->code == ERR_CORRUPT)
		l->damage = *err;
	return -1;
}

int64_t ledger_catch_up(struct ledger *l, size_t limit, struct err *err)
{
	int64_t n = 0;
	if (l->damage.code) {
		*err = l->damage;
		return -1;
	}
	while ((size_t)n < limit) {
		struct log_frame f;
		int got = log_read(l->open, &f, err);
		if (got == 0)
			break;
		if (got == 1)
			got = fold_frame(l, &f, err);
		if (got < 0) {
			err_prefix(err, "state/ledger/open: ");
			return damaged(l, err);
		}
		n++;
	}
	return ledger_sound(l, err) < 0 ? -1 : n;
}

int ledger_add_gate(struct ledger *l, int log_dir, struct err *err)
{
	struct log_reader *r;
	struct log_frame f;
	uint64_t copied = l->sources.n ? l->sources.v[l->sources.n - 1].to : 0;
	if (log_reader_open(l->place.io, log_dir, NULL, copied, &r, err) < 0)
		return -1;
	int got;
	/* A gap was reported at the gate's recovery; the keeper passes over it as well. */
	while ((got = log_read(r, &f, err)) == 1 || (got < 0 && err->code == ERR_CORRUPT))
		if (got == 1 && (f.type == LOG_REQUEST || f.type == LOG_LINK)) {
			struct err unreadable;	/* the courier can't send it either */
			(void)(f.type == LOG_LINK ? fold_link : fold_block)(l, f.seq, 0, f.body, f.len, &unreadable);
		}
	log_reader_close(&r);
	return got;
}

/* ---- closing a day ---------------------------------------------------------------------------------------------------------------- */

static int write_file(const struct ledger *l, const char *name, const struct buf *b, struct err *err)
{
	const struct fio *io = l->place.io;
	char temporary[DAY_NAME + 4];
	snprintf(temporary, sizeof temporary, "%s.new", name);
	int fd = io->open(io->ctx, l->day_dir, temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "state/ledger/day/%s", temporary);
	bool good = fio_write_all(io, fd, b->data, b->len, 0) == 0 && io->sync(io->ctx, fd) == 0;
	int r = good ? 0 : err_sys(err, "state/ledger/day/%s", temporary);
	io->close(io->ctx, fd);
	if (r == 0 && (io->rename(io->ctx, l->day_dir, temporary, name) < 0 || io->sync(io->ctx, l->day_dir) < 0))
		r = err_sys(err, "state/ledger/day/%s", name);
	return r;
}

static uint32_t next_generation(const struct ledger *l, int64_t day)
{
	uint32_t g = 0;
	for (size_t i = 0; i < l->parts_n; i++)
		if (l->parts[i]->day == day && l->parts[i]->generation > g)
			g = l->parts[i]->generation;
	return g + 1;
}

/* Read back as it was written, so that what answers from now on is what the next start will find. */
static int read_back(struct ledger *l, struct part *p, uint32_t generation, struct err *err)
{
	struct part closed;
	if (open_day(l, p->day, generation, &closed, err) < 0)
		return -1;
	if (part_check(&closed, err) < 0) {
		part_release(&closed);
		return name_damage(l, &(struct part){.day = p->day, .generation = generation}, err);
	}
	closed.checked = true;
	l->changes++;
	part_release(p);
	*p = closed;
	return 0;
}

static int close_part(struct ledger *l, size_t at, struct err *err)
{
	struct part *p = l->parts[at];
	struct buf b;
	char name[DAY_NAME];
	uint32_t generation = next_generation(l, p->day);
	if (generation > GENERATIONS_MAX)
		return err_set(err, ERR_LIMIT, "a day was written %d times", GENERATIONS_MAX);
	if (dict_sync(&l->dict, l->place.io, l->dict_dir, err) < 0)
		return -1;
	p->dict_n = l->dict.synced;
	p->dict_crc = l->dict.crc;
	p->generation = generation;
	buf_init(&b, 0);
	crypt_random(p->salt, sizeof p->salt);
	day_write(p, NULL, &b);
	p->generation = 0;
	ledger_day_name(p->day, generation, name);
	int r = write_file(l, name, &b, err);
	buf_release(&b);
	if (r == 0)
		r = read_back(l, p, generation, err);
	if (r < 0)
		return -1;
	l->stats.days_closed++;
	l->stats.bytes_closed += p->view.n;
	return 0;
}

int ledger_rewrite(struct ledger *l, size_t at, const struct bits *gone, struct err *err)
{
	struct part *p = l->parts[at];
	struct buf b;
	char name[DAY_NAME];
	if (part_check(p, err) < 0)	/* damage isn't given a new checksum */
		return name_damage(l, p, err);
	buf_init(&b, 0);
	crypt_random(p->salt, sizeof p->salt);
	day_write(p, gone, &b);
	ledger_day_name(p->day, p->generation, name);
	int r = ledger_sound(l, err) < 0 ? -1 : write_file(l, name, &b, err);
	buf_release(&b);
	l->stats.erasures++;
	return r < 0 ? -1 : read_back(l, p, p->generation, err);
}

int ledger_close_days(struct ledger *l, int64_t today, struct err *err)
{
	int n = 0;
	if (l->damage.code) {
		*err = l->damage;
		return -1;
	}
	if (ledger_finish_erasing(l, err) < 0)
		return -1;
	for (size_t i = 0; i < l->parts_n; i++) {
		if (l->parts[i]->generation != 0 || l->parts[i]->day >= today)
			continue;
		if (close_part(l, i, err) < 0)
			return -1;
		n++;
	}
	return n;
}

void ledger_days(const struct ledger *l, void (*each)(void *arg, const struct ledger_day *d), void *arg)
{
	for (size_t i = 0; i < l->parts_n; i++) {
		const struct part *p = l->parts[i];
		struct ledger_day d = {.day = p->day, .generation = p->generation, .bytes = p->view.p, .n = p->view.n, .head_n = p->head_n,
				       .subjects = p->dict_n};
		if (p->generation == 0)
			continue;
		memcpy(d.root, part_root(p), sizeof d.root);
		each(arg, &d);
	}
}

uint32_t ledger_subjects_stored(const struct ledger *l)
{
	return l->dict.synced;
}

void ledger_dict_root(struct ledger *l, uint32_t n, uint8_t root[static 32])
{
	struct tlog_hash h;
	dict_root(&l->dict, n, &h);
	memcpy(root, h.b, sizeof h.b);
}

uint64_t ledger_passed(const struct ledger *l)
{
	uint64_t keep = l->newest_own;	/* 0: nothing goes */
	for (size_t i = 0; i < l->parts_n; i++)
		if (l->parts[i]->generation == 0 && l->parts[i]->first_own && l->parts[i]->first_own < keep)
			keep = l->parts[i]->first_own;
	return keep ? keep - 1 : 0;
}

struct ledger_stats ledger_stats(const struct ledger *l)
{
	struct ledger_stats s = l->stats;
	s.subjects = l->dict.n;
	return s;
}
