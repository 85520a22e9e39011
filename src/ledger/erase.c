/*
 * Erasure: what Weir knows of a person leaves the ledger's files.
 *
 * It is recorded first, as a LOG_ERASE frame in open/, little-endian:
 *   u64 what the copier has passed (so that the frames before it may go), erasure, keys x u32 id
 *   erasure: u8 id[16], s64 at, u8 forced, u32 people, u16 len, who, u16 len, why, u32 keys, keys x subject[16],
 *            u32 vendors, vendors x { u16 len, vendor, u32 people, u32 unattested }
 * From then on their keys lead nowhere, and what comes of them later begins anew under another id.  Then every closed day that
 * holds one of the ids is written again without it, roll-ups are removed (they are made again of those days), and last the keys
 * in dict/keys are overwritten with random bytes.  Each step may be done twice; what a crash leaves is done at the next start,
 * for as long as the frame is there.
 *
 * What stays is the erasure, in the file of its day and without ids: which keys it was, so that `subject` can say that they
 * were erased, and for each vendor of how many of them it had got something.  Which day, which field: nobody knows any more.
 */
#include <stdlib.h>
#include <string.h>

#include "ledger/answer.h"

enum { IDS_MAX = 20000, WHY_LEN = 500 };

/* ---- spelling ----------------------------------------------------------------------------------------------------------- */

void erased_release(struct erased *e)
{
	free(e->keys);
	free(e->vendors);
	*e = (struct erased){0};
}

void erased_spell(const struct erased *e, struct buf *b)
{
	const uint8_t forced = e->forced;
	buf_add(b, e->id, sizeof e->id);
	spell_u64(b, (uint64_t)e->at);
	buf_add(b, &forced, 1);
	spell_u32(b, e->people);
	spell_text(b, e->who);
	spell_text(b, e->why);
	spell_u32(b, e->keys_n);
	if (e->keys_n)
		buf_add(b, e->keys, (size_t)e->keys_n * SUBJECT_BYTES);
	spell_u32(b, e->vendors_n);
	for (uint32_t i = 0; i < e->vendors_n; i++) {
		spell_text(b, e->vendors[i].vendor);
		spell_u32(b, e->vendors[i].people);
		spell_u32(b, e->vendors[i].unattested);
	}
}

bool erased_take(struct reader *r, struct combos *c, struct erased *e)
{
	*e = (struct erased){0};
	memcpy(e->id, take_bytes(r, sizeof e->id), sizeof e->id);
	e->at = (int64_t)take_u64(r);
	uint8_t forced = *take_bytes(r, 1);
	e->forced = forced;
	e->people = take_u32(r);
	e->who = take_text(r, c, take_u16(r));
	e->why = take_text(r, c, take_u16(r));
	uint32_t n = take_count(r, SUBJECT_BYTES);
	e->keys = xcalloc((size_t)n + 1, sizeof *e->keys);
	for (; n-- > 0 && !r->bad; e->keys_n++)
		memcpy(e->keys[e->keys_n], take_bytes(r, SUBJECT_BYTES), SUBJECT_BYTES);
	n = take_count(r, 10);
	e->vendors = xcalloc((size_t)n + 1, sizeof *e->vendors);
	for (; n-- > 0 && !r->bad; e->vendors_n++) {
		struct erased_vendor *v = &e->vendors[e->vendors_n];
		v->vendor = take_text(r, c, take_u16(r));
		v->people = take_u32(r);
		v->unattested = take_u32(r);
		r->bad |= v->unattested > v->people || v->people > e->people;
	}
	return !r->bad && forced <= 1 && e->keys_n > 0 && e->people > 0 && e->people <= e->keys_n;
}

/* ---- what was erased ---------------------------------------------------------------------------------------------------- */

static const struct erased *find(const struct ledger *l, const uint8_t id[static 16])
{
	for (size_t i = 0; i < l->parts_n; i++)
		for (size_t k = 0; k < l->parts[i]->erased_n; k++)
			if (memcmp(l->parts[i]->erased[k].id, id, 16) == 0)
				return &l->parts[i]->erased[k];
	return NULL;
}

