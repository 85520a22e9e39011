/*
 * Any bytes as a closed day, as a roll-up, as a record, as a link, as evidence: the parsers end, stay inside their input, and what they accept
 * has one spelling.
 */
#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"
#include "log/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Gives head and containers the checksums and the root that they should have, so that the fuzzer reaches what lies behind. */
static void repair(uint8_t *p, size_t n)
{
	struct container v[64];
	uint32_t count = 0;
	if (n < 96)
		return;
	memcpy(p, "WEIRDAY1", 8);
	put_u32(p + 8, 1 + p[8] % 3);	/* each version */
	put_u32(p + 32, get_u32(p + 32) % 2048);
	uint32_t meta = get_u32(p + 32);
	for (size_t at = 96 + meta; at + CONTAINER_HEAD <= n && count < 64; count++) {
		size_t size, left = n - at - CONTAINER_HEAD;
		const char *why;
		uint32_t len = get_u32(p + at + 8);
		size_t data = p[at + 6] == CONTAINER_BITSET ? CHUNK_BYTES : (p[at + 6] == CONTAINER_ARRAY ? 2 : 4) * (size_t)len;
		if (data > left)
			break;
		put_u32(p + at + 12, crc32c(crc32c(0, p + at, 12), p + at + CONTAINER_HEAD, data));
		if (container_read(p + at, n - at, &v[count], &size, &why) < 0)
			break;
		at += size;
	}
	container_root(v, count, p + 48);
	if (meta <= n - 96)
		put_u32(p + 92, crc32c(crc32c(0, p, 92), p + 96, meta));
}

static void as_day(const uint8_t *p, size_t n, bool repaired)
{
	struct combos c = {0};
	struct part part, again;
	struct err err;
	uint8_t *copy = xmalloc(n + 1);
	memcpy(copy, p, n);
	if (repaired)
		repair(copy, n);
	if (day_read(copy, n, &c, &part, &err) == 0) {
		struct buf b;
		for (uint32_t i = 0; i < part.sets_n; i++) {	/* open it again, and write it */
			set_add_to(&part.sets[i], &part.sets[i].bits);
			part.sets[i].containers_n = 0;
		}
		buf_init(&b, 0);
		day_write(&part, NULL, &b);
		must(day_read(b.data, b.len, &c, &again, &err) == 0);
		must(again.sets_n == part.sets_n && again.containers_n == part.containers_n);
		part_release(&again);
		part_release(&part);
	}
	combos_release(&c);
}

static void as_link(const uint8_t *p, size_t n)
{
	struct link_frame f;
	struct link_one k;
	struct err err;
	uint8_t *copy = xmalloc(n + 1);	/* a block of its own: reads past the end are seen */
	memcpy(copy, p, n);
	if (link_parse(copy, n, &f, &err) == 0) {
		static volatile uint8_t sum;	/* so that each byte is read */
		for (uint32_t i = 0; i < f.count; i++) {
			link_next(&f, &k);
			must(k.n >= 2 && k.persons >= 1 && k.persons <= k.n);
			for (const uint8_t *at = k.attributes; at < k.subjects + 16 * (size_t)k.n; at++)
				sum = (uint8_t)(sum ^ *at);
		}
		must(f.at == copy + n);
	}
	free(copy);
}

/* A roll-up of one part; its images as the fuzzer has them, or repaired as a day is. */
static void as_rollup(const uint8_t *p, size_t n, bool repaired)
{
	enum { HEAD = 48, PART = 48 };
	uint64_t bytes[2];
	uint8_t *copy = xmalloc(n + 1);
	memcpy(copy, p, n);
	if (n >= HEAD + PART) {
		memcpy(copy, "WEIRSUM1", 8);
		put_u32(copy + 8, 1);
		put_u32(copy + 12, 1);
		size_t left = n - HEAD - PART, live = get_u64(copy + 16) % (left + 1);
		put_u64(copy + 16, live);
		put_u64(copy + 24, left - live);
		put_u32(copy + 44, crc32c(crc32c(0, copy, 44), copy + HEAD, PART));
		if (repaired) {
			repair(copy + HEAD + PART, live);
			repair(copy + HEAD + PART + live, left - live);
		}
	}
	if (rollup_damage(copy, n, bytes))
		must(bytes[0] <= bytes[1] && bytes[1] <= n);
	free(copy);
}

static void no_fact(void *arg, const char *what, const char *vendor)
{
	must(arg == NULL && what[0] && vendor);
}

/* Somebody's evidence, of a day whose leaf says what its head is; as its one container's root where that is all it has. */
static void as_evidence(const uint8_t *p, size_t n)
{
	json_t *j = json_loadb((const char *)p, n, 0, NULL);
	const char *text = json_string_value(json_object_get(j, "head"));
	struct ledger_day_proved d = {.day = 0};
	uint8_t key[SUBJECT_BYTES], *head = xmalloc(n + 4);
	struct err err;
	uint32_t id;
	ssize_t got = text ? base64_decode(text, strlen(text), head) : -1;
	if (got >= 0)
		crypt_sha256(head, (size_t)got, d.head);
	if (got >= 96)
		memcpy(d.root, head + 48, 32);
	(void)!ledger_check_day(j, &d, 5, NULL, no_fact, NULL, &err);
	(void)!ledger_check_key(j, 100, d.root, key, &id, &err);
	json_decref(j);
	free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct record_view v;
	struct err err;
	if (n == 0)
		return 0;
	must(crypt_init(&err) == 0);
	if (p[0] & 16)
		as_evidence(p + 1, n - 1);
	else if (p[0] & 8)
		as_rollup(p + 1, n - 1, p[0] & 2);
	else if (p[0] & 4)
		as_link(p + 1, n - 1);
	else if (p[0] & 1)
		as_day(p + 1, n - 1, p[0] & 2);
	else if (record_parse(p + 1, n - 1, &v, &err) == 0) {
		const uint8_t *at = v.fields;
		for (uint16_t i = 0; i < v.fields_n; i++) {
			struct span path, category;
			record_field(&at, &path, &category);
			must(path.len + category.len <= n);
		}
	}
	return 0;
}
