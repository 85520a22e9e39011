/*
 * What the ledger costs: folding, starting, asking.
 *   build-bench/ledger_bench [SUBJECTS [DAYS [FOLDER]]]      {1000000 30}
 *   build-bench/ledger_bench rows FOLDER VENDOR              its exposures: a line each, day, set, subject
 *   build-bench/ledger_bench codes FOLDER                    who was ever seen where: a line each, code (as they sort), subject
 * Written to FOLDER, an empty one that is kept, else to $TMPDIR or /tmp, and removed: 100 million subjects and 30 days take
 * 10 GB there.
 *
 * The population is skewed: who stands at share x of all is active in a set on a day with probability c * x^-0.8, at most
 * 0.9 (Zipf with exponent 0.8).  Five vendors have four sets each: one that holds a fifth of all subjects a day, three that
 * hold a hundredth.  Ten jurisdictions.  The days are written as the ledger would close them; everything of a day arrives on it, so
 * that a question `since` a day goes back by one.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ledger/inside.h"
#include "log/block.h"
#include "plan/plan.h"

enum { FRAME = 500, LEAF_SETS = 12, DAY0 = 20089, VENDORS = 5, SETS = 4, CODES = 10, ROUNDS = 11, PRECISION = 12, FOLD_MAX = 1000000, FOLD_DAYS = 4 };
#define DAY_US UINT64_C(86400000000)	/* DAY0: 2025-01-01 */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t state = 1;
static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

/* Of this thread's processor time, which other people's work doesn't change as much; restarts also by the clock. */
static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static double since(int64_t t)
{
	return (double)(now_ns() - t) / 1e9;
}

static void person(uint64_t i, uint8_t key[static SUBJECT_BYTES])
{
	put_u64(key, mix(i + 1));
	put_u64(key + 8, mix(i + UINT64_C(0x1234567890)));
}

static long resident_kb(const char *what)
{
	char line[200];
	long kb = 0;
	size_t n = strlen(what);
	FILE *f = fopen("/proc/self/status", "re");
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, what, n) == 0)
			kb = strtol(line + n + 1, NULL, 10);
	if (f)
		fclose(f);
	return kb;
}

/* ---- folding ---------------------------------------------------------------------------------------------------------- */

static void frame(struct ledger *l, uint64_t *source, int64_t day, const uint32_t *who, uint32_t n, double *spent)
{
	struct buf b;
	struct err err;
	struct block_head h = {.plan_serial = 1, .received_us = (uint64_t)day * DAY_US, .vendor = SPAN("acme"), .leaf_bytes = 2, .count = n};
	buf_init(&b, 0);
	size_t began = block_begin(&b, &h);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t leaves[2] = {(uint8_t)(mix(who[i] * 7 + (uint64_t)day) % LEAF_SETS + 1), 0};
		struct block_object o = {.leaves = leaves, .attributes = {'D', 'E'}};
		person(who[i], o.subject);
		block_add(&b, &h, &o);
	}
	block_finish(&b, began);
	int64_t t = now_ns();
	must(fold_block(l, ++*source, 0, b.data, b.len, &err) == 0);
	*spent += since(t);
	buf_release(&b);
}

/* A signed plan in the history, so that leaves have names. */
static void make_plan(struct ledger_place *place)
{
	static const char text[] =
		"weir: 1\nvendor: acme\nname: X\ncountry: US\nrole: processor\nservice: A\ndata_regions: [US]\n"
		"delivery: {adapter: mixpanel, upstream: \"https://api.example.com\", credential: \"env:T\", quota: 1MiB}\n"
		"sources:\n  - {name: web, token: \"env:W\"}\npurpose: product-analytics\nbasis: consent\nversion: 1\nevents: [\"*\"]\n"
		"fields: {event: keep, properties.a: {keep: true, category: user.contact}, properties.b: keep}\n";
	uint8_t secret[SIGN_SECRET_BYTES];
	struct diags d;
	struct buf bytes;
	struct err err;
	sign_keypair(place->public_key, secret);
	diags_init(&d, "bench");
	struct plan_file f = {.vendor = "acme", .serial = 1, .approved = true, .not_after = INT64_MAX, .at = 1, .by = xstrdup("bench"),
			      .contract = contract_parse(text, sizeof text - 1, &d)};
	must(f.contract);
	buf_init(&bytes, 0);
	plan_file_make(&f, secret, &bytes);
	must(plan_file_write(&fio_os, place->plans, "acme", &bytes, &err) == 0);
	buf_release(&bytes);
	diags_release(&d);
	plan_file_release(&f);
}

