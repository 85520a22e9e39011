/*
 * Data that reached a vendor by another way, and deletions that a vendor attested: LOG_RECORD frames of open/.
 *
 * Body, little-endian: u64 0 (no source frame), u8 version=1, u8 what, u16 0, s64 day, s64 at, u8 id[16],
 *   u16 len, vendor, u16 len, who, u16 len, why, u16 fields, fields x { u16 len, path, u16 len, category },
 *   u32 people (0xffffffff: everybody), people x subject[16]
 * Restricted and released are about people and no vendor: no fields.
 * And Weir's own notes of what had arrived: no fields, nobody; `at` is the time that they are about, `day` when it was so.
 */
#include <string.h>

#include "adapter/adapter.h"
#include "base/clock.h"
#include "ledger/inside.h"

enum { VERSION = 1, IDS_MAX = 100000, WHY_LEN = 500, VENDOR_LEN = 63, DAY_SECONDS = 86400 };

const char *const record_names[] = {
	[RECORD_MEASURED] = "measured", [RECORD_DELETED] = "deleted", [RECORD_ARRIVED] = "arrived", [RECORD_RESTRICTED] = "restricted",
	[RECORD_RELEASED] = "released",
};

/* ---- whose -------------------------------------------------------------------------------------------------------------- */

static const char device_prefix[] = "$device:";	/* Mixpanel's, in every slot */

/* The kind that the text names, or ID_KINDS; *skip: what stands before the identifier. */
static enum id_kind named_kind(const char *id, size_t n, size_t *skip)
{
	*skip = sizeof device_prefix - 1;
	if (n > *skip && memcmp(id, device_prefix, *skip) == 0)
		return ID_DEVICE;
	for (enum id_kind k = 0; k < ID_KINDS; k++) {
		size_t len = strlen(id_kind_names[k]);
		if (n > len + 1 && memcmp(id, id_kind_names[k], len) == 0 && id[len] == ':') {
			*skip = len + 1;
			return k;
		}
	}
	*skip = 0;
	return ID_KINDS;
}

int subject_key(struct pseudo *subject, const char *id, size_t n, uint8_t out[static SUBJECT_BYTES], struct err *err)
{
	size_t skip;
	enum id_kind k = named_kind(id, n, &skip);
	if (n > skip && pseudo_subject(subject, id_kind_names[k == ID_KINDS ? ID_USER : k], id + skip, n - skip, out))
		return 0;
	return err_set(err, ERR_INPUT, "an identifier is empty or isn't text in UTF-8");
}

size_t subject_keys(struct pseudo *subject, const char *id, size_t n, uint8_t (*out)[SUBJECT_BYTES], enum id_kind *first)
{
	size_t skip, found = 0;
	enum id_kind named = named_kind(id, n, &skip);
	*first = named == ID_KINDS ? 0 : named;
	for (enum id_kind k = 0; k < ID_KINDS; k++)
		if ((named == ID_KINDS || named == k) && n > skip && pseudo_subject(subject, id_kind_names[k], id + skip, n - skip, out[found]))
			found++;
	return found;
}

/* ---- from a request ------------------------------------------------------------------------------------------------------- */

static int add_fields(const json_t *fields, struct buf *b, struct err *err)
{
	size_t i, n = json_array_size(fields);
	json_t *f;
	if (n > FIELDS_MAX)
		return err_set(err, ERR_INPUT, "more than %d fields", FIELDS_MAX);
	spell_u16(b, n);
	json_array_foreach((json_t *)(uintptr_t)fields, i, f) {
		const char *path = json_string_value(json_object_get(f, "path")), *category = json_string_value(json_object_get(f, "category"));
		if (!path || !*path || strlen(path) > TEXT_MAX_LEN || (category && strlen(category) > TEXT_MAX_LEN))
			return err_set(err, ERR_INPUT, "field %zu has no name, or one that is too long", i + 1);
		spell_text(b, path);
		spell_text(b, category ? category : "");
	}
	return 0;
}

static int add_subjects(const json_t *ids, struct pseudo *subject, struct buf *b, struct err *err)
{
	uint8_t key[SUBJECT_BYTES], count[4];
	size_t i, n = json_array_size(ids);
	json_t *id;
	put_u32(count, ids ? (uint32_t)n : UINT32_MAX);
	buf_add(b, count, sizeof count);
	json_array_foreach((json_t *)(uintptr_t)ids, i, id) {
		if (!json_is_string(id) || subject_key(subject, json_string_value(id), json_string_length(id), key, err) < 0)
			return err_set(err, ERR_INPUT, "identifier %zu is empty or isn't text in UTF-8", i + 1);
		buf_add(b, key, sizeof key);
	}
	return 0;
}

static bool vendor_ok(const char *s)
{
	size_t n = s ? strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") : 0;
	return n > 0 && n <= VENDOR_LEN && s[n] == 0;
}

static int day_of(const json_t *request, int64_t now, int64_t *day, struct err *err)
{
	const json_t *v = json_object_get(request, "day");
	const char *s = json_string_value(v);
	int64_t at = now;
	if (v && (!s || strlen(s) != 10 || !clock_parse(s, 10, &at)))
		return err_set(err, ERR_INPUT, "a day reads 2026-01-15");
	if (at > now)
		return err_set(err, ERR_INPUT, "%s is in the future", s);
	if (at < 0)
		return err_set(err, ERR_INPUT, "%s is before 1970", s);
	*day = at / DAY_SECONDS;
	return 0;
}

