/*
 * Frames of open/ into the open parts: which fields left is looked up in the plan that the frame names, in the history
 * of signed plans.  Where that plan is missing, the field is "(unknown)": counted, never lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"
#include "log/block.h"
#include "log/link.h"
#include "plan/plan.h"

enum { PLAN_BYTES_MAX = 8 << 20, LEAF_BYTES = PLAN_LEAVES_MAX / 8 };
#define DAY_US INT64_C(86400000000)

/* ---- plans -------------------------------------------------------------------------------------------------------------- */

struct seen_leaves {
	uint8_t leaves[LEAF_BYTES];
	struct combo *combo;
};

struct plan_view {
	const char *vendor;	/* interned */
	uint64_t serial;
	bool found;
	struct field *leaves;
	size_t leaves_n;
	int64_t version;
	uint8_t digest[32];
	struct seen_leaves *seen;	/* leaves that left together */
	uint32_t seen_n;
	struct table table;
};

static void view_free(struct plan_view *v)
{
	free(v->leaves);
	free(v->seen);
	free(v->table.v);
	free(v);
}

void fold_release(struct ledger *l)
{
	for (size_t i = 0; i < l->plans_n; i++)
		view_free(l->plans[i]);
	free(l->plans);
}

static bool slurp(const struct fio *io, int dir, const char *path, struct buf *bytes)
{
	struct fio_stat st;
	int fd = io->open(io->ctx, dir, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool ok = io->stat(io->ctx, fd, &st) == 0 && st.size <= PLAN_BYTES_MAX && buf_reserve(bytes, (size_t)st.size);
	ssize_t n = ok ? fio_read_all(io, fd, bytes->data, (size_t)st.size, 0) : -1;
	io->close(io->ctx, fd);
	bytes->len = n > 0 ? (size_t)n : 0;
	return n > 0;
}

/* A plan of this vendor and serial that the keeper signed, from the history or, where its copy is missing, in force. */
static bool read_plan(const struct ledger_place *p, const char *vendor, uint64_t serial, struct plan_file *out)
{
	char paths[2][128];
	bool found = false;
	snprintf(paths[0], sizeof paths[0], "history/%s/%" PRIu64 ".plan", vendor, serial);
	snprintf(paths[1], sizeof paths[1], "%s.plan", vendor);
	for (int i = 0; i < 2 && !found; i++) {
		struct buf bytes;
		struct err ignored;
		buf_init(&bytes, 0);
		found = slurp(p->io, p->plans, paths[i], &bytes) && plan_file_parse(bytes.data, bytes.len, p->public_key, out, &ignored) == 0;
		buf_release(&bytes);
		if (found && (out->serial != serial || strcmp(out->vendor, vendor) != 0)) {
			plan_file_release(out);
			found = false;
		}
	}
	return found;
}

static void read_leaves(struct ledger *l, struct plan_view *v)
{
	struct plan_file f;
	struct plan *plan = NULL;
	struct err ignored;
	const struct plan_leaf *leaf;
	if (!read_plan(&l->place, v->vendor, v->serial, &f))
		return;
	if (plan_compile(f.contract, f.flow == FLOW_RESTRICTED ? FLOW_RESTRICTED : FLOW_OPEN, &plan, &ignored) == 0) {
		v->leaves_n = plan_leaves(plan, &leaf);
		v->leaves = xcalloc(v->leaves_n + 1, sizeof *v->leaves);
		for (size_t i = 0; i < v->leaves_n; i++)
			v->leaves[i] = (struct field){combos_text(&l->combos, leaf[i].path.at, leaf[i].path.len),
						      combos_text(&l->combos, leaf[i].category.at, leaf[i].category.len)};
		v->version = f.contract->version;
		contract_digest(f.contract, v->digest);
		v->found = true;
		plan_free(&plan);
	}
	plan_file_release(&f);
}

static struct plan_view *view_of(struct ledger *l, struct span vendor, uint64_t serial)
{
	const char *name = combos_text(&l->combos, vendor.at, vendor.len);
	for (size_t i = l->plans_n; i-- > 0;)
		if (l->plans[i]->vendor == name && l->plans[i]->serial == serial)
			return l->plans[i];
	struct plan_view *v = xcalloc(1, sizeof *v);
	*v = (struct plan_view){.vendor = name, .serial = serial};
	read_leaves(l, v);
	l->plans = xrealloc(l->plans, (l->plans_n + 1) * sizeof *l->plans);
	return l->plans[l->plans_n++] = v;
}

static bool same_leaves(const void *arg, uint32_t index, const void *key)
{
	const struct plan_view *v = arg;
	return memcmp(v->seen[index].leaves, key, LEAF_BYTES) == 0;
}

static uint64_t leaves_hash(const void *arg, uint32_t index)
{
	const struct plan_view *v = arg;
	return table_hash(v->seen[index].leaves, LEAF_BYTES);
}

static struct combo *make_combo(struct ledger *l, const struct plan_view *v, const uint8_t *leaves)
{
	struct field f[PLAN_LEAVES_MAX + 1];
	size_t n = 0;
	bool all_known = v->found;
	for (size_t i = 0; i < PLAN_LEAVES_MAX; i++) {
		if (!(leaves[i / 8] >> i % 8 & 1))
			continue;
		if (i < v->leaves_n)
			f[n++] = v->leaves[i];
		else
			all_known = false;
	}
	if (!all_known)
		f[n++] = (struct field){combos_text(&l->combos, "(unknown)", 9), combos_text(&l->combos, "", 0)};
	return combos_exposed(&l->combos, v->vendor, f, n);
}

static struct combo *combo_of(struct ledger *l, struct plan_view *v, const uint8_t *leaves, size_t n)
{
	uint8_t key[LEAF_BYTES] = {0};
	memcpy(key, leaves, n < sizeof key ? n : sizeof key);
	table_grow(&v->table, leaves_hash, v);
	uint32_t *slot = table_find(&v->table, table_hash(key, sizeof key), same_leaves, v, key);
	if (*slot && v->seen[*slot - 1].combo->whole)	/* the union may have grown */
		return make_combo(l, v, key);
	if (!*slot) {
		v->seen = xrealloc(v->seen, (v->seen_n + 1) * sizeof *v->seen);
		memcpy(v->seen[v->seen_n].leaves, key, sizeof key);
		v->seen[v->seen_n++].combo = make_combo(l, v, key);
		v->table.n++;
		*slot = v->seen_n;
	}
	return v->seen[*slot - 1].combo;
}

/* ---- attributes ----------------------------------------------------------------------------------------------------------- */

static const struct combo *attribute(struct ledger *l, const char *name)
{
	return combos_intern(&l->combos, COMBO_ATTRIBUTE, false, name, NULL, 0);
}

/* code: 0 for none, else 1 + its place among AA .. ZZ. */
static const struct combo *jurisdiction(struct ledger *l, unsigned code)
{
	const struct combo **c = &l->attributes.jurisdiction[code];
	char name[] = "jurisdiction:?\0";
	if (code) {
		name[13] = (char)('A' + (code - 1) / 26);
		name[14] = (char)('A' + (code - 1) % 26);
	}
	return *c ? *c : (*c = attribute(l, name));
}

static const struct combo *answer(struct ledger *l, const struct combo **known, const char *what, uint8_t value)
{
	static const char *const words[] = {"?", "no", "yes"};
	char name[32];
	if (value > 2)
		value = 0;
	if (!known[value]) {
		snprintf(name, sizeof name, "%s:%s", what, words[value]);
		known[value] = attribute(l, name);
	}
	return known[value];
}

/* What isn't known is said so: a subject is in at least one set of each attribute. */
static void attributes(struct ledger *l, struct part *p, uint32_t id, const uint8_t a[static ATTRIBUTE_BYTES])
{
	bool code = a[0] >= 'A' && a[0] <= 'Z' && a[1] >= 'A' && a[1] <= 'Z';
	unsigned at = code ? 1 + 26u * (a[0] - 'A') + (a[1] - 'A') : 0;
	bits_set(&part_set(p, jurisdiction(l, at))->bits, id);
	bits_set(&part_set(p, answer(l, l->attributes.minor, "minor", a[2]))->bits, id);
	bits_set(&part_set(p, answer(l, l->attributes.business, "business", a[3]))->bits, id);
}

/* ---- frames --------------------------------------------------------------------------------------------------------------- */

/* Recorded behind an attested deletion: the vendor has it again. */
static void again(struct ledger *l, struct part *p, const char *vendor, uint32_t id)
{
	if (p->deletions)
		bits_clear(&part_set(p, combos_intern(&l->combos, COMBO_DELETED, false, vendor, NULL, 0))->bits, id);
}

static void fold_object(struct ledger *l, struct part *p, struct plan_view *v, const struct block_object *o, size_t leaf_bytes)
{
	static const uint8_t nobody[SUBJECT_BYTES];
	struct set *s = part_set(p, combo_of(l, v, o->leaves, leaf_bytes));
	s->events++;
	if (memcmp(o->subject, nobody, sizeof nobody) == 0)
		return;
	uint32_t id = dict_add(&l->dict, o->subject);
	bits_set(&s->bits, id);
	attributes(l, p, id, o->attributes);
	again(l, p, v->vendor, id);
}

/* 1: a source that is to be counted, 0: it was. */
static int new_source(struct ledger *l, uint64_t source, uint64_t own, struct err *err)
{
	if (source == 0 || source == UINT64_MAX)
		return err_set(err, ERR_CORRUPT, "an exposure without a source");
	if (own)
		l->newest_own = own;
	if (!ranges_has(&l->sources, source))
		return 1;
	l->stats.duplicates++;
	return 0;
}

static void count_source(struct ledger *l, struct part *p, uint64_t source)
{
	ranges_add(&l->sources, source);
	ranges_add(&p->sources, source);
	l->stats.frames++;
	l->changes++;
}

static struct plan_view *use_plan(struct ledger *l, struct part *p, struct span vendor, uint64_t serial)
{
	struct plan_view *v = view_of(l, vendor, serial);
	if (v->found)
		part_use(p, v->vendor, v->version, v->digest);
	else
		l->stats.unreadable++;
	return v;
}

int fold_block(struct ledger *l, uint64_t source, uint64_t own, const uint8_t *body, size_t n, struct err *err)
{
	struct block b;
	int is_new = new_source(l, source, own, err);
	if (is_new <= 0)
		return is_new;
	if (block_parse(body, n, &b, err) < 0)
		return err_prefix(err, "frame %" PRIu64 ": ", own);
	struct part *p = ledger_open_part(l, (int64_t)(b.head.received_us / (uint64_t)DAY_US), own);
	struct plan_view *v = use_plan(l, p, b.head.vendor, b.head.plan_serial);
	for (uint32_t i = 0; i < b.head.count; i++) {
		struct block_object o;
		block_object_at(&b, i, &o);
		dict_prefetch(&l->dict, o.subject);
	}
	for (uint32_t i = 0; i < b.head.count; i++) {
		struct block_object o;
		block_object_at(&b, i, &o);
		dict_prefetch_key(&l->dict, o.subject);
	}
	for (uint32_t i = 0; i < b.head.count; i++) {
		struct block_object o;
		block_object_at(&b, i, &o);
		fold_object(l, p, v, &o, b.head.leaf_bytes);
	}
	count_source(l, p, source);
	return 0;
}

/* The vendor got the link's object under each of its identifiers; its event is counted with the request. */
static void fold_people_of(struct ledger *l, struct part *p, struct plan_view *v, const struct link_one *k, size_t leaf_bytes)
{
	const struct combo *c = combo_of(l, v, k->leaves, leaf_bytes);
	uint32_t first = 0;
	for (uint8_t i = 0; i < k->n; i++) {
		uint32_t id = dict_add(&l->dict, k->subjects + (size_t)i * SUBJECT_BYTES);
		bits_set(&part_set(p, c)->bits, id);
		attributes(l, p, id, k->attributes);
		again(l, p, v->vendor, id);
		if (i == 0)
			first = id;
		else
			l->links += part_link(p, i < k->persons ? LINK_SAME : LINK_BELONGS, id, first);
	}
}

int fold_link(struct ledger *l, uint64_t source, uint64_t own, const uint8_t *body, size_t n, struct err *err)
{
	struct link_frame f;
	struct link_one k;
	int is_new = new_source(l, source, own, err);
	if (is_new <= 0)
		return is_new;
	if (link_parse(body, n, &f, err) < 0)
		return err_prefix(err, "frame %" PRIu64 ": ", own);
	struct part *p = ledger_open_part(l, (int64_t)(f.head.received_us / (uint64_t)DAY_US), own);
	struct plan_view *v = use_plan(l, p, f.head.vendor, f.head.plan_serial);
	for (uint32_t i = 0; i < f.count; i++) {
		link_next(&f, &k);
		fold_people_of(l, p, v, &k, f.head.leaf_bytes);
	}
	count_source(l, p, source);
	return 0;
}

static const struct combo *record_combo(struct ledger *l, const struct record_view *v)
{
	struct field *f = xcalloc((size_t)v->fields_n + 1, sizeof *f);
	const uint8_t *at = v->fields;
	for (uint16_t i = 0; i < v->fields_n; i++) {
		struct span path, category;
		record_field(&at, &path, &category);
		f[i] = (struct field){combos_text(&l->combos, path.at, path.len), combos_text(&l->combos, category.at, category.len)};
	}
	enum combo_kind kind = v->r.what == RECORD_MEASURED ? COMBO_MEASURED : COMBO_DELETED;
	const struct combo *c = combos_intern(&l->combos, kind, false, v->r.vendor, f, v->fields_n);
	free(f);
	return c;
}

/* Everybody of whom the vendor is known to have got something up to that day. */
static int delete_all(struct ledger *l, const struct part *until, const char *vendor, struct bits *gone, struct err *err)
{
	for (size_t i = 0; i < l->parts_n && l->parts[i]->day <= until->day; i++)
		for (uint32_t k = 0; k < l->parts[i]->sets_n; k++) {
			const struct set *s = &l->parts[i]->sets[k];
			if (s->combo->kind > COMBO_MEASURED || s->combo->name != vendor)
				continue;
			if (ledger_use_set(l, l->parts[i], s, err) < 0)
				return -1;
			set_add_to(s, gone);
		}
	return 0;
}

static int fold_people(struct ledger *l, struct part *p, const struct record_view *v, struct err *err)
{
	static const uint8_t unknown[ATTRIBUTE_BYTES];
	bool measured = v->r.what == RECORD_MEASURED;
	const struct combo *c = record_combo(l, v);
	struct set *s = part_set(p, c);
	p->deletions |= !measured;
	if (v->r.people == UINT32_MAX) {
		struct bits gone = {0};
		int r = delete_all(l, p, v->r.vendor, &gone, err);
		bits_or(&s->bits, &gone);
		bits_release(&gone);
		return r;
	}
	if (measured)
		s->events += v->r.people;
	for (uint32_t i = 0; i < v->r.people; i++) {
		uint32_t id = dict_add(&l->dict, v->subjects + (size_t)i * SUBJECT_BYTES);
		bits_set(&part_set(p, c)->bits, id);
		if (!measured)
			continue;
		attributes(l, p, id, unknown);
		again(l, p, v->r.vendor, id);
	}
	return 0;
}

/* The newest counts, so within a part one takes the other back. */
static void fold_restriction(struct ledger *l, struct part *p, const struct record_view *v)
{
	bool on = v->r.what == RECORD_RESTRICTED;
	const struct combo *set = attribute(l, on ? "restricted:yes" : "restricted:no"), *clear = attribute(l, on ? "restricted:no" : "restricted:yes");
	for (uint32_t i = 0; i < v->r.people; i++) {
		uint32_t id;
		if (!dict_find(&l->dict, v->subjects + (size_t)i * SUBJECT_BYTES, &id))
			continue;	/* erased since */
		bits_set(&part_set(p, set)->bits, id);
		bits_clear(&part_set(p, clear)->bits, id);
	}
}

static int fold_record(struct ledger *l, const struct log_frame *f, struct err *err)
{
	struct record_view v;
	if (record_parse(f->body, f->len, &v, err) < 0)
		return err_prefix(err, "frame %" PRIu64 ": ", f->seq);
	if (ledger_has_record(l, v.r.id)) {
		l->stats.duplicates++;
		return 0;
	}
	v.r.vendor = combos_text(&l->combos, v.vendor.at, v.vendor.len);
	v.r.who = combos_text(&l->combos, v.who.at, v.who.len);
	v.r.why = combos_text(&l->combos, v.why.at, v.why.len);
	struct part *p = ledger_open_part(l, v.day, f->seq);
	if (v.r.what == RECORD_RESTRICTED || v.r.what == RECORD_RELEASED)
		fold_restriction(l, p, &v);
	else if (v.r.what != RECORD_ARRIVED && fold_people(l, p, &v, err) < 0)
		return -1;
	part_record(p, &v.r);
	l->stats.records += v.r.what != RECORD_ARRIVED;
	l->changes++;
	return 0;
}

int fold_frame(struct ledger *l, const struct log_frame *f, struct err *err)
{
	if (f->type == LOG_EXPOSURE)
		return f->len < 8 ? err_set(err, ERR_CORRUPT, "frame %" PRIu64 " is too short", f->seq)
				  : fold_block(l, get_u64(f->body), f->seq, f->body + 8, f->len - 8, err);
	if (f->type == LOG_RECORD)
		return fold_record(l, f, err);
	if (f->type == LOG_ERASE)
		return fold_erase(l, f, err);
	if (f->type == LOG_LINK)
		return f->len < 8 ? err_set(err, ERR_CORRUPT, "frame %" PRIu64 " is too short", f->seq)
				  : fold_link(l, get_u64(f->body), f->seq, f->body + 8, f->len - 8, err);
	return 0;
}