/* Into memory only: every subject on its first day is new, then one in three a day. */
static void bench_fold(struct ledger *l, uint32_t subjects)
{
	uint32_t who[FRAME], n = 0;
	uint64_t source = 0;
	for (uint32_t d = 0; d < FOLD_DAYS; d++) {
		double spent = 0;
		uint64_t objects = 0;
		for (uint32_t i = 0; i < subjects; i++) {
			if (d && mix(i + (uint64_t)d * subjects) % 3)
				continue;
			who[n++] = i;
			objects++;
			if (n == FRAME || i == subjects - 1) {
				frame(l, &source, DAY0 - 100 + d, who, n, &spent);
				n = 0;
			}
		}
		printf("fold, %-13s        %9.2f million exposures/s\n", d ? "known subjects" : "new subjects", (double)objects / spent / 1e6);
	}
}

static void bench_dict(uint32_t subjects)
{
	struct dict d = {0};
	enum { BATCH = 10000 };
	uint8_t (*keys)[SUBJECT_BYTES] = xmalloc(sizeof *keys * BATCH);
	double add = 0, find = 0;
	for (uint32_t pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i + BATCH <= subjects; i += BATCH) {
			for (uint32_t k = 0; k < BATCH; k++)
				person(pass ? mix(i + k) % subjects : i + k, keys[k]);
			int64_t t = now_ns();
			for (uint32_t k = 0; k < BATCH; k++) {
				uint32_t id;
				if (k + 32 < BATCH)
					dict_prefetch(&d, keys[k + 32]);
				if (k + 16 < BATCH)
					dict_prefetch_key(&d, keys[k + 16]);
				if (pass)
					must(dict_find(&d, keys[k], &id));
				else
					(void)dict_add(&d, keys[k]);
			}
			*(pass ? &find : &add) += since(t);
		}
	printf("dictionary, new subjects        %9.2f million/s\n", (double)d.n / add / 1e6);
	printf("dictionary, look-ups            %9.2f million/s\n", (double)d.n / find / 1e6);
	printf("dictionary, index               %9.2f bytes a subject\n", 64.0 * (double)d.buckets_n / (double)d.n);
	free(keys);
	dict_release(&d);
}

/* ---- a history ---------------------------------------------------------------------------------------------------------- */

/* Each bit is set with probability p / 2^PRECISION. */
static uint64_t bits_of(uint32_t p)
{
	uint64_t w = 0;
	if (p == 0)
		return 0;
	for (int i = __builtin_ctz(p); i < PRECISION; i++)
		w = p >> i & 1 ? w | draw() : w & draw();
	return w;
}

static uint32_t activity(uint64_t at, uint32_t subjects, double share)
{
	double p = share / 5 * pow(((double)at + 32) / subjects, -0.8);	/* its mean is the share */
	return (uint32_t)((p > 0.9 ? 0.9 : p) * (1 << PRECISION) + 0.5);
}

static uint64_t *room(struct bits *b, size_t chunk)
{
	(void)bits_set(b, (uint32_t)(chunk * CHUNK_IDS));	/* made */
	b->v[chunk][0] = 0;
	return b->v[chunk];
}

