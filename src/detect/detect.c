/*
 * The walk: candidate bitmaps for a window of 4 KB, then each candidate in order of place goes to its finder; then
 * runs of base64 and encoded places of the window.  Hits stay sorted and apart all the time.
 *
 * Linear: a finder looks at a bounded neighbourhood, or remembers how far it has looked (struct scan).
 */
#include "detect/detect.h"

#include <string.h>

#include "base/err.h"
#include "detect/first.h"
#include "detect/ids.h"
#include "detect/names.h"

static const struct detect_kind types_table[DETECT_TYPES] = {
#define X(id, name) [DETECT_##id] = {name, "[" #id "]"},
	DETECT_TYPE_LIST(X)
#undef X
};

const char *detect_name(enum detect_type t)
{
	must((size_t)t < DETECT_TYPES);
	return types_table[t].name;
}

const char *detect_placeholder(enum detect_type t)
{
	must((size_t)t < DETECT_TYPES);
	return types_table[t].placeholder;
}

const char *detect_hit_name(const struct detect_hit *h)
{
	return h->type == DETECT_CUSTOM ? h->kind->name : detect_name(h->type);
}

int detect_type_of(const char *name, size_t n)
{
	for (int t = 0; t < DETECT_TYPES; t++)
		if (strlen(types_table[t].name) == n && memcmp(types_table[t].name, name, n) == 0)
			return t;
	return -1;
}

/* ---- keeping hits ----------------------------------------------------------------------------------------------- */

static bool stronger(const struct detect_hit *a, const struct detect_hit *b)
{
	if (a->tier != b->tier)
		return a->tier < b->tier;
	if (a->score != b->score)
		return a->score > b->score;
	return a->end - a->start > b->end - b->start;
}

/* Full: the last hit makes room and from then on reaches to the end, so that nothing behind it stays. */
static void insert(struct scan *s, size_t i, const struct detect_hit *h)
{
	s->inserted++;
	if (s->count == s->max) {
		s->full = true;
		if (i < s->count) {
			memmove(&s->hits[i + 1], &s->hits[i], (s->count - 1 - i) * sizeof *h);
			s->hits[i] = *h;
		}
		s->hits[s->count - 1].end = (uint32_t)s->n;
		return;
	}
	memmove(&s->hits[i + 1], &s->hits[i], (s->count - i) * sizeof *h);
	s->hits[i] = *h;
	s->count++;
}

void hit_add(struct scan *s, size_t start, size_t end, const struct finding *f, unsigned via)
{
	if (!wanted(s, f->type))
		return;
	if (s->greedy) {
		start = s->lo;
		end = s->hi;
	}
	struct detect_hit h = {.start = (uint32_t)start, .end = (uint32_t)end, .type = f->type, .tier = (uint8_t)f->tier, .score = f->score,
				.via = (uint8_t)via, .kind = f->kind ? f->kind : &types_table[f->type], .why = f->why};
	size_t i = s->count, k;
	while (i > 0 && s->hits[i - 1].end > start)
		i--;
	for (k = i; k < s->count && s->hits[k].start < end; k++) {
		const struct detect_hit *o = &s->hits[k];
		uint32_t from = o->start < h.start ? o->start : h.start, to = o->end > h.end ? o->end : h.end;
		if (!stronger(&h, o))
			h = *o;
		h.start = from;
		h.end = to;
	}
	if (k == i) {
		insert(s, i, &h);
		return;
	}
	s->hits[i] = h;
	memmove(&s->hits[i + 1], &s->hits[k], (s->count - k) * sizeof h);
	s->count -= k - i - 1;
}

/* ---- the walk --------------------------------------------------------------------------------------------------- */

enum { BLOCKS = WINDOW / 64, B64_RUN = 12 };

static struct carry carry_before(const struct scan *s, size_t base)
{
	struct carry c = {0};
	for (size_t i = 1; i <= 7 && base - s->lo >= i; i++) {
		uint8_t b = s->t[base - i];
		c.upper |= (uint64_t)is(b, C_UPPER) << (64 - i);
		c.digit |= (uint64_t)is(b, C_DIGIT) << (64 - i);
		c.alpha |= (uint64_t)is(b, C_ALPHA) << (64 - i);
		c.dot |= (uint64_t)(b == '.') << (64 - i);
	}
	return c;
}

