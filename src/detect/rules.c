#include "detect/rules.h"

#include <ctype.h>
#include <dlfcn.h>
#include <hs/hs.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/codes.h"
#include "base/yamldoc.h"
#include "detect/ids.h"

/* ---- the library ------------------------------------------------------------------------------------------------- */

static struct {
	__typeof__(&hs_compile_multi) compile_multi;
	__typeof__(&hs_expression_info) expression_info;
	__typeof__(&hs_free_compile_error) free_compile_error;
	__typeof__(&hs_free_database) free_database;
	__typeof__(&hs_alloc_scratch) alloc_scratch;
	__typeof__(&hs_free_scratch) free_scratch;
	__typeof__(&hs_scan) scan;
} hs;

/* Once, when the first file is read: before any thread scans. */
static bool hs_load(void)
{
	static const char *const names[] = {"hs_compile_multi", "hs_expression_info", "hs_free_compile_error", "hs_free_database",
					    "hs_alloc_scratch", "hs_free_scratch", "hs_scan"};
	void *symbols[sizeof names / sizeof *names];
	if (hs.scan)
		return true;
	void *lib = dlopen("libhs.so.5", RTLD_NOW | RTLD_LOCAL);	/* stays open */
	for (size_t i = 0; lib && i < sizeof names / sizeof *names; i++)
		if (!(symbols[i] = dlsym(lib, names[i])))
			lib = NULL;
	_Static_assert(sizeof symbols == sizeof hs, "one pointer a name, in this order");
	if (lib)
		memcpy(&hs, symbols, sizeof hs);
	return lib;
}

/* ---- what a rule is ---------------------------------------------------------------------------------------------- */

enum { WORDS_MAX = 32, NAME_MAX_LEN = DETECT_RULE_NAME_MAX };
struct rule {
	struct detect_kind kind;
	char name[NAME_MAX_LEN + 1], placeholder[NAME_MAX_LEN + 3];
	char *pattern;
	const char *check_name;
	bool (*check)(const char *digits, unsigned n);
	const char *words[WORDS_MAX + 1];	/* copies */
	size_t words_len;
	size_t line, col;
	const struct ynode *examples, *counterexamples;	/* while the file is read */
};

struct detect_rules {
	struct rule *v;
	size_t n;
	hs_database_t *db;
	_Atomic unsigned more;	/* owners besides the first */
	uint64_t serial;	/* of all rules in this process, from 1: a pointer may come again */
};

struct detect_room {
	hs_scratch_t *scratch;
	uint64_t fits;	/* serial of the last rules that it was made for */
};

static bool check_luhn(const char *s, unsigned n)
{
	return n > 1 && check_imei(s, n);
}

static bool check_verhoeff(const char *s, unsigned n)
{
	return n > 1 && verhoeff(s, n);
}

static bool check_mod97(const char *s, unsigned n)	/* ISO/IEC 7064 mod 97-10 */
{
	unsigned v = 0;
	for (unsigned i = 0; i < n; i++)
		v = (v * 10 + (unsigned)(s[i] - '0')) % 97;
	return n > 2 && v == 1;
}

static const struct check_row {
	const char *name;
	bool (*check)(const char *, unsigned);
} checks[] = {{"luhn", check_luhn}, {"mod97", check_mod97}, {"mod11_10", check_hr_oib}, {"verhoeff", check_verhoeff}};

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct reader {
	struct detect_rules *rules;
	struct rule *rule;	/* the one being read */
	struct diags *d;
};
#define WRONG(r, n, code, ...) diags_add((r)->d, DIAG_ERROR, (n)->line, (n)->col, CODE(code), __VA_ARGS__)

static bool scalar(struct reader *r, const struct ynode *v, const char *what)
{
	if (v->type == YN_SCALAR)
		return true;
	WRONG(r, v, wrong_shape, "%s is one value", what);
	return false;
}

static void read_version(void *ctx, const struct ynode *v)
{
	struct reader *r = ctx;
	if (v->type != YN_SCALAR || v->text.len != 1 || v->text.at[0] != '1')
		WRONG(r, v, format_version, "this Weir reads version 1");
}