static const struct combo *combo(struct combos *c, int vendor, int set)
{
	static const char *const categories[SETS] = {"user.device", "user.contact.email", "user.location", "user.content"};
	char name[16], path[24];
	struct field f[3];
	snprintf(name, sizeof name, "vendor%d", vendor);
	snprintf(path, sizeof path, "properties.p%d", set);
	f[0] = (struct field){combos_text(c, "event", 5), combos_text(c, "", 0)};
	f[1] = (struct field){combos_text(c, "properties.$os", 14), combos_text(c, "user.device", 11)};
	f[2] = (struct field){combos_text(c, path, strlen(path)), combos_text(c, categories[set], strlen(categories[set]))};
	return combos_intern(c, COMBO_EXPOSURE, false, name, f, 3);
}

static const struct combo *attribute(struct combos *c, const char *name)
{
	return combos_intern(c, COMBO_ATTRIBUTE, false, name, NULL, 0);
}

/* Which of 65,536 live where; the same in every chunk. */
static void make_codes(uint64_t (*codes)[CHUNK_WORDS])
{
	for (uint32_t i = 0; i < CHUNK_IDS; i++)
		codes[mix(i) % CODES][i / 64] |= UINT64_C(1) << i % 64;
}

static uint64_t fill_part(struct part *p, struct combos *c, uint32_t subjects)
{
	static uint64_t codes[CODES][CHUNK_WORDS];
	static const char *const names[CODES] = {"DE", "US", "FR", "NL", "IT", "ES", "PL", "SE", "AT", "IE"};
	uint64_t n = 0;
	make_codes(codes);
	for (size_t chunk = 0; chunk * CHUNK_IDS < subjects; chunk++) {
		uint64_t active[CHUNK_WORDS] = {0};
		for (int s = 0; s < VENDORS * SETS; s++) {
			struct set *set = part_set(p, combo(c, s / SETS, s % SETS));
			uint64_t *w = room(&set->bits, chunk);
			for (size_t i = 0; i < CHUNK_WORDS; i++) {
				uint64_t at = chunk * CHUNK_IDS + i * 64;
				if (at + 64 <= subjects)
					w[i] = bits_of(activity(at, subjects, s % SETS ? 0.01 : 0.2));
				active[i] |= w[i];
			}
			uint64_t here = words_best()->count(w);
			set->events += 3 * here;
			n += here;
		}
		memcpy(room(&part_set(p, attribute(c, "minor:?"))->bits, chunk), active, CHUNK_BYTES);
		memcpy(room(&part_set(p, attribute(c, "business:?"))->bits, chunk), active, CHUNK_BYTES);
		for (int k = 0; k < CODES; k++) {
			char name[24];
			snprintf(name, sizeof name, "jurisdiction:%s", names[k]);
			uint64_t *w = room(&part_set(p, attribute(c, name))->bits, chunk);
			memcpy(w, active, CHUNK_BYTES);
			words_best()->and(w, codes[k]);
		}
	}
	return n;
}

static void note_arrivals(struct part *p, struct combos *c)
{
	for (int v = 0; v < VENDORS; v++) {
		char name[16];
		struct record r = {.what = RECORD_ARRIVED, .at = p->day * 86400 + 86399, .who = combos_text(c, "courier", 7), .why = combos_text(c, "", 0)};
		snprintf(name, sizeof name, "vendor%d", v);
		r.vendor = combos_text(c, name, strlen(name));
		put_u64(r.id, (uint64_t)p->day);
		put_u64(r.id + 8, (uint64_t)v);
		part_record(p, &r);
	}
}

static void write_bytes(int dir, const char *name, const uint8_t *p, size_t n, uint64_t at)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	must(fd >= 0 && fio_write_all(&fio_os, fd, p, n, at) == 0);
	close(fd);
}

