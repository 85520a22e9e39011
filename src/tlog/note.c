/*
 * c2sp.org/signed-note, c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature.
 *
 *   note         text '\n' then lines "\xe2\x80\x94 NAME BASE64(id[4] signature)"; the text ends with a newline
 *   id           first 4 bytes of SHA-256(NAME '\n' type public key)
 *   type 1       Ed25519 over the text
 *   type 4       u64 (big-endian) time, Ed25519 over "cosignature/v1\ntime TIME\n" text
 *   checkpoint   origin '\n' size '\n' base64(root) '\n' then extension lines
 *
 * base64 has one spelling here: what decodes is encoded again and compared.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crypt/crypt.h"
#include "tlog/tlog.h"

static const char dash[] = "\xe2\x80\x94 ";
enum { DASH = sizeof dash - 1, ID = 4, COSIGNED_AT = 8, SIGNATURE_TEXT = 256, SIGNATURE_MAX = 3 * SIGNATURE_TEXT / 4 + 3 };

/* ---- base64 with one spelling ------------------------------------------------------------------------------------- */

/* Exactly n bytes. */
static bool take_base64(struct span s, uint8_t *out, size_t n)
{
	uint8_t bytes[SIGNATURE_MAX];
	char again[SIGNATURE_TEXT + 8];
	if (s.len > SIGNATURE_TEXT || base64_decode(s.at, s.len, bytes) != (ssize_t)n)
		return false;
	if (base64_encode(bytes, n, again) != s.len || memcmp(again, s.at, s.len) != 0)
		return false;
	memcpy(out, bytes, n);
	return true;
}

static void add_base64(struct buf *b, const void *p, size_t n)
{
	char text[SIGNATURE_TEXT];
	must(4 * ((n + 2) / 3) + 1 <= sizeof text);
	base64_encode(p, n, text);
	buf_adds(b, text);
}

/* ---- signatures by type ------------------------------------------------------------------------------------------- */

static bool check_ed25519(const struct tlog_key *k, struct span text, const uint8_t *sig, uint64_t *at)
{
	*at = 0;
	return sign_check(k->public_key, text.at, text.len, sig);
}

static void cosigned_message(struct span text, uint64_t at, struct buf *m)
{
	buf_init(m, 0);
	buf_addf(m, "cosignature/v1\ntime %" PRIu64 "\n", at);
	buf_add(m, text.at, text.len);
}

static bool check_cosignature(const struct tlog_key *k, struct span text, const uint8_t *sig, uint64_t *at)
{
	struct buf m;
	*at = __builtin_bswap64(get_u64(sig));
	cosigned_message(text, *at, &m);
	bool good = sign_check(k->public_key, m.data, m.len, sig + COSIGNED_AT);
	buf_release(&m);
	return good;
}

static void make_ed25519(const uint8_t secret[static 64], struct span text, uint64_t at, uint8_t *out)
{
	(void)at;
	sign_make(secret, text.at, text.len, out);
}

static void make_cosignature(const uint8_t secret[static 64], struct span text, uint64_t at, uint8_t *out)
{
	struct buf m;
	cosigned_message(text, at, &m);
	put_u64(out, __builtin_bswap64(at));
	sign_make(secret, m.data, m.len, out + COSIGNED_AT);
	buf_release(&m);
}

/* A new type of signature is a row (its public key may have another size then: tlog_key). */
static const struct sig_type {
	uint8_t type;
	size_t bytes;	/* behind the id */
	bool (*check)(const struct tlog_key *k, struct span text, const uint8_t *sig, uint64_t *at);
	void (*make)(const uint8_t secret[static 64], struct span text, uint64_t at, uint8_t *out);
} sig_types[] = {
	{TLOG_ED25519, SIGN_BYTES, check_ed25519, make_ed25519},
	{TLOG_COSIGNATURE, COSIGNED_AT + SIGN_BYTES, check_cosignature, make_cosignature},
};

static const struct sig_type *type_of(uint8_t type)
{
	for (size_t i = 0; i < sizeof sig_types / sizeof *sig_types; i++)
		if (sig_types[i].type == type)
			return &sig_types[i];
	return NULL;
}

/* ---- keys --------------------------------------------------------------------------------------------------------- */