bool detect_rule_name(const char *name, size_t n)
{
	bool good = n >= 2 && n <= NAME_MAX_LEN && name[0] >= 'a' && name[0] <= 'z' && detect_type_of(name, n) < 0;
	for (size_t i = 0; good && i < n; i++)
		good = islower((uint8_t)name[i]) || isdigit((uint8_t)name[i]) || name[i] == '_' || name[i] == '.';
	return good;
}

static bool set_name(struct rule *rule, struct span s)
{
	if (!detect_rule_name(s.at, s.len))
		return false;
	memcpy(rule->name, s.at, s.len);
	rule->placeholder[0] = '[';
	for (size_t i = 0; i < s.len; i++)
		rule->placeholder[i + 1] = (char)toupper((uint8_t)s.at[i]);
	rule->placeholder[s.len + 1] = ']';
	rule->kind = (struct detect_kind){rule->name, rule->placeholder};
	return true;
}

static void read_name(void *ctx, const struct ynode *v)
{
	struct reader *r = ctx;
	struct rule *rule = r->rule;
	if (!scalar(r, v, "name"))
		return;
	if (!set_name(rule, v->text)) {
		WRONG(r, v, bad_value, "a name is 2 to %d of a-z 0-9 _ . and not that of a kind of Weir's own", NAME_MAX_LEN);
		return;
	}
	for (size_t i = 0; i + 1 < r->rules->n; i++)
		if (span_eq(v->text, r->rules->v[i].name))
			WRONG(r, v, duplicate_value, "another detector has this name");
}

/* Three characters in a row that stand for themselves, outside of classes and not repeated away. */
static bool has_literal(const char *p)
{
	unsigned run = 0;
	for (; *p; p++) {
		if (*p == '[') {
			for (p += 1 + (p[1] == ']'); *p && *p != ']'; p++)
				p += *p == '\\' && p[1];
			run = 0;
			if (!*p)
				return false;
		} else if (isalnum((uint8_t)*p) || strchr("-_@:/ =#,;<>\"'&%~", *p)) {
			run++;
			if (p[1] && strchr("?*{", p[1]))
				run = 0;
			if (run >= 3)
				return true;
		} else {
			p += *p == '\\' && p[1];
			run = *p && ispunct((uint8_t)*p) && p[-1] == '\\' ? run + 1 : 0;
		}
	}
	return false;
}

static void read_pattern(void *ctx, const struct ynode *v)
{
	struct reader *r = ctx;
	hs_expr_info_t *info = NULL;
	hs_compile_error_t *why = NULL;
	if (!scalar(r, v, "pattern"))
		return;
	if (v->text.len == 0 || v->text.len > DETECT_PATTERN_MAX) {
		WRONG(r, v, bad_value, "a pattern has 1 to %d characters", DETECT_PATTERN_MAX);
		return;
	}
	if (hs.expression_info(v->text.at, HS_FLAG_DOTALL | HS_FLAG_SOM_LEFTMOST, &info, &why) != HS_SUCCESS) {
		WRONG(r, v, bad_value, "the pattern is none: %s", why ? why->message : "not supported");
		hs.free_compile_error(why);
		return;
	}
	if (info->min_width < 4)
		WRONG(r, v, bad_value, "the pattern fits texts of fewer than four bytes");
	else if (!has_literal(v->text.at))
		diags_add(r->d, DIAG_WARNING, v->line, v->col, CODE(bad_value), "no three fixed characters in a row: it slows down every text");
	free(info);
	r->rule->pattern = xstrdup(v->text.at);
}

static bool set_check(struct rule *rule, struct span name)
{
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
		if (span_eq(name, checks[i].name)) {
			rule->check = checks[i].check;
			rule->check_name = checks[i].name;
			return true;
		}
	return false;
}

static void read_check(void *ctx, const struct ynode *v)
{
	struct reader *r = ctx;
	if (scalar(r, v, "check") && !set_check(r->rule, v->text))
		WRONG(r, v, unknown_word, "check is luhn, mod97, mod11_10 or verhoeff");
}