static inline bool seven(uint64_t x)
{
	x &= x - 1;
	x &= x - 1;
	return five(x);
}

/*
 * Could what find_number looks for begin at this digit?  All of it, but an IBAN, ends where a letter stands.  1.2.3.4 has
 * four digits within 15 bytes; all else has seven within 25, for at most three signs stand between two digits of it.
 */
enum { SPREAD = 25, SPREAD_IPV4 = 15 };
static inline enum may_be worth(const struct scan *s, const struct marks *m, bool last, size_t p, unsigned bit)
{
	if (is(before(s, p), C_ALPHA))
		return NUMBER_ANY;	/* the letters were looked at */
	uint64_t d = m->digit >> bit, letters = (m->upper | m->lower) >> bit;
	if (bit > 64 - SPREAD) {
		if (last && s->hi - p > 64 - bit)
			return NUMBER_ANY;	/* it goes on where the marks end */
		d |= last ? 0 : m[1].digit << (64 - bit);
		letters |= last ? 0 : (m[1].upper | m[1].lower) << (64 - bit);
	}
	unsigned n = ~d ? (unsigned)__builtin_ctzll(~d) : 64;
	uint8_t next = at(s, p + n);
	d &= (letters & -letters) - 1;
	bool lettered = false;
	if (n == 2 && before(s, p) == ' ' && p - s->lo >= 3 && is(before(s, p - 1), C_UPPER) && is(before(s, p - 2), C_UPPER))
		lettered = true;	/* AB 12 34 56 C */
	if (n == 6 && is(next, C_UPPER) && is(at(s, p + 7), C_DIGIT))
		return NUMBER_ANY;	/* Finland's and Corsica's letters */
	bool list = n < 3 && (next == ',' || next == '"');
	if (n < 7 && !is(next, C_SEP) && next != '(' && next != ')' && !list)
		return lettered ? NUMBER_LETTERED : NUMBER_NONE;
	if (seven(d & (((uint64_t)1 << SPREAD) - 1)) &&
	    (n > 2 || !is(before(s, p), C_SEP) || p - 1 <= s->lo || !is(before(s, p - 1), C_DIGIT)))
		return NUMBER_ANY;
	return n <= 3 && next == '.' && four(d & (((uint64_t)1 << SPREAD_IPV4) - 1)) ? NUMBER_IPV4 : lettered ? NUMBER_LETTERED : NUMBER_NONE;
}

/* Letters in the NEAR bytes before a bit; what stands before the marks, unless that is nothing, may be some. */
static inline bool letters_before(const struct marks *m, size_t b, unsigned bit, bool first)
{
	uint64_t here = (m[b].upper | m[b].lower) & (((uint64_t)1 << bit) - 1);
	if (bit >= NEAR)
		return here >> (bit - NEAR);
	if (b == 0)
		return here || !first;
	return here || (m[b - 1].upper | m[b - 1].lower) >> (64 - NEAR + bit);
}

/* one: first digits of the only block, or NULL. */
static inline __attribute__((always_inline)) void walk_candidates(struct scan *s, size_t base, const struct marks *m, size_t blocks,
								   uint64_t colons, const uint64_t *one)
{
	struct carry carry = one ? (struct carry){0} : carry_before(s, base);
	const bool first = base == s->lo;
	uint64_t email = s->types & (DETECT_BIT(DETECT_EMAIL) | DETECT_BIT(DETECT_KEY)) ? ~(uint64_t)0 : 0;
	uint64_t mac = wanted(s, DETECT_MAC) ? ~(uint64_t)0 : 0;
	uint64_t iban = wanted(s, DETECT_IBAN) || wanted(s, DETECT_UK_NINO) ? ~(uint64_t)0 : 0;
	uint64_t capitals = s->types & ~CORE_TYPES;
	for (size_t b = 0; b < blocks; b++, base += 64) {
		uint64_t words = m[b].word && !one ? word_starts(&m[b], &carry) : m[b].word, dots = m[b].dot & (m[b].dot << 5 | carry.dot >> 59) & mac;
		uint64_t starts = one ? *one : number_starts(&m[b], &carry, iban, capitals);
		for (uint64_t todo = starts | (m[b].at & email) | (m[b].colon & colons) | words | dots; todo; todo &= todo - 1) {
			unsigned bit = (unsigned)__builtin_ctzll(todo);
			size_t p = base + bit;
			uint8_t c = s->t[p];
			if (is(c, C_DIGIT)) {
				enum may_be may = p < s->numbers_until ? NUMBER_NONE : worth(s, &m[b], b + 1 == blocks, p, bit);
				if (!may)
					continue;
				s->letters = letters_before(m, b, bit, first);
				find_number(s, p, may);
			} else if (c == '@') {
				find_email(s, p);
			} else if (c == ':') {
				find_ipv6(s, p);
			} else if (c == '.') {
				find_mac_dotted(s, p);
			} else if (word_matters(s->t, s->lo, p)) {
				find_word(s, p);
			}
		}
	}
}