static bool name_ok(struct span s)
{
	if (s.len == 0 || s.len > TLOG_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if ((uint8_t)s.at[i] <= ' ' || s.at[i] == '+' || s.at[i] == 0x7f)
			return false;
	return true;
}

int tlog_key_make(const char *name, enum tlog_sig_type type, const uint8_t public_key[static 32], struct tlog_key *out, struct err *err)
{
	struct buf m;
	uint8_t sha[32];
	if (!name_ok((struct span){name, strlen(name)}))
		return err_set(err, ERR_INPUT, "a key's name has 1 to %d characters, none of them a space or a plus", TLOG_NAME_MAX);
	*out = (struct tlog_key){.type = (uint8_t)type};
	snprintf(out->name, sizeof out->name, "%s", name);
	memcpy(out->public_key, public_key, 32);
	buf_init(&m, 0);
	buf_adds(&m, name);
	buf_addc(&m, '\n');
	buf_add(&m, &out->type, 1);
	buf_add(&m, public_key, 32);
	crypt_sha256(m.data, m.len, sha);
	memcpy(out->id, sha, ID);
	buf_release(&m);
	return 0;
}

int tlog_key_parse(const char *text, size_t n, struct tlog_key *out, struct err *err)
{
	uint8_t id[ID], key[33];
	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	const char *plus = memchr(text, '+', n);
	size_t name = plus ? (size_t)(plus - text) : 0;
	const char *rest = plus ? plus + 1 : NULL;
	char copy[TLOG_NAME_MAX + 1];
	if (!plus || name > TLOG_NAME_MAX || n - name < 1 + 8 + 1 || rest[8] != '+' || !hex_decode(rest, 8, id, ID))
		return err_set(err, ERR_INPUT, "a verifier key reads NAME+8 hex digits+base64");
	if (!take_base64((struct span){rest + 9, n - name - 10}, key, sizeof key) || !type_of(key[0]))
		return err_set(err, ERR_INPUT, "the verifier key's type isn't known, or its base64 is not 33 bytes");
	memcpy(copy, text, name);
	copy[name] = 0;
	if (strlen(copy) != name || tlog_key_make(copy, key[0], key + 1, out, err) < 0)
		return err_set(err, ERR_INPUT, "the verifier key has no proper name");
	return memcmp(out->id, id, ID) == 0 ? 0 : err_set(err, ERR_INPUT, "the verifier key's id isn't that of its name and key");
}

void tlog_key_print(const struct tlog_key *k, char out[static TLOG_KEY_TEXT])
{
	uint8_t key[33];
	char id[2 * ID + 1], text[48];
	key[0] = k->type;
	memcpy(key + 1, k->public_key, 32);
	hex_encode(k->id, ID, id);
	base64_encode(key, sizeof key, text);
	snprintf(out, TLOG_KEY_TEXT, "%s+%s+%s", k->name, id, text);
}

/* ---- notes -------------------------------------------------------------------------------------------------------- */

/* Length of the UTF-8 sequence at p, or 0 (RFC 3629). */
static size_t utf8_len(const uint8_t *p, size_t n)
{
	static const struct {
		uint8_t mask, lead, len;
		uint32_t least;
	} forms[] = {{0x80, 0x00, 1, 0}, {0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};
	for (size_t f = 0; f < 4; f++) {
		if ((p[0] & forms[f].mask) != forms[f].lead)
			continue;
		uint32_t c = p[0] & (uint8_t)~forms[f].mask;
		if (n < forms[f].len)
			return 0;
		for (size_t i = 1; i < forms[f].len; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (p[i] & 0x3f);
		}
		return c < forms[f].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : forms[f].len;
	}
	return 0;
}

static int check_text(const char *p, size_t n, struct err *err)
{
	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_len((const uint8_t *)p + i, n - i);
		if (len == 0)
			return err_at(err, ERR_SYNTAX, i, "the note isn't UTF-8");
		if ((uint8_t)p[i] < ' ' && p[i] != '\n')
			return err_at(err, ERR_SYNTAX, i, "the note holds a control character");
	}
	return 0;
}

static int take_signature(struct span line, size_t off, struct tlog_note *out, struct err *err)
{
	struct tlog_signature *s = &out->v[out->n];
	uint8_t bytes[SIGNATURE_MAX];
	if (line.len < DASH + 1 || memcmp(line.at, dash, DASH) != 0)
		return err_at(err, ERR_SYNTAX, off, "not a signature line");
	*s = (struct tlog_signature){.line = line, .name = {line.at + DASH, 0}};
	const char *space = memchr(s->name.at, ' ', line.len - DASH - 1);
	if (!space)
		return err_at(err, ERR_SYNTAX, off, "a signature line without a signature");
	s->name.len = (size_t)(space - s->name.at);
	s->text = (struct span){space + 1, (size_t)(line.at + line.len - 1 - (space + 1))};
	ssize_t n = s->text.len <= SIGNATURE_TEXT ? base64_decode(s->text.at, s->text.len, bytes) : -1;
	/* Types that we don't know may be longer: passed over, by an id that nobody has. */
	if (s->text.len > SIGNATURE_TEXT)
		return out->n++, 0;
	if (n <= ID || !name_ok(s->name) || !take_base64(s->text, bytes, (size_t)n))
		return err_at(err, ERR_SYNTAX, off, "a signature line that isn't in form");
	memcpy(s->id, bytes, ID);
	out->n++;
	return 0;
}

int tlog_note_parse(const char *p, size_t n, struct tlog_note *out, struct err *err)
{
	*out = (struct tlog_note){0};
	if (n > TLOG_NOTE_MAX)
		return err_set(err, ERR_LIMIT, "a note has at most %d bytes", TLOG_NOTE_MAX);
	if (check_text(p, n, err) < 0)
		return -1;
	size_t split = n;	/* the last blank line */
	for (size_t i = n; i-- > 1 && split == n;)
		if (p[i] == '\n' && p[i - 1] == '\n')
			split = i;
	if (split == n || split + 1 == n || p[n - 1] != '\n')
		return err_set(err, ERR_SYNTAX, "not a signed note: text, a blank line, signature lines");
	out->text = (struct span){p, split};
	for (size_t at = split + 1; at < n;) {
		const char *end = memchr(p + at, '\n', n - at);
		size_t len = (size_t)(end - (p + at)) + 1;
		if (out->n == TLOG_SIGNATURES_MAX)
			return err_at(err, ERR_LIMIT, at, "more than %d signatures", TLOG_SIGNATURES_MAX);
		if (take_signature((struct span){p + at, len}, at, out, err) < 0)
			return -1;
		at += len;
	}
	return 0;
}

int tlog_note_check(const struct tlog_note *note, const struct tlog_key *k, uint64_t *at, struct err *err)
{
	const struct sig_type *t = type_of(k->type);
	uint8_t bytes[SIGNATURE_MAX];
	uint64_t when = 0;
	for (size_t i = 0; i < note->n; i++) {
		const struct tlog_signature *s = &note->v[i];
		if (!span_eq(s->name, k->name) || memcmp(s->id, k->id, ID) != 0)
			continue;
		if (!take_base64(s->text, bytes, ID + t->bytes) || !t->check(k, note->text, bytes + ID, &when))
			return err_set(err, ERR_CRYPTO, "the signature by %s doesn't fit", k->name);
		if (at)
			*at = when;
		return 1;
	}
	return 0;
}

void tlog_note_sign(struct span text, const struct tlog_key *k, const uint8_t secret[static 64], uint64_t at, struct buf *out)
{
	const struct sig_type *t = type_of(k->type);
	uint8_t bytes[SIGNATURE_MAX];
	memcpy(bytes, k->id, ID);
	t->make(secret, text, at, bytes + ID);
	buf_addf(out, "%s%s ", dash, k->name);
	add_base64(out, bytes, ID + t->bytes);
	buf_addc(out, '\n');
}

/* ---- checkpoints -------------------------------------------------------------------------------------------------- */

static bool take_line(struct span *text, struct span *line)
{
	const char *end = text->len ? memchr(text->at, '\n', text->len) : NULL;
	if (!end)
		return false;
	*line = (struct span){text->at, (size_t)(end - text->at)};
	text->len -= line->len + 1;
	text->at = end + 1;
	return true;
}

/* Decimal, no leading zeros, below 2^63. */
static bool take_size(struct span s, uint64_t *out)
{
	*out = 0;
	if (s.len == 0 || s.len > 19 || (s.at[0] == '0' && s.len > 1))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		*out = *out * 10 + (uint64_t)(s.at[i] - '0');
	}
	return *out <= INT64_MAX;
}