const struct erased *ledger_erased(const struct ledger *l, const uint8_t key[static SUBJECT_BYTES])
{
	const struct erased *newest = NULL;
	for (size_t i = 0; i < l->parts_n; i++)
		for (size_t k = 0; k < l->parts[i]->erased_n; k++) {
			const struct erased *e = &l->parts[i]->erased[k];
			for (uint32_t n = 0; n < e->keys_n; n++)
				if (memcmp(e->keys[n], key, SUBJECT_BYTES) == 0 && (!newest || e->at > newest->at))
					newest = e;
		}
	return newest;
}

static void decide(const char *what, int64_t at, uint32_t identifiers, bool forced, const struct buf *spelt,
		   void (*each)(void *arg, const struct ledger_decision *d), void *arg)
{
	struct ledger_decision d = {what, at, identifiers, forced, {0}};
	crypt_sha256(spelt->data, spelt->len, d.sha256);
	each(arg, &d);
}

static void decisions_of(const struct part *p, void (*each)(void *arg, const struct ledger_decision *d), void *arg)
{
	struct buf b;
	buf_init(&b, 0);
	for (size_t i = 0; i < p->records_n; i++) {
		const struct record *r = &p->records[i];
		if (r->what != RECORD_RESTRICTED && r->what != RECORD_RELEASED)
			continue;
		buf_reset(&b);
		record_spell(r, &b);
		decide(r->what == RECORD_RESTRICTED ? "restrict" : "release", r->at, r->people, false, &b, each, arg);
	}
	for (size_t i = 0; i < p->erased_n; i++) {
		buf_reset(&b);
		erased_spell(&p->erased[i], &b);
		decide("erase", p->erased[i].at, p->erased[i].keys_n, p->erased[i].forced, &b, each, arg);
	}
	buf_release(&b);
}

void ledger_decisions(const struct ledger *l, void (*each)(void *arg, const struct ledger_decision *d), void *arg)
{
	for (size_t i = 0; i < l->parts_n; i++)
		decisions_of(l->parts[i], each, arg);
}

/* The vendor attested since then to have deleted everybody. */
static bool attested_since(const struct ledger *l, const char *vendor, int64_t at)
{
	for (size_t i = 0; i < l->parts_n; i++)
		for (size_t k = 0; k < l->parts[i]->records_n; k++) {
			const struct record *r = &l->parts[i]->records[k];
			if (r->what == RECORD_DELETED && r->people == UINT32_MAX && r->at >= at && r->vendor == vendor)
				return true;
		}
	return false;
}

void ledger_erased_of(const struct ledger *l, const char *vendor, uint64_t *people, uint64_t *unattested)
{
	*people = *unattested = 0;
	for (size_t i = 0; i < l->parts_n; i++)
		for (size_t k = 0; k < l->parts[i]->erased_n; k++) {
			const struct erased *e = &l->parts[i]->erased[k];
			for (uint32_t v = 0; v < e->vendors_n; v++) {
				if (strcmp(e->vendors[v].vendor, vendor) != 0)
					continue;
				*people += e->vendors[v].people;
				*unattested += attested_since(l, e->vendors[v].vendor, e->at) ? 0 : e->vendors[v].unattested;
			}
		}
}

int ledger_restricted(struct ledger *l, uint32_t id, struct err *err)
{
	const char *const names[] = {"restricted:no", "restricted:yes"};
	for (size_t i = l->parts_n; i-- > 0;)
		for (int on = 1; on >= 0; on--)
			for (uint32_t k = 0; k < l->parts[i]->sets_n; k++) {
				const struct set *s = &l->parts[i]->sets[k];
				int has = 0;
				if (s->combo->kind == COMBO_ATTRIBUTE && strcmp(s->combo->name, names[on]) == 0)
					has = ledger_has(l, l->parts[i], s, id, err);
				if (has)
					return has < 0 ? -1 : on;
			}
	return 0;
}

/* ---- from a frame ------------------------------------------------------------------------------------------------------- */

