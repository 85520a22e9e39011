/*
 * The whole ledger for other engines: as ClickHouse's RowBinary, where a chunk of ids is a groupBitmap state, or as NDJSON.
 *
 * A groupBitmap state of UInt32, as ClickHouse spells it: up to 32 values u8 0, u8 count, u32 each; more u8 1, varint length,
 * and CRoaring's portable form (RoaringFormatSpec): u32 cookie 12346, u32 1, u16 key, u16 count - 1, u32 offset 16, data; where
 * the container is of runs u16 cookie 12347, u16 0, u8 1, u16 key, u16 count - 1, u16 runs, data.  A chunk is one container,
 * and the data of each kind is as our own.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ledger/inside.h"

enum { DAY_SECONDS = 86400, FLUSH_BYTES = 1 << 20, SMALL = 32, COOKIE_PLAIN = 12346, COOKIE_RUNS = 12347, OPEN_GENERATION = 65535 };

const struct ledger_table_info ledger_tables[LEDGER_TABLES] = {
	[LEDGER_CHUNK] = {"weir_chunk", "day Date, generation UInt16, `set` UInt32, chunk UInt16, ids AggregateFunction(groupBitmap, UInt32)",
			  "AggregatingMergeTree ORDER BY (`set`, day, generation, chunk)"},
	[LEDGER_EVENTS] = {"weir_events", "day Date, generation UInt16, `set` UInt32, events UInt64",
			   "ReplacingMergeTree ORDER BY (`set`, day, generation)"},
	[LEDGER_SET] = {"weir_set", "`set` UInt32, kind LowCardinality(String), name String, over_approximate UInt8",
			"ReplacingMergeTree ORDER BY `set`"},
	[LEDGER_FIELD] = {"weir_field", "`set` UInt32, path String, category String", "ReplacingMergeTree ORDER BY (`set`, path, category)"},
	[LEDGER_SUBJECT] = {"weir_subject", "id UInt32, subject FixedString(16)", "ReplacingMergeTree ORDER BY id"},
	[LEDGER_PERSON] = {"weir_person", "id UInt32, person UInt32", "ReplacingMergeTree ORDER BY id"},
	[LEDGER_RECORD] = {"weir_record", "record FixedString(16), day Date, generation UInt16, what LowCardinality(String), vendor String, "
			   "at DateTime64(0, 'UTC'), people UInt32, who String, why String", "ReplacingMergeTree ORDER BY record"},
};

static const char *const kinds[COMBO_KINDS] = {
	[COMBO_EXPOSURE] = "exposure", [COMBO_MEASURED] = "measured", [COMBO_DELETED] = "deleted", [COMBO_ATTRIBUTE] = "attribute",
};

struct out {
	struct ledger *l;
	const struct ledger_sink *to;
	struct buf b;
};

static int flush(struct out *o, enum ledger_table t, size_t least, struct err *err)
{
	int r = o->b.len >= least && o->b.len ? o->to->put(o->to->arg, t, o->b.data, o->b.len, err) : 0;
	if (o->b.len >= least)
		buf_reset(&o->b);
	return r;
}

/* Those that are only in roll-ups aren't the ledger's. */
static bool exported(const struct combo *c)
{
	return kinds[c->kind] != NULL;
}

static uint16_t generation(const struct part *p)
{
	return p->generation ? (uint16_t)p->generation : OPEN_GENERATION;
}

/* Chunks of a set, from whichever form it has: each(..., container) in order. */
typedef int chunk_function(struct out *o, const struct part *p, const struct set *s, const struct container *c, struct err *err);

static int each_open_chunk(struct out *o, const struct part *p, const struct set *s, chunk_function *each, struct err *err)
{
	struct buf spelled;
	int r = 0;
	buf_init(&spelled, 0);
	for (size_t i = 0; i < s->bits.n && r == 0; i++) {
		struct container c;
		size_t size;
		const char *why;
		if (!s->bits.v[i] || words_best()->count(s->bits.v[i]) == 0)
			continue;
		buf_reset(&spelled);
		container_write(&spelled, 0, (uint16_t)i, s->bits.v[i]);
		must(container_read(spelled.data, spelled.len, &c, &size, &why) == 0);
		r = each(o, p, s, &c, err);
	}
	buf_release(&spelled);
	return r;
}