int tlog_checkpoint_parse(struct span text, struct tlog_checkpoint *out, struct err *err)
{
	struct span size, root, rest = text;
	*out = (struct tlog_checkpoint){0};
	if (!take_line(&rest, &out->origin) || out->origin.len == 0 || !take_line(&rest, &size) || !take_line(&rest, &root))
		return err_set(err, ERR_SYNTAX, "not a checkpoint: origin, size and root, a line each");
	if (!take_size(size, &out->size))
		return err_at(err, ERR_SYNTAX, (size_t)(size.at - text.at), "the checkpoint's size isn't a number");
	if (!take_base64(root, out->root.b, TLOG_HASH))
		return err_at(err, ERR_SYNTAX, (size_t)(root.at - text.at), "the checkpoint's root isn't 32 bytes of base64");
	out->more = rest;
	for (struct span line; take_line(&rest, &line);)
		if (line.len == 0)
			return err_at(err, ERR_SYNTAX, (size_t)(line.at - text.at), "an empty line in a checkpoint");
	return rest.len == 0 ? 0 : err_set(err, ERR_SYNTAX, "a checkpoint ends with a newline");
}

void tlog_checkpoint_print(const struct tlog_checkpoint *c, struct buf *out)
{
	buf_add(out, c->origin.at, c->origin.len);
	buf_addf(out, "\n%" PRIu64 "\n", c->size);
	add_base64(out, c->root.b, TLOG_HASH);
	buf_addc(out, '\n');
	buf_add(out, c->more.at, c->more.len);
}

int tlog_checkpoint_open(const char *p, size_t n, const struct tlog_key *k, struct tlog_note *note, struct tlog_checkpoint *out,
			 struct err *err)
{
	if (tlog_note_parse(p, n, note, err) < 0 || tlog_checkpoint_parse(note->text, out, err) < 0)
		return -1;
	int signed_by = tlog_note_check(note, k, NULL, err);
	if (signed_by < 0)
		return -1;
	if (signed_by == 0)
		return err_set(err, ERR_CRYPTO, "the checkpoint isn't signed by %s", k->name);
	if (!span_eq(out->origin, k->name))
		return err_set(err, ERR_CRYPTO, "the checkpoint is of another log than %s", k->name);
	return 0;
}