static void forget_links(struct part *p, const struct bits *gone)
{
	struct link *old = p->links;
	uint32_t n = p->links_n;
	free(p->link_table.v);
	p->link_table = (struct table){0};
	p->links = NULL;
	p->links_n = p->links_cap = 0;
	for (uint32_t i = 0; i < n; i++)
		if (!bits_has(gone, old[i].from) && !bits_has(gone, old[i].to))
			part_link(p, (enum link_kind)old[i].kind, old[i].from, old[i].to);
	free(old);
}

static void leave_open_parts(struct ledger *l, const struct bits *gone)
{
	for (size_t i = 0; i < l->parts_n; i++) {
		struct part *p = l->parts[i];
		for (uint32_t k = 0; p->generation == 0 && k < p->sets_n; k++)
			bits_without(&p->sets[k].bits, gone);
		if (p->generation == 0)
			forget_links(p, gone);
	}
}

static void leave(struct ledger *l, const struct erased *e, const uint8_t *ids)
{
	struct bits gone = {0};
	l->leaving = xrealloc(l->leaving, (l->leaving_n + e->keys_n) * sizeof *l->leaving);
	for (uint32_t i = 0; i < e->keys_n; i++) {
		uint32_t id = get_u32(ids + 4 * (size_t)i);
		if (id >= l->dict.synced)	/* what is open was closed before */
			continue;
		dict_unlink(&l->dict, e->keys[i], id);
		bits_set(&gone, id);
		l->leaving[l->leaving_n].id = id;
		memcpy(l->leaving[l->leaving_n++].key, e->keys[i], SUBJECT_BYTES);
	}
	leave_open_parts(l, &gone);
	bits_release(&gone);
	l->links++;	/* people are to be counted anew */
	l->changes++;
}

int fold_erase(struct ledger *l, const struct log_frame *f, struct err *err)
{
	struct reader r = {f->body + 8, f->body + f->len, false};
	struct erased e = {0};
	bool good = f->len >= 8 && erased_take(&r, &l->combos, &e) && (size_t)(r.end - r.at) == 4 * (size_t)e.keys_n;
	if (good)
		l->newest_own = f->seq;
	l->stats.erasures++;
	if (good && !find(l, e.id)) {
		leave(l, &e, r.at);
		part_erased(ledger_open_part(l, e.at / 86400, f->seq), &e);
		return 0;
	}
	erased_release(&e);
	return good ? 0 : err_set(err, ERR_CORRUPT, "frame %llu: an erasure that isn't in form", (unsigned long long)f->seq);
}

/* ---- through every file ------------------------------------------------------------------------------------------------- */

bool ledger_erasing(const struct ledger *l)
{
	return l->leaving_n > 0;
}

struct strays {
	const struct ledger *l;
	bool failed;
};

/* What a write left behind may hold anybody. */
static bool remove_stray(void *arg, const char *name)
{
	struct strays *s = arg;
	const struct fio *io = s->l->place.io;
	size_t n = strlen(name);
	if (n > 4 && strcmp(name + n - 4, ".new") == 0)
		s->failed |= io->unlink(io->ctx, s->l->day_dir, name) < 0;
	return true;
}

static int rewrite_days(struct ledger *l, const struct bits *gone, struct err *err)
{
	struct strays s = {.l = l};
	if (l->place.io->list(l->place.io->ctx, l->day_dir, remove_stray, &s) < 0 || s.failed)
		return err_sys(err, "state/ledger/day");
	for (size_t i = 0; i < l->parts_n; i++) {
		int touches = l->parts[i]->generation ? part_touches(l->parts[i], gone, err) : 0;
		if (touches < 0 || (touches && ledger_rewrite(l, i, gone, err) < 0))
			return -1;
	}
	return 0;
}

int ledger_finish_erasing(struct ledger *l, struct err *err)
{
	struct bits gone = {0};
	if (!l->leaving_n)
		return 0;
	for (size_t i = 0; i < l->leaving_n; i++)
		bits_set(&gone, l->leaving[i].id);
	int r = rollups_remove(l, err);
	if (r == 0)
		r = rewrite_days(l, &gone, err);
	if (r == 0)
		r = dict_forget(&l->dict, l->place.io, l->dict_dir, l->leaving, l->leaving_n, err);
	bits_release(&gone);
	if (r < 0)
		return err_prefix(err, "an erasure isn't through every file yet: ");
	l->leaving_n = 0;
	l->changes++;
	return 0;
}