static uint32_t write_keys(int dict, uint32_t subjects)
{
	enum { BATCH = 1 << 20 };
	uint8_t (*keys)[SUBJECT_BYTES] = xmalloc(sizeof *keys * BATCH);
	uint32_t crc = 0;
	for (uint32_t i = 0; i < subjects;) {
		uint32_t n = subjects - i < BATCH ? subjects - i : BATCH;
		for (uint32_t k = 0; k < n; k++)
			person(i + k, keys[k]);
		crc = crc32c(crc, keys, (size_t)n * SUBJECT_BYTES);
		write_bytes(dict, "keys", keys[0], (size_t)n * SUBJECT_BYTES, (uint64_t)i * SUBJECT_BYTES);
		i += n;
	}
	free(keys);
	return crc;
}

static void make_history(int dir, uint32_t subjects, uint32_t days)
{
	struct combos c = {0};
	uint64_t exposures = 0, bytes = 0;
	(void)mkdirat(dir, "day", 0700);
	(void)mkdirat(dir, "dict", 0700);
	int day_dir = openat(dir, "day", O_RDONLY | O_DIRECTORY), dict_dir = openat(dir, "dict", O_RDONLY | O_DIRECTORY);
	uint32_t crc = write_keys(dict_dir, subjects);
	double closing = 0;
	for (uint32_t d = 0; d < days; d++) {
		struct part p = {.day = DAY0 + d, .generation = 1, .dict_n = subjects, .dict_crc = crc};
		struct buf b;
		char name[11];
		exposures += fill_part(&p, &c, subjects);
		note_arrivals(&p, &c);
		buf_init(&b, 0);
		int64_t t = now_ns();
		day_write(&p, NULL, &b);
		closing += since(t);
		clock_format_day((DAY0 + (int64_t)d) * 86400, name);
		write_bytes(day_dir, name, b.data, b.len, 0);
		bytes += b.len;
		buf_release(&b);
		part_release(&p);
	}
	close(day_dir);
	close(dict_dir);
	combos_release(&c);
	printf("exposures (subject, set, day)   %9.1f million, %.3f bytes each with attributes\n", (double)exposures / 1e6, (double)bytes / (double)exposures);
	printf("closed days                     %9.1f MB, %.1f ms each to write\n", (double)bytes / 1e6, closing * 1000 / days);
}

/* ---- questions ------------------------------------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

/* The first time, and the median of those after it; each time the ledger has forgotten the answer. */
static void ask(struct ledger *l, struct pseudo *p, const char *what, uint32_t days, json_t *q)
{
	double ms[ROUNDS + 1];
	json_int_t people = 0;
	for (int i = 0; i <= ROUNDS; i++) {
		struct err err;
		json_t *a = json_object();
		l->changes++;
		int64_t t = now_ns();
		if (ledger_ask(l, q, p, (DAY0 + days + (int64_t)1) * 86400, a, &err) < 0) {
			printf("%s: %s\n", what, err.msg);
			exit(1);
		}
		ms[i] = since(t) * 1000;
		people = json_integer_value(json_object_get(a, "people"));
		json_decref(a);
	}
	double first = ms[0];
	qsort(ms + 1, ROUNDS, sizeof *ms, by_size);
	printf("%-31s %9.3f ms (%.3f..%.3f, first %.1f)", what, ms[1 + ROUNDS / 2], ms[1], ms[ROUNDS], first);
	printf(people ? "  %lld people\n" : "\n", (long long)people);
	json_decref(q);
}

static json_t *day_json(int64_t day)
{
	char s[11];
	clock_format_day(day * 86400, s);
	return json_string(s);
}