static void read_context(void *ctx, const struct ynode *v)
{
	struct reader *r = ctx;
	if (v->type != YN_LIST || v->n == 0 || v->n > WORDS_MAX) {
		WRONG(r, v, wrong_shape, "context is a list of 1 to %d words", WORDS_MAX);
		return;
	}
	for (const struct ynode *w = v->first; w; w = w->next) {
		bool good = w->type == YN_SCALAR && w->text.len >= 2;
		for (size_t i = 0; good && i < w->text.len; i++)
			good = islower((uint8_t)w->text.at[i]);
		if (!good)
			WRONG(r, w, bad_value, "a word is two letters a-z or more");
		else
			r->rule->words[r->rule->words_len++] = xstrdup(w->text.at);
	}
}

static void read_examples(void *ctx, const struct ynode *v)
{
	struct reader *r = ctx;
	if (v->type != YN_LIST)
		WRONG(r, v, wrong_shape, "examples are a list");
	else
		r->rule->examples = v;
}

static void read_counterexamples(void *ctx, const struct ynode *v)
{
	struct reader *r = ctx;
	if (v->type != YN_LIST)
		WRONG(r, v, wrong_shape, "counterexamples are a list");
	else
		r->rule->counterexamples = v;
}

static void read_detectors(void *ctx, const struct ynode *v)
{
	static const struct yaml_row rows[] = {{"name", true, read_name},	{"pattern", true, read_pattern},   {"check", false, read_check},
					       {"context", false, read_context}, {"examples", true, read_examples},
					       {"counterexamples", false, read_counterexamples}};
	struct reader *r = ctx;
	if (v->type != YN_LIST || v->n == 0 || v->n > DETECT_RULES_MAX) {
		WRONG(r, v, wrong_shape, "detectors is a list of 1 to %d", DETECT_RULES_MAX);
		return;
	}
	r->rules->v = xcalloc(v->n, sizeof *r->rules->v);
	for (const struct ynode *n = v->first; n; n = n->next) {
		r->rule = &r->rules->v[r->rules->n++];
		r->rule->line = n->line;
		r->rule->col = n->col;
		yaml_rows(n, "a detector", rows, sizeof rows / sizeof *rows, r->d, r);
	}
}

/* 0, or -1 with the rule that can't be (or the first) in *at. */
static int compile(struct detect_rules *rules, size_t *at, struct err *err)
{
	static _Atomic uint64_t serials;
	const char **patterns = xcalloc(rules->n, sizeof *patterns);
	unsigned *flags = xcalloc(rules->n, sizeof *flags), *ids = xcalloc(rules->n, sizeof *ids);
	hs_compile_error_t *why = NULL;
	int r = 0;
	for (size_t i = 0; i < rules->n; i++) {
		patterns[i] = rules->v[i].pattern;
		flags[i] = HS_FLAG_DOTALL | HS_FLAG_SOM_LEFTMOST;
		ids[i] = (unsigned)i;
	}
	rules->serial = ++serials;
	if (hs.compile_multi(patterns, flags, ids, (unsigned)rules->n, HS_MODE_BLOCK, NULL, &rules->db, &why) != HS_SUCCESS) {
		*at = why && why->expression >= 0 ? (size_t)why->expression : 0;
		r = err_set(err, ERR_INPUT, "the pattern can't be compiled: %s", why ? why->message : "unknown");
		hs.free_compile_error(why);
	}
	free(patterns);
	free(flags);
	free(ids);
	return r;
}

static void compile_read(struct reader *r)
{
	struct err err;
	size_t at;
	if (compile(r->rules, &at, &err) < 0)
		diags_add(r->d, DIAG_ERROR, r->rules->v[at].line, r->rules->v[at].col, CODE(bad_value), "%s", err.msg);
}

static bool finds(const struct detect_rules *rules, struct detect_room *room, const struct rule *rule, struct span text)
{
	struct detect_hit hits[8];
	char *p = xcalloc(text.len + 64, 1);
	memcpy(p, text.at, text.len);
	size_t n = detect_scan_with(rules, room, p, text.len, DETECT_BIT(DETECT_CUSTOM), hits, 8);
	free(p);
	for (size_t i = 0; i < n; i++)
		if (hits[i].kind == &rule->kind)
			return true;
	return false;
}