/* Are there twelve ones in a row within the word, or could a longer row cross out of it? */
static inline bool long_run(uint64_t x)
{
	return twelve(x) || x >> 63;
}

/* Text in base64 has letters of both cases; one line of many may have no small ones. */
static bool maybe_base64(const struct scan *s, size_t start, size_t end, bool upper, bool small)
{
	const uint8_t next = at(s, end);
	return s->depth < DEPTH_MAX && upper && (small || ((end - start) % 4 == 0 && (next == '\n' || next == '\r' || next == '\\')));
}

/* The runs of a text of one block. */
static void walk_base64_short(struct scan *s, const struct marks *m)
{
	uint64_t x = m->base64, alnum = m->upper | m->lower | m->digit, starts = twelve(x);
	while (starts) {
		unsigned from = (unsigned)__builtin_ctzll(starts);
		uint64_t rest = ~(x >> from), run;
		unsigned len = rest << from ? (unsigned)__builtin_ctzll(rest) : 64 - from;
		run = (len < 64 ? ((uint64_t)1 << len) - 1 : ~(uint64_t)0) << from;
		if (run_matters(s, s->lo + from, s->lo + from + len))
			find_run(s, s->lo + from, s->lo + from + len);
		for (uint64_t words = run & alnum & ~(alnum << 1); words; words &= words - 1) {
			unsigned at = (unsigned)__builtin_ctzll(words);
			uint64_t after = ~(alnum >> at);
			size_t word = after << at ? (size_t)__builtin_ctzll(after) : 64 - at;
			if (token_matters(s, s->lo + at, word))
				find_token(s, s->lo + at, word);
		}
		if (maybe_base64(s, s->lo + from, s->lo + from + len, m->upper & run, m->lower & run))
			scan_base64(s, s->lo + from, s->lo + from + len);
		starts &= ~run;
	}
}

static void walk_tokens(struct scan *s, size_t start, size_t end)
{
	if (run_matters(s, start, end))
		find_run(s, start, end);
	for (size_t p = start, to; p < end; p = to + 1) {
		for (to = p; to < end && is(s->t[to], C_ALNUM);)
			to++;
		if (to > p && token_matters(s, p, to - p))
			find_token(s, p, to - p);
	}
}

/*
 * Runs of 12 base64 characters and more.  A run that the window cuts is followed to its end here, and the next window
 * passes over it.
 */
static void walk_base64(struct scan *s, size_t base, const struct marks *m, size_t blocks, size_t *until)
{
	size_t start = 0;
	bool inside = false, upper = false, small = false;
	for (size_t b = 0; b <= blocks; b++) {
		uint64_t x = b < blocks ? m[b].base64 : 0;
		if (!inside && !long_run(x))
			continue;
		size_t word = base + b * 64;
		for (unsigned bit = 0; bit < 64;) {
			uint64_t rest = (inside ? ~x : x) >> bit;
			if (inside && b < blocks) {
				unsigned len = rest ? (unsigned)__builtin_ctzll(rest) : 64 - bit;
				uint64_t span = len >= 64 ? ~(uint64_t)0 : (((uint64_t)1 << len) - 1) << bit;
				upper |= (m[b].upper & span) != 0;
				small |= (m[b].lower & span) != 0;
			}
			if (!rest)
				break;
			bit += (unsigned)__builtin_ctzll(rest);
			size_t p = word + bit;
			if (!inside) {
				start = p;
				inside = true;
				upper = small = false;
				continue;
			}
			inside = false;
			if (b == blocks && start < *until)
				p = *until;
			else if (b == blocks)	/* cut by the window's end */
				while (p < s->hi && (is(s->t[p], C_TOKEN) || s->t[p] == '+' || s->t[p] == '/')) {
					upper |= is(s->t[p], C_UPPER);
					small |= is(s->t[p], C_LOWER);
					p++;
				}
			if (p - start >= B64_RUN && start >= *until) {
				walk_tokens(s, start, p);
				if (maybe_base64(s, start, p, upper, small))
					scan_base64(s, start, p);
			}
			if (p > *until)
				*until = p;
		}
	}
}