/* ---- from a request ----------------------------------------------------------------------------------------------------- */

struct erasing {
	struct ledger *l;
	struct erased e;
	struct bits ids;
	uint64_t unknown;
};

static struct erased_vendor *vendor_of(struct erased *e, const char *vendor)
{
	uint32_t i = 0;
	while (i < e->vendors_n && strcmp(e->vendors[i].vendor, vendor) != 0)
		i++;
	if (i == e->vendors_n) {
		e->vendors = xrealloc(e->vendors, (i + 1) * sizeof *e->vendors);
		e->vendors[e->vendors_n++] = (struct erased_vendor){.vendor = vendor};
	}
	return &e->vendors[i];
}

static int add_person(struct erasing *x, uint32_t id, struct err *err)
{
	const uint32_t *ids;
	uint32_t n = persons_of(&x->l->persons, &id, &ids);
	json_t *vendors = json_array(), *v;
	size_t i;
	if (bits_has(&x->ids, id)) {
		json_decref(vendors);
		return 0;
	}
	int r = ledger_subject_history(x->l, ids, n, vendors, err);
	json_array_foreach(vendors, i, v) {
		const char *name = json_string_value(json_object_get(v, "vendor"));
		struct erased_vendor *at = vendor_of(&x->e, combos_text(&x->l->combos, name, strlen(name)));
		at->people++;
		at->unattested += !json_is_true(json_object_get(v, "attested_deleted"));
	}
	json_decref(vendors);
	for (uint32_t k = 0; k < n; k++)
		bits_set(&x->ids, ids[k]);
	x->e.people++;
	return r;
}

static int add_id(struct erasing *x, const json_t *id, struct pseudo *subject, struct err *err)
{
	uint8_t keys[ID_KINDS][SUBJECT_BYTES];
	enum id_kind kind;
	uint32_t at;
	size_t n = json_is_string(id) ? subject_keys(subject, json_string_value(id), json_string_length(id), keys, &kind) : 0;
	if (n == 0)
		return err_set(err, ERR_INPUT, "an identifier is empty or isn't text in UTF-8");
	for (size_t k = 0; k < n; k++)	/* the first that is known, as `subject` answers */
		if (dict_find(&x->l->dict, keys[k], &at))
			return add_person(x, at, err);
	x->unknown++;
	return 0;
}

static int add_all(struct erasing *x, const json_t *request, struct pseudo *subject, struct err *err)
{
	const json_t *ids = json_object_get(request, "ids"), *one = json_object_get(request, "id");
	json_t *id;
	size_t i;
	if (one)
		return add_id(x, one, subject, err);
	if (json_array_size(ids) == 0 || json_array_size(ids) > IDS_MAX)
		return err_set(err, ERR_INPUT, "whose? at most %d identifiers", IDS_MAX);
	json_array_foreach((json_t *)(uintptr_t)ids, i, id)
		if (add_id(x, id, subject, err) < 0)
			return -1;
	return 0;
}

static int reasons(const json_t *request, uint8_t id[static 16], const char **why, struct err *err)
{
	const char *hex = json_string_value(json_object_get(request, "record"));
	*why = json_string_value(json_object_get(request, "why"));
	if (!hex || !hex_decode(hex, strlen(hex), id, 16))
		return err_set(err, ERR_INPUT, "`record` is 32 hex digits");
	if (!*why || !**why)
		return err_set(err, ERR_INPUT, "a decision about a person needs a reason: --why TEXT");
	return strlen(*why) > WHY_LEN ? err_set(err, ERR_INPUT, "a reason has at most %d bytes", WHY_LEN) : 0;
}