static void try_examples(struct reader *r)
{
	struct detect_room *room = detect_room_new(r->rules);
	for (size_t i = 0; i < r->rules->n; i++) {
		const struct rule *rule = &r->rules->v[i];
		for (const struct ynode *x = rule->examples ? rule->examples->first : NULL; x; x = x->next)
			if (x->type != YN_SCALAR || !finds(r->rules, room, rule, x->text))
				WRONG(r, x, bad_value, "this example isn't found");
		for (const struct ynode *x = rule->counterexamples ? rule->counterexamples->first : NULL; x; x = x->next)
			if (x->type != YN_SCALAR || finds(r->rules, room, rule, x->text))
				WRONG(r, x, bad_value, "this counterexample is found");
		if (rule->examples && !rule->examples->first)
			diags_add(r->d, DIAG_ERROR, rule->line, rule->col, CODE(missing_key), "a detector has an example");
	}
	detect_room_free(&room);
}

struct detect_rules *detect_rules_read(const char *text, size_t n, struct diags *d)
{
	static const struct yaml_row rows[] = {{"weir", true, read_version}, {"detectors", true, read_detectors}};
	struct reader r = {.rules = xcalloc(1, sizeof *r.rules), .d = d};
	struct arena a;
	arena_init(&a, 0);
	const struct ynode *tree = yaml_tree(text, n, &a, d);
	if (tree && !hs_load())
		diags_add(d, DIAG_ERROR, 0, 0, CODE(unsupported), "own detectors need Vectorscan or Hyperscan (libhs.so.5)");
	else if (tree)
		yaml_rows(tree, "the file", rows, sizeof rows / sizeof *rows, d, &r);
	if (!d->errors)
		compile_read(&r);
	if (!d->errors)
		try_examples(&r);
	arena_release(&a);
	diags_sort(d);
	for (size_t i = 0; i < r.rules->n; i++)
		r.rules->v[i].examples = r.rules->v[i].counterexamples = NULL;
	if (d->errors)
		detect_rules_free(&r.rules);
	return r.rules;
}

/* ---- rows that were read before ---------------------------------------------------------------------------------- */

struct detect_row detect_rules_row(const struct detect_rules *r, size_t i)
{
	const struct rule *rule = &r->v[i];
	return (struct detect_row){rule->name, rule->pattern, rule->check_name, rule->words, rule->words_len};
}

static bool rule_of(struct rule *rule, const struct detect_row *row)
{
	size_t len = strlen(row->pattern);
	if (!set_name(rule, (struct span){row->name, strlen(row->name)}) || len == 0 || len > DETECT_PATTERN_MAX || row->words_len > WORDS_MAX ||
	    (row->check && !set_check(rule, (struct span){row->check, strlen(row->check)})))
		return false;
	rule->pattern = xstrdup(row->pattern);
	for (; rule->words_len < row->words_len; rule->words_len++)
		rule->words[rule->words_len] = xstrdup(row->words[rule->words_len]);
	return true;
}

struct detect_rules *detect_rules_make(const struct detect_row *rows, size_t n, struct err *err)
{
	size_t at = 0;
	if (!detect_rules_ready()) {
		err_set(err, ERR_NOTFOUND, "own detectors need Vectorscan or Hyperscan (libhs.so.5)");
		return NULL;
	}
	if (n == 0 || n > DETECT_RULES_MAX) {
		err_set(err, ERR_LIMIT, "own detectors are 1 to %d", DETECT_RULES_MAX);
		return NULL;
	}
	struct detect_rules *r = xcalloc(1, sizeof *r);
	r->v = xcalloc(n, sizeof *r->v);
	for (r->n = 0; r->n < n; r->n++)
		if (!rule_of(&r->v[r->n], &rows[r->n])) {
			err_set(err, ERR_INPUT, "detector %zu can't be one", r->n + 1);
			break;
		}
	if (r->n < n || compile(r, &at, err) < 0)
		detect_rules_free(&r);
	return r;
}

bool detect_rules_ready(void)
{
	return hs_load();
}