static void walk_encoded(struct scan *s, size_t base, const struct marks *m, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, base += 64)
		for (uint64_t todo = m[b].odd; todo; todo &= todo - 1) {
			size_t p = base + (size_t)__builtin_ctzll(todo);
			if (p >= s->decoded_until && decodable(s, p))
				scan_decoded(s, p);
		}
}

/* Of a longer window: what is too little in one block may be enough with its neighbour. */
static struct summary of_window(const struct marks *m, size_t blocks, bool whole)
{
	struct summary r = {.digits = true};
	uint64_t two = 0, carry = 0;
	unsigned count = 0;
	for (size_t b = 0; b < blocks; b++) {
		r.at |= m[b].at;
		r.word |= m[b].word;
		r.odd |= m[b].odd;
		if (m[b].colon) {
			r.colon |= m[b].colon;
			two |= m[b].colon & (m[b].colon << 1 | carry);
			for (uint64_t x = m[b].colon; x && count < 5; x &= x - 1)
				count++;
		}
		carry = m[b].colon >> 63;
		r.base64 |= long_run(m[b].base64);
	}
	if (whole && !two && count < 5)
		r.colon = 0;
	return r;
}

static void walk_window(struct scan *s, size_t w, const struct marks *m, size_t blocks, const struct summary *r,
			size_t *base64_until)
{
	const uint64_t colons = r->colon && s->types & (DETECT_BIT(DETECT_IPV6) | DETECT_BIT(DETECT_MAC)) ? ~(uint64_t)0 : 0;
	const bool short_one = s->hi - s->lo <= 64;
	if (plain_candidate(r) && short_one)
		walk_candidates(s, w, m, 1, colons, &r->starts);
	else if (plain_candidate(r))
		walk_candidates(s, w, m, blocks, colons, NULL);
	if (r->base64 && short_one)
		walk_base64_short(s, m);
	else if (r->base64)
		walk_base64(s, w, m, blocks, base64_until);
	if (r->odd && s->depth < DEPTH_MAX)
		walk_encoded(s, w, m, blocks);
}

static void start_region(struct scan *s, size_t lo, size_t hi)
{
	s->lo = lo;
	s->hi = hi;
	s->numbers_until = s->colons_until = s->jwt_until = s->bearer_until = s->decoded_until = s->lines_until = lo;
	s->password_until = s->token_until = s->path_until = lo;
	s->url_from = s->url_end = 0;
}

static void scan_region(struct scan *s, size_t lo, size_t hi)
{
	struct marks m[BLOCKS];
	size_t base64_until = lo;
	start_region(s, lo, hi);
	if (s->own)
		find_own(s);
	for (size_t w = lo; w < hi; w += WINDOW) {
		size_t n = hi - w < WINDOW ? hi - w : WINDOW, blocks = (n + 63) / 64;
		struct summary r;
		if (hi - lo > 64) {
			marks_fill(s->t + w, n, m);
			r = of_window(m, blocks, hi - lo <= WINDOW);
		} else if (!marks_first(s->t + lo, n, m, &r)) {
			return;
		}
		walk_window(s, w, m, blocks, &r, &base64_until);
		if (s->full && s->hits[s->count - 1].start < w + n)
			return;	/* the rest is covered already */
	}
}

/*
 * A placeholder stands where a hit was, so its neighbours have a new neighbour: "x" + card + "y" was one word before.
 * The gaps between hits are looked at again as they will be, until nothing new shows; what still shows then takes the
 * whole gap with it.  A gap needs it only when something that a finder cares about touches its edge.
 */