static int each_chunk(struct out *o, enum ledger_table t, chunk_function *each, struct err *err)
{
	int r = 0;
	for (size_t i = 0; i < o->l->parts_n && r == 0; i++)
		for (uint32_t k = 0; k < o->l->parts[i]->sets_n && r == 0; k++) {
			const struct part *p = o->l->parts[i];
			const struct set *s = &p->sets[k];
			if (!exported(s->combo))
				continue;
			r = ledger_use_set(o->l, p, s, err);
			if (r == 0)
				r = each_open_chunk(o, p, s, each, err);
			for (size_t c = 0; c < s->containers_n && r == 0; c++)
				r = each(o, p, s, &s->containers[c], err);
		}
	return r == 0 ? flush(o, t, 0, err) : r;
}

/* ---- RowBinary ------------------------------------------------------------------------------------------------------------- */

static void add_u16(struct buf *b, uint16_t v)
{
	uint8_t p[2];
	put_u16(p, v);
	buf_add(b, p, sizeof p);
}

static void add_u32(struct buf *b, uint32_t v)
{
	uint8_t p[4];
	put_u32(p, v);
	buf_add(b, p, sizeof p);
}

static void add_u64(struct buf *b, uint64_t v)
{
	uint8_t p[8];
	put_u64(p, v);
	buf_add(b, p, sizeof p);
}

static void add_varint(struct buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_addc(b, (char)(v | 0x80));
	buf_addc(b, (char)v);
}

static void add_text(struct buf *b, const char *s)
{
	add_varint(b, strlen(s));
	buf_adds(b, s);
}

static void add_small(struct buf *b, const struct container *c, uint32_t n)
{
	uint64_t words[CHUNK_WORDS] = {0};
	container_or(c, words);
	buf_addc(b, 0);
	buf_addc(b, (char)n);
	for (uint32_t i = 0; i < CHUNK_WORDS; i++)
		for (uint64_t w = words[i]; w; w &= w - 1)
			add_u32(b, (uint32_t)c->chunk * CHUNK_IDS + 64 * i + (uint32_t)__builtin_ctzll(w));
}

void ledger_bitmap_state(const struct container *c, struct buf *b)
{
	uint32_t n = container_count(c);
	bool runs = c->kind == CONTAINER_RUN;
	if (n <= SMALL) {
		add_small(b, c, n);
		return;
	}
	buf_addc(b, 1);
	add_varint(b, (runs ? 11 : 16) + c->len);
	if (runs) {
		add_u32(b, COOKIE_RUNS);
		buf_addc(b, 1);
	} else {
		add_u32(b, COOKIE_PLAIN);
		add_u32(b, 1);
	}
	add_u16(b, c->chunk);
	add_u16(b, (uint16_t)(n - 1));
	if (runs)
		add_u16(b, (uint16_t)c->n);
	else
		add_u32(b, 16);
	buf_add(b, c->data, c->len);
}

static int put_chunk(struct out *o, const struct part *p, const struct set *s, const struct container *c, struct err *err)
{
	add_u16(&o->b, (uint16_t)p->day);
	add_u16(&o->b, generation(p));
	add_u32(&o->b, s->combo->index);
	add_u16(&o->b, c->chunk);
	ledger_bitmap_state(c, &o->b);
	return flush(o, LEDGER_CHUNK, FLUSH_BYTES, err);
}

static int put_events(struct out *o, struct err *err)
{
	for (size_t i = 0; i < o->l->parts_n; i++)
		for (uint32_t k = 0; k < o->l->parts[i]->sets_n; k++) {
			const struct set *s = &o->l->parts[i]->sets[k];
			if (!s->events)
				continue;
			add_u16(&o->b, (uint16_t)o->l->parts[i]->day);
			add_u16(&o->b, generation(o->l->parts[i]));
			add_u32(&o->b, s->combo->index);
			add_u64(&o->b, s->events);
		}
	return flush(o, LEDGER_EVENTS, 0, err);
}

static int put_sets(struct out *o, struct err *err)
{
	for (uint32_t i = 0; i < o->l->combos.n; i++) {
		const struct combo *c = o->l->combos.v[i];
		if (!exported(c))
			continue;
		add_u32(&o->b, c->index);
		add_text(&o->b, kinds[c->kind]);
		add_text(&o->b, c->name);
		buf_addc(&o->b, (char)c->whole);
	}
	return flush(o, LEDGER_SET, 0, err);
}