static void put_answer(const struct erased *e, uint64_t unknown, json_t *answer)
{
	json_t *vendors = json_array();
	for (uint32_t i = 0; i < e->vendors_n; i++)
		json_array_append_new(vendors, json_pack("{s:s, s:I, s:I}", "vendor", e->vendors[i].vendor, "people",
							 (json_int_t)e->vendors[i].people, "unattested", (json_int_t)e->vendors[i].unattested));
	json_object_set_new(answer, "people", count_json(e->people));
	json_object_set_new(answer, "identifiers", count_json(e->keys_n));
	json_object_set_new(answer, "unknown", count_json(unknown));
	json_object_set_new(answer, "forced", json_boolean(e->forced));
	json_object_set_new(answer, "vendors", vendors);
}

/* Who hasn't attested yet must be asked, or passed over by a decision. */
static int may(const struct erased *e, bool force, struct err *err)
{
	const char *first = NULL;
	unsigned more = 0;
	for (uint32_t i = 0; i < e->vendors_n; i++) {
		if (!e->vendors[i].unattested)
			continue;
		if (first)
			more++;
		else
			first = e->vendors[i].vendor;
	}
	if (!first || force)
		return 0;
	if (more)
		return err_set(err, ERR_DENIED, "%s and %u more haven't attested to have deleted it (weir ledger deleted); --force erases all the same", first, more);
	return err_set(err, ERR_DENIED, "%s hasn't attested to have deleted it (weir ledger deleted); --force erases all the same", first);
}

static void spell_frame(const struct erasing *x, uint64_t passed, struct buf *body)
{
	spell_u64(body, passed);
	erased_spell(&x->e, body);
	for (uint64_t id = 0; (id = bits_next(&x->ids, id)) != UINT64_MAX; id++)
		spell_u32(body, (uint32_t)id);
}

static void take_keys(struct erasing *x)
{
	x->e.keys = xcalloc(bits_count(&x->ids) + 1, sizeof *x->e.keys);
	for (uint64_t id = 0; (id = bits_next(&x->ids, id)) != UINT64_MAX; id++)
		memcpy(x->e.keys[x->e.keys_n++], dict_key(&x->l->dict, (uint32_t)id), SUBJECT_BYTES);
}

int ledger_restrict(struct ledger *l, const json_t *request, struct pseudo *subject, const char *who, int64_t now, struct buf *body,
		    json_t *answer, struct err *err)
{
	struct erasing x = {.l = l, .e = {.at = now, .who = who}};
	const char *word = json_string_value(json_object_get(request, "do"));
	if (reasons(request, x.e.id, &x.e.why, err) < 0)
		return -1;
	persons_update(l);
	int r = add_all(&x, request, subject, err);
	if (r == 0 && x.e.people == 0)
		r = err_set(err, ERR_NOTFOUND, "the ledger knows nobody of that name");
	if (r == 0) {
		take_keys(&x);
		put_answer(&x.e, x.unknown, answer);
		record_spell_people(word && strcmp(word, "subject-release") == 0 ? RECORD_RELEASED : RECORD_RESTRICTED, &x.e, body);
	}
	erased_release(&x.e);
	bits_release(&x.ids);
	return r;
}

int ledger_erase(struct ledger *l, const json_t *request, struct pseudo *subject, const char *who, int64_t now, uint64_t passed, struct buf *body,
		 json_t *answer, struct err *err)
{
	struct erasing x = {.l = l, .e = {.at = now, .who = who}};
	bool force = json_is_true(json_object_get(request, "force"));
	if (reasons(request, x.e.id, &x.e.why, err) < 0)
		return -1;
	const struct erased *before = find(l, x.e.id);
	if (before) {	/* sent again */
		put_answer(before, 0, answer);
		return 0;
	}
	persons_update(l);
	int r = add_all(&x, request, subject, err);
	if (r == 0 && x.e.people == 0)
		r = err_set(err, ERR_NOTFOUND, "the ledger knows nobody of that name");
	if (r == 0)
		r = may(&x.e, force, err);
	if (r == 0) {
		take_keys(&x);
		for (uint32_t i = 0; i < x.e.vendors_n; i++)
			x.e.forced |= x.e.vendors[i].unattested > 0;
		put_answer(&x.e, x.unknown, answer);
		spell_frame(&x, passed, body);
	}
	erased_release(&x.e);
	bits_release(&x.ids);
	return r;
}