static bool edge_matters(uint8_t c)
{
	return c <= 8 || (c > ' ' && c != '"' && c != ',' && c != ';' && c != '<' && c != '>' && c != '{' && c != '}');
}

static bool gap_matters(const struct scan *s, size_t lo, size_t hi)
{
	if (lo >= hi)
		return false;
	bool left = lo > 0 && (edge_matters(s->t[lo]) || (lo + 1 < hi && edge_matters(s->t[lo + 1])));
	bool right = hi < s->n && (edge_matters(s->t[hi - 1]) || (hi - 1 > lo && edge_matters(s->t[hi - 2])));
	return left || right;
}

static void settle(struct scan *s)
{
	enum { ROUNDS = 3 };
	for (unsigned round = 0; round < ROUNDS; round++) {
		bool any = false;
		s->greedy = round == ROUNDS - 1;
		for (size_t i = s->count + 1; i-- > 0;) {	/* from the back: new hits move only what was done */
			size_t lo = i ? s->hits[i - 1].end : 0, hi = i < s->count ? s->hits[i].start : s->n, was = s->inserted;
			if (!gap_matters(s, lo, hi))
				continue;
			scan_region(s, lo, hi);
			any |= s->inserted != was;
		}
		if (!any)
			break;
	}
	s->greedy = false;
}

static size_t scan_all(struct scan *s)
{
	scan_region(s, 0, s->n);
	if (wanted(s, DETECT_NAME) && !s->depth) {
		start_region(s, 0, s->n);
		find_names(s);
	}
	if (s->count)
		settle(s);
	return s->count;
}

size_t scan_copy(const struct scan *of, const uint8_t *t, size_t n, struct detect_hit *hits, size_t max)
{
	struct scan s = {.t = t, .n = n, .types = of->types, .own = of->own, .depth = of->depth + 1, .hits = hits, .max = max};
	return scan_all(&s);
}

size_t scan_with(const struct own *own, const char *text, size_t n, uint64_t types, struct detect_hit *hits, size_t max)
{
	must(max > 0 && n < UINT32_MAX);
	struct scan s = {.t = (const uint8_t *)text, .n = n, .types = types, .own = own, .hits = hits, .max = max};
	return n ? scan_all(&s) : 0;
}

/* Most strings are short and hold nothing: they leave here after one look at their marks. */
static size_t scan_short(const uint8_t *t, size_t n, uint64_t types, struct detect_hit *hits, size_t max)
{
	struct marks m;
	size_t base64_until = 0;
	struct summary r;
	if (!marks_first(t, n, &m, &r))
		return 0;
	struct scan s = {.t = t, .n = n, .types = types, .hits = hits, .max = max};
	start_region(&s, 0, n);
	walk_window(&s, 0, &m, 1, &r, &base64_until);
	if (s.count)
		settle(&s);
	return s.count;
}

size_t detect_scan(const char *text, size_t n, uint64_t types, struct detect_hit *hits, size_t max)
{
	must(max > 0 && n < UINT32_MAX);
	if (n == 0)
		return 0;
	if (n <= 64 && !(types & DETECT_BIT(DETECT_NAME)))
		return scan_short((const uint8_t *)text, n, types, hits, max);
	struct scan s = {.t = (const uint8_t *)text, .n = n, .types = types, .hits = hits, .max = max};
	return scan_all(&s);
}

bool detect_maybe(const char *text, size_t n)
{
	struct marks m;
	if (n == 0 || n > 64)
		return n > 0;
	struct summary r;
	return marks_first((const uint8_t *)text, n, &m, &r);
}

bool detect_key_name(const char *text, size_t n)
{
	enum { NAME_MAX_BYTES = 256, ID_DIGITS = 9 };
	char copy[NAME_MAX_BYTES + 64] = {0};
	struct detect_hit hit;
	if (n > NAME_MAX_BYTES)
		return true;	/* no name of a field */
	memcpy(copy, text, n);
	size_t digits = 0;
	for (size_t i = 0; i < n; i++)
		digits += is((uint8_t)copy[i], C_DIGIT);
	/* A telephone number, an id or a UUID as a key says whose it is, without any of the signs that text would have. */
	return digits >= ID_DIGITS || detect_scan(copy, n, DETECT_ALL, &hit, 1) > 0;
}