static void questions(struct ledger *l, struct pseudo *p, uint32_t days)
{
	int64_t last = DAY0 + (int64_t)days - 1, middle = DAY0 + (int64_t)days / 2;
	ask(l, p, "people, cumulative", days, json_pack("{s:s, s:s, s:b}", "do", "blast", "vendor", "vendor1", "count", 1));
	ask(l, p, "people, all but 2 days", days, json_pack("{s:s, s:s, s:b, s:o, s:o}", "do", "blast", "vendor", "vendor1", "count", 1, "since", day_json(DAY0 + 1), "until", day_json(last - 1)));
	ask(l, p, "people, half of the days", days, json_pack("{s:s, s:s, s:b, s:o, s:o}", "do", "blast", "vendor", "vendor1", "count", 1, "since", day_json(DAY0 + 3), "until", day_json(middle + 3)));
	ask(l, p, "category and jurisdiction", days, json_pack("{s:s, s:s, s:b, s:s, s:s}", "do", "blast", "vendor", "vendor1", "count", 1, "category", "user.contact", "jurisdiction", "DE"));
	ask(l, p, "the same, half of the days", days, json_pack("{s:s, s:s, s:b, s:s, s:s, s:o, s:o}", "do", "blast", "vendor", "vendor1", "count", 1, "category", "user.device", "jurisdiction", "DE", "since", day_json(DAY0 + 3), "until", day_json(middle + 3)));
	ask(l, p, "the whole blast", days, json_pack("{s:s, s:s}", "do", "blast", "vendor", "vendor1"));
	ask(l, p, "the whole holdings", days, json_pack("{s:s, s:s}", "do", "holdings", "vendor", "vendor1"));
}

static void bench_subject(struct ledger *l, uint32_t subjects, const char *when)
{
	double ms[ROUNDS];
	for (int i = 0; i < ROUNDS; i++) {
		struct err err;
		json_t *vendors = json_array();
		uint32_t id = (uint32_t)(mix(draw()) % subjects);
		int64_t t = now_ns();
		must(ledger_subject_history(l, &id, 1, vendors, &err) == 0);
		ms[i] = since(t) * 1000;
		json_decref(vendors);
	}
	qsort(ms, ROUNDS, sizeof *ms, by_size);
	printf("one subject's history           %9.3f ms (%.3f..%.3f), %s\n", ms[ROUNDS / 2], ms[0], ms[ROUNDS - 1], when);
}