static int put_fields(struct out *o, struct err *err)
{
	for (uint32_t i = 0; i < o->l->combos.n; i++)
		for (uint32_t k = 0; exported(o->l->combos.v[i]) && k < o->l->combos.v[i]->n; k++) {
			const struct field *f = &o->l->combos.v[i]->fields[k];
			add_u32(&o->b, i);
			add_text(&o->b, f->path);
			add_text(&o->b, f->category);
		}
	return flush(o, LEDGER_FIELD, 0, err);
}

static int put_subjects(struct out *o, struct err *err)
{
	int r = 0;
	for (uint32_t i = 0; i < o->l->dict.n && r == 0; i++) {
		add_u32(&o->b, i);
		buf_add(&o->b, dict_key(&o->l->dict, i), SUBJECT_BYTES);
		r = flush(o, LEDGER_SUBJECT, FLUSH_BYTES, err);
	}
	return r == 0 ? flush(o, LEDGER_SUBJECT, 0, err) : r;
}

static int put_persons(struct out *o, struct err *err)
{
	const struct persons *p = &o->l->persons;
	for (uint32_t i = 0; i < p->n; i++)
		for (uint32_t k = p->start[i]; k < p->start[i + 1]; k++) {
			add_u32(&o->b, p->members[k]);
			add_u32(&o->b, p->members[p->start[i]]);
		}
	return flush(o, LEDGER_PERSON, 0, err);
}

static int put_records(struct out *o, struct err *err)
{
	for (size_t i = 0; i < o->l->parts_n; i++)
		for (size_t k = 0; k < o->l->parts[i]->records_n; k++) {
			const struct record *r = &o->l->parts[i]->records[k];
			buf_add(&o->b, r->id, sizeof r->id);
			add_u16(&o->b, (uint16_t)o->l->parts[i]->day);
			add_u16(&o->b, generation(o->l->parts[i]));
			add_text(&o->b, record_names[r->what]);
			add_text(&o->b, r->vendor);
			add_u64(&o->b, (uint64_t)r->at);
			add_u32(&o->b, r->people);
			add_text(&o->b, r->who);
			add_text(&o->b, r->why);
		}
	return flush(o, LEDGER_RECORD, 0, err);
}

int ledger_export_clickhouse(struct ledger *l, const struct ledger_sink *to, struct err *err)
{
	static int (*const put[])(struct out *o, struct err *err) = {put_events, put_sets, put_fields, put_subjects, put_persons, put_records};
	struct out o = {.l = l, .to = to};
	if (ledger_finish_erasing(l, err) < 0)
		return -1;
	persons_update(l);
	int r = each_chunk(&o, LEDGER_CHUNK, put_chunk, err);
	for (size_t i = 0; i < sizeof put / sizeof *put && r == 0; i++)
		r = put[i](&o, err);
	buf_release(&o.b);
	return r < 0 || ledger_sound(l, err) < 0 ? -1 : 0;
}

/* ---- NDJSON ----------------------------------------------------------------------------------------------------------------- */

static void add_json(struct buf *b, const char *name, const char *s)
{
	buf_addf(b, "\"%s\":", name);
	buf_add_json(b, s, strlen(s));
}

static void add_hex(struct buf *b, const uint8_t *p, size_t n)
{
	char hex[2 * SUBJECT_BYTES + 1];
	must(n <= SUBJECT_BYTES);
	hex_encode(p, n, hex);
	buf_addc(b, '"');
	buf_adds(b, hex);
	buf_addc(b, '"');
}

static void add_place(struct out *o, const struct part *p)
{
	char day[11];
	clock_format_day(p->day * DAY_SECONDS, day);
	buf_addf(&o->b, "{\"day\":\"%s\",\"generation\":%u,", day, generation(p));
}

static int line_chunk(struct out *o, const struct part *p, const struct set *s, const struct container *c, struct err *err)
{
	uint64_t words[CHUNK_WORDS] = {0};
	bool first = true;
	container_or(c, words);
	add_place(o, p);
	buf_addf(&o->b, "\"set\":%u,\"subjects\":[", s->combo->index);
	for (uint32_t i = 0; i < CHUNK_WORDS; i++)
		for (uint64_t w = words[i]; w; w &= w - 1) {
			uint32_t id = (uint32_t)c->chunk * CHUNK_IDS + 64 * i + (uint32_t)__builtin_ctzll(w);
			if (!first)
				buf_addc(&o->b, ',');
			first = false;
			add_hex(&o->b, dict_key(&o->l->dict, id), SUBJECT_BYTES);
		}
	buf_adds(&o->b, "]}\n");
	return flush(o, LEDGER_CHUNK, FLUSH_BYTES, err);
}