static int check(const json_t *request, bool deleted, uint8_t id[static 16], struct err *err)
{
	const char *hex = json_string_value(json_object_get(request, "record")), *why = json_string_value(json_object_get(request, "why"));
	const json_t *ids = json_object_get(request, "ids"), *fields = json_object_get(request, "fields");
	if (!vendor_ok(json_string_value(json_object_get(request, "vendor"))))
		return err_set(err, ERR_INPUT, "which vendor? [a-z0-9-], at most %d characters", VENDOR_LEN);
	if (!hex || !hex_decode(hex, strlen(hex), id, 16))
		return err_set(err, ERR_INPUT, "`record` is 32 hex digits");
	if ((ids && !json_is_array(ids)) || json_array_size(ids) > IDS_MAX)
		return err_set(err, ERR_INPUT, "`ids` is a list of at most %d", IDS_MAX);
	if (deleted && !why)
		return err_set(err, ERR_INPUT, "why: where does the vendor say that it deleted them?");
	if (why && strlen(why) > WHY_LEN)
		return err_set(err, ERR_INPUT, "a reason has at most %d bytes", WHY_LEN);
	if (!deleted && (json_array_size(ids) == 0 || json_array_size(fields) == 0))
		return err_set(err, ERR_INPUT, "whose data was it, and which fields?");
	return 0;
}

int ledger_record(const json_t *request, struct pseudo *subject, const char *who, int64_t now, struct buf *body, struct err *err)
{
	const char *word = json_string_value(json_object_get(request, "do")), *why = json_string_value(json_object_get(request, "why"));
	bool deleted = word && strcmp(word, "ledger-deleted") == 0;
	uint8_t head[28] = {0}, id[16];
	int64_t day = 0;
	if (check(request, deleted, id, err) < 0 || day_of(request, now, &day, err) < 0)
		return -1;
	head[8] = VERSION;
	head[9] = deleted ? RECORD_DELETED : RECORD_MEASURED;
	put_u64(head + 12, (uint64_t)day);
	put_u64(head + 20, (uint64_t)now);
	buf_add(body, head, sizeof head);
	buf_add(body, id, sizeof id);
	spell_text(body, json_string_value(json_object_get(request, "vendor")));
	spell_text(body, who);
	spell_text(body, why ? why : "");
	if (add_fields(deleted ? NULL : json_object_get(request, "fields"), body, err) < 0)
		return -1;
	return add_subjects(json_object_get(request, "ids"), subject, body, err);
}

void record_spell_people(enum record_what what, const struct erased *e, struct buf *body)
{
	uint8_t head[28] = {0};
	head[8] = VERSION;
	head[9] = (uint8_t)what;
	put_u64(head + 12, (uint64_t)(e->at / DAY_SECONDS));
	put_u64(head + 20, (uint64_t)e->at);
	buf_add(body, head, sizeof head);
	buf_add(body, e->id, sizeof e->id);
	spell_text(body, "");
	spell_text(body, e->who);
	spell_text(body, e->why);
	spell_u16(body, 0);
	spell_u32(body, e->keys_n);
	buf_add(body, e->keys, (size_t)e->keys_n * SUBJECT_BYTES);
}

void ledger_arrived(const char *vendor, int64_t before, int64_t now, struct buf *body)
{
	uint8_t head[28] = {0}, id[16], none[4] = {0};
	head[8] = VERSION;
	head[9] = RECORD_ARRIVED;
	put_u64(head + 12, (uint64_t)(now / DAY_SECONDS));
	put_u64(head + 20, (uint64_t)before);
	crypt_random(id, sizeof id);
	buf_add(body, head, sizeof head);
	buf_add(body, id, sizeof id);
	spell_text(body, vendor);
	spell_text(body, "courier");
	spell_text(body, "");
	spell_u16(body, 0);
	buf_add(body, none, sizeof none);
}

/* ---- reading -------------------------------------------------------------------------------------------------------------- */

static bool take_span(const uint8_t **at, const uint8_t *end, struct span *out)
{
	if (end - *at < 2 || end - *at - 2 < get_u16(*at))
		return false;
	*out = (struct span){(const char *)*at + 2, get_u16(*at)};
	*at += 2 + out->len;
	return out->len <= TEXT_MAX_LEN && !memchr(out->at, 0, out->len);
}

int record_parse(const uint8_t *p, size_t n, struct record_view *out, struct err *err)
{
	const uint8_t *at = p + 44, *end = p + n;
	struct span skipped;
	if (n < 44 || get_u64(p) != 0 || p[8] != VERSION || p[9] < RECORD_MEASURED || p[9] > RECORD_RELEASED)
		return err_set(err, ERR_CORRUPT, "not a record of the ledger");
	*out = (struct record_view){.r = {.what = p[9], .at = (int64_t)get_u64(p + 20)}, .day = (int64_t)get_u64(p + 12)};
	memcpy(out->r.id, p + 28, 16);
	bool good = take_span(&at, end, &out->vendor) && take_span(&at, end, &out->who) && take_span(&at, end, &out->why) && end - at >= 2;
	if (good) {
		out->fields_n = get_u16(at);
		out->fields = at += 2;
		for (uint16_t i = 0; good && i < out->fields_n; i++)
			good = take_span(&at, end, &skipped) && take_span(&at, end, &skipped);
	}
	if (good && end - at >= 4) {
		out->r.people = get_u32(at);
		out->subjects = at + 4;
		uint64_t left = (uint64_t)(end - at - 4), people = out->r.people == UINT32_MAX ? 0 : out->r.people;
		if (left == people * SUBJECT_BYTES && out->day >= 0 && out->day <= 10000000)
			return 0;
	}
	return err_set(err, ERR_CORRUPT, "a record of the ledger that isn't in form");
}

void record_field(const uint8_t **at, struct span *path, struct span *category)
{
	*path = (struct span){(const char *)*at + 2, get_u16(*at)};
	*at += 2 + path->len;
	*category = (struct span){(const char *)*at + 2, get_u16(*at)};
	*at += 2 + category->len;
}