static int gone(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static struct ledger *restart(const struct ledger_place *place)
{
	struct ledger *l;
	struct err err;
	int64_t t = now_ns(), clock = clock_mono_us();
	if (ledger_open(place, NULL, &l, &err) < 0) {
		printf("%s\n", err.msg);
		exit(1);
	}
	printf("restart                         %9.3f s, %.3f by the clock\n", since(t), (double)(clock_mono_us() - clock) / 1e6);
	printf("memory after it                 %9.1f MB own, %.1f MB of mapped files\n", (double)resident_kb("RssAnon:") / 1024, (double)resident_kb("RssFile:") / 1024);
	return l;
}

static void bench_history(struct ledger_place *place, struct pseudo *p, uint32_t subjects, uint32_t days)
{
	struct err err;
	make_history(place->dir, subjects, days);
	struct ledger *l = restart(place);
	int64_t t = now_ns();
	must(ledger_roll_up(l, DAY0 + (int64_t)days + 1, false, &err) >= 0);
	printf("making all roll-ups             %9.3f s\n", since(t));
	ledger_close(&l);
	l = restart(place);
	questions(l, p, days);
	bench_subject(l, subjects, "days not checked yet");
	t = now_ns();
	must(ledger_check(l, SIZE_MAX, &err) >= 0);
	printf("checking everything             %9.3f s\n", since(t));
	bench_subject(l, subjects, "days checked");
	printf("memory in the end               %9.1f MB own, %.1f MB of mapped files\n", (double)resident_kb("RssAnon:") / 1024, (double)resident_kb("RssFile:") / 1024);
	ledger_close(&l);
}

/* ---- the same as rows ------------------------------------------------------------------------------------------------------ */

static void print_numbers(const uint32_t *v, size_t n)
{
	char line[40];
	size_t at = sizeof line;
	for (size_t i = n; i-- > 0;) {
		line[--at] = i == n - 1 ? '\n' : '\t';
		uint32_t x = v[i];
		do
			line[--at] = (char)('0' + x % 10);
		while (x /= 10);
	}
	fwrite(line + at, 1, sizeof line - at, stdout);
}

static void print_set(const struct bits *b, const uint32_t *before, size_t n)
{
	uint32_t v[3] = {before[0], n > 1 ? before[1] : 0};
	for (uint64_t id = 0; (id = bits_next(b, id)) != UINT64_MAX; id++) {
		v[n] = (uint32_t)id;
		print_numbers(v, n + 1);
	}
}

static void print_rows(struct ledger *l, const char *vendor)
{
	struct err err;
	for (size_t i = 0; i < l->parts_n; i++) {
		uint32_t set = 0;
		for (uint32_t k = 0; k < l->parts[i]->sets_n; k++) {
			const struct set *s = &l->parts[i]->sets[k];
			struct bits b = {0};
			if (s->combo->kind != COMBO_EXPOSURE || strcmp(s->combo->name, vendor) != 0)
				continue;
			must(ledger_use_set(l, l->parts[i], s, &err) == 0);
			set_add_to(s, &b);
			print_set(&b, (const uint32_t[]){(uint32_t)(l->parts[i]->day - DAY0), set++}, 2);	/* sets are in order of their fields: p0 first */
			bits_release(&b);
		}
	}
}

static void print_codes(struct ledger *l)
{
	struct err err;
	for (uint32_t i = 0, code = 0; i < l->combos.n; i++) {
		const char *name = l->combos.v[i]->name;
		struct bits b = {0};
		if (l->combos.v[i]->kind != COMBO_ATTRIBUTE || strncmp(name, "jurisdiction:", 13) != 0)
			continue;
		must(ledger_jurisdiction(l, name + 13, &b, &err) == 0);
		print_set(&b, &code, 1);
		code++;
		bits_release(&b);
	}
}

static int rows(const char *dir, const char *vendor)
{
	struct ledger *l;
	struct err err;
	struct ledger_place place = {.io = &fio_os, .dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	must(crypt_init(&err) == 0);
	place.plans = place.dir;
	if (place.dir < 0 || ledger_open(&place, NULL, &l, &err) < 0) {
		fprintf(stderr, "%s: no ledger of a bench\n", dir);
		return 1;
	}
	if (vendor)
		print_rows(l, vendor);
	else
		print_codes(l);
	ledger_close(&l);
	return 0;
}

/* argv[3], or a new one. */
static bool folder(int argc, char **argv, char *dir, size_t n)
{
	bool given = argc > 3;
	if (given)
		snprintf(dir, n, "%s", argv[3]);
	else
		snprintf(dir, n, "%s/weir-ledger-bench-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	must(given ? mkdir(dir, 0700) == 0 || errno == EEXIST : mkdtemp(dir) != NULL);
	return given;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "rows") == 0)
		return rows(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "codes") == 0)
		return rows(argv[2], NULL);
	uint32_t subjects = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000, days = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 30;
	char dir[256];
	struct err err;
	struct ledger *l;
	static const uint8_t key[KEY_BYTES] = {1};
	must(crypt_init(&err) == 0);
	bool kept = folder(argc, argv, dir, sizeof dir);
	setlinebuf(stdout);
	struct ledger_place place = {.io = &fio_os, .dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	place.plans = place.dir;
	make_plan(&place);
	struct pseudo *p = pseudo_new(key, 0);
	printf("%u subjects, %u days, %d sets\n", subjects, days, VENDORS * SETS);
	must(ledger_open(&place, NULL, &l, &err) == 0);
	bench_fold(l, subjects < FOLD_MAX ? subjects : FOLD_MAX);
	ledger_close(&l);
	bench_dict(subjects);
	bench_history(&place, p, subjects, days);
	pseudo_free(&p);
	close(place.dir);
	if (!kept)
		nftw(dir, gone, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