static int line_sets(struct out *o, struct err *err)
{
	for (uint32_t i = 0; i < o->l->combos.n; i++) {
		const struct combo *c = o->l->combos.v[i];
		if (!exported(c))
			continue;
		buf_addf(&o->b, "{\"set\":%u,", c->index);
		add_json(&o->b, "kind", kinds[c->kind]);
		buf_addc(&o->b, ',');
		add_json(&o->b, c->kind == COMBO_ATTRIBUTE ? "name" : "vendor", c->name);
		buf_addf(&o->b, ",\"over_approximate\":%s,\"fields\":[", c->whole ? "true" : "false");
		for (uint32_t k = 0; k < c->n; k++) {
			buf_adds(&o->b, k ? ",{" : "{");
			add_json(&o->b, "path", c->fields[k].path);
			buf_addc(&o->b, ',');
			add_json(&o->b, "category", c->fields[k].category);
			buf_addc(&o->b, '}');
		}
		buf_adds(&o->b, "]}\n");
	}
	return flush(o, LEDGER_SET, 0, err);
}

static int line_events(struct out *o, struct err *err)
{
	for (size_t i = 0; i < o->l->parts_n; i++)
		for (uint32_t k = 0; k < o->l->parts[i]->sets_n; k++) {
			const struct set *s = &o->l->parts[i]->sets[k];
			if (!s->events)
				continue;
			add_place(o, o->l->parts[i]);
			buf_addf(&o->b, "\"set\":%u,\"events\":%llu}\n", s->combo->index, (unsigned long long)s->events);
		}
	return flush(o, LEDGER_EVENTS, 0, err);
}

static int line_persons(struct out *o, struct err *err)
{
	const struct persons *p = &o->l->persons;
	for (uint32_t i = 0; i < p->n; i++) {
		buf_adds(&o->b, "{\"person\":[");
		for (uint32_t k = p->start[i]; k < p->start[i + 1]; k++) {
			if (k > p->start[i])
				buf_addc(&o->b, ',');
			add_hex(&o->b, dict_key(&o->l->dict, p->members[k]), SUBJECT_BYTES);
		}
		buf_adds(&o->b, "]}\n");
	}
	return flush(o, LEDGER_PERSON, 0, err);
}

static int line_records(struct out *o, struct err *err)
{
	for (size_t i = 0; i < o->l->parts_n; i++)
		for (size_t k = 0; k < o->l->parts[i]->records_n; k++) {
			const struct record *r = &o->l->parts[i]->records[k];
			char at[21];
			clock_format(r->at, at);
			add_place(o, o->l->parts[i]);
			buf_adds(&o->b, "\"record\":");
			add_hex(&o->b, r->id, sizeof r->id);
			buf_addf(&o->b, ",\"what\":\"%s\",\"at\":\"%s\",", record_names[r->what], at);
			add_json(&o->b, "vendor", r->vendor);
			buf_addc(&o->b, ',');
			add_json(&o->b, "who", r->who);
			buf_addc(&o->b, ',');
			add_json(&o->b, "why", r->why);
			buf_adds(&o->b, "}\n");
		}
	return flush(o, LEDGER_RECORD, 0, err);
}

int ledger_export_lines(struct ledger *l, const struct ledger_sink *to, struct err *err)
{
	static int (*const lines[])(struct out *o, struct err *err) = {line_sets, line_events, line_persons, line_records};
	struct out o = {.l = l, .to = to};
	int r = ledger_finish_erasing(l, err);
	persons_update(l);
	for (size_t i = 0; i < sizeof lines / sizeof *lines && r == 0; i++)
		r = lines[i](&o, err);
	if (r == 0)
		r = each_chunk(&o, LEDGER_CHUNK, line_chunk, err);
	buf_release(&o.b);
	return r < 0 || ledger_sound(l, err) < 0 ? -1 : 0;
}