void detect_rules_free(struct detect_rules **rules)
{
	struct detect_rules *r = *rules;
	*rules = NULL;
	if (!r || atomic_fetch_sub(&r->more, 1) != 0)
		return;
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].pattern);
		for (size_t k = 0; k < r->v[i].words_len; k++)
			free((void *)(uintptr_t)r->v[i].words[k]);
	}
	if (r->db)
		hs.free_database(r->db);
	free(r->v);
	free(r);
}

struct detect_rules *detect_rules_ref(struct detect_rules *r)
{
	atomic_fetch_add(&r->more, 1);
	return r;
}

size_t detect_rules_count(const struct detect_rules *r)
{
	return r->n;
}

size_t detect_rules_index(const struct detect_rules *r, const struct detect_hit *h)
{
	const struct rule *rule = (const struct rule *)(const void *)((const char *)h->kind - offsetof(struct rule, kind));
	must(h->type == DETECT_CUSTOM && rule >= r->v && rule < r->v + r->n);
	return (size_t)(rule - r->v);
}

/* ---- scanning ---------------------------------------------------------------------------------------------------- */

void detect_room_fit(struct detect_room **room, const struct detect_rules *r)
{
	if (!*room)
		*room = xcalloc(1, sizeof **room);
	if ((*room)->fits == r->serial)
		return;
	must(hs.alloc_scratch(r->db, &(*room)->scratch) == HS_SUCCESS);
	(*room)->fits = r->serial;
}

struct detect_room *detect_room_new(const struct detect_rules *r)
{
	struct detect_room *room = NULL;
	detect_room_fit(&room, r);
	return room;
}

void detect_room_free(struct detect_room **room)
{
	if (*room)
		hs.free_scratch((*room)->scratch);
	free(*room);
	*room = NULL;
}

enum { DIGITS_MAX = 64 };

static bool check_fits(const struct rule *rule, const uint8_t *t, size_t n)
{
	char digits[DIGITS_MAX + 1];
	unsigned k = 0;
	if (!rule->check)
		return true;
	for (size_t i = 0; i < n; i++)
		if (is(t[i], C_DIGIT)) {
			if (k == DIGITS_MAX)
				return false;
			digits[k++] = (char)t[i];
		}
	digits[k] = 0;
	return rule->check(digits, k);
}

static int matched(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
	struct scan *s = arg;
	const struct rule *rule = &s->own->rules->v[id];
	const size_t start = s->lo + from;
	(void)flags;
	if (from >= to || !check_fits(rule, s->t + start, to - from))
		return 0;
	if (rule->words_len && !near_word(s, start, NEAR, rule->words))
		return 0;
	const struct finding f = {DETECT_CUSTOM, rule->words_len ? DETECT_WEAK : DETECT_STRONG, 80, "a detector of your own", &rule->kind};
	hit_add(s, start, s->lo + to, &f, 0);
	return 0;	/* full or not: a match that ends later may begin before the last hit */
}

/* To ^, $ and \b the region is all there is, where it is a gap between hits, too: rather a hit too many. */
void find_own(struct scan *s)
{
	if (s->hi > s->lo)
		must(hs.scan(s->own->rules->db, (const char *)s->t + s->lo, (unsigned)(s->hi - s->lo), 0, s->own->room->scratch, matched, s) == HS_SUCCESS);
}

static int any_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
	(void)id, (void)from, (void)to, (void)flags, (void)arg;
	return 1;
}

bool detect_rules_maybe(const struct detect_rules *r, struct detect_room *room, const char *text, size_t n)
{
	hs_error_t e = hs.scan(r->db, text, (unsigned)n, 0, room->scratch, any_match, NULL);
	must(e == HS_SUCCESS || e == HS_SCAN_TERMINATED);
	return e == HS_SCAN_TERMINATED;
}

size_t detect_scan_with(const struct detect_rules *r, struct detect_room *room, const char *text, size_t n, uint64_t types,
			struct detect_hit *hits, size_t max)
{
	const struct own own = {r, room};
	return types & DETECT_BIT(DETECT_CUSTOM) ? scan_with(&own, text, n, types, hits, max) : detect_scan(text, n, types, hits, max);
}
