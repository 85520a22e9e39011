/* Any bytes as key, note, checkpoint and proof file: what parses has one spelling, and nothing is taken that wasn't signed. */
#include <stdlib.h>
#include <string.h>

#include "crypt/crypt.h"
#include "tlog/tlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void same(const struct buf *b, const uint8_t *p, size_t n)
{
	must(b->len == n && (n == 0 || memcmp(b->data, p, n) == 0));
}

static void as_checkpoint(const uint8_t *p, size_t n)
{
	struct tlog_checkpoint c;
	struct err err;
	struct buf b;
	if (tlog_checkpoint_parse((struct span){(const char *)p, n}, &c, &err) < 0)
		return;
	buf_init(&b, 0);
	tlog_checkpoint_print(&c, &b);
	same(&b, p, n);
	buf_release(&b);
}

static void as_proof(const uint8_t *p, size_t n)
{
	struct tlog_proof f;
	struct err err;
	struct buf b;
	if (tlog_proof_parse((const char *)p, n, &f, &err) < 0)
		return;
	buf_init(&b, 0);
	tlog_proof_print(&f, &b);
	same(&b, p, n);
	buf_release(&b);
}

static void as_consistency(const uint8_t *p, size_t n)
{
	struct tlog_consistency f;
	struct err err;
	struct buf b;
	if (tlog_consistency_parse((const char *)p, n, &f, &err) < 0)
		return;
	buf_init(&b, 0);
	tlog_witness_request(f.old, &f.path, f.checkpoint, &b);
	same(&b, p, n);
	buf_release(&b);
}

static void as_key(const uint8_t *p, size_t n)
{
	struct tlog_key k;
	struct err err;
	char text[TLOG_KEY_TEXT];
	if (tlog_key_parse((const char *)p, n, &k, &err) < 0)
		return;
	tlog_key_print(&k, text);
	must(strlen(text) <= n && strncasecmp(text, (const char *)p, strlen(text)) == 0);
}

static void as_path(const uint8_t *p, size_t n)
{
	unsigned level, width;
	uint64_t number;
	char path[TLOG_PATH_MAX];
	if (!tlog_tile_parse((struct span){(const char *)p, n}, &level, &number, &width))
		return;
	tlog_tile_path(level, number, width, path);
	must(strlen(path) == n && memcmp(path, p, n) == 0);
}

/* What a witness or an authority answers: nothing that they didn't sign. */
static void as_answer(const uint8_t *p, size_t n, const struct tlog_key *witness)
{
	static const char note[] = "o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\xe2\x80\x94 o AAAAAAAA\n";
	const struct span text = {note, sizeof note - 1};
	struct err err;
	struct buf out;
	uint64_t size, at;
	int64_t when;
	buf_init(&out, 0);
	(void)!tlog_witness_size((const char *)p, n, &size, &err);
	must(tlog_witness_answer(text, (const char *)p, n, witness, &at, &out, &err) == -1 && out.len == 0);
	must(tlog_timestamp_check(p, n, text, (struct span){"", 0}, &when, &err) == -1);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct tlog_key keys[2];
	static bool ready;
	struct err err;
	struct tlog_note note;
	uint8_t pk[32], sk[64];
	if (!ready) {
		must(crypt_init(&err) == 0);
		sign_keypair(pk, sk);
		must(tlog_key_make("o", TLOG_ED25519, pk, &keys[0], &err) == 0);
		must(tlog_key_make("o", TLOG_COSIGNATURE, pk, &keys[1], &err) == 0);
		ready = true;
	}
	char *copy = malloc(n + 1);	/* so that reading past the end is seen */
	must(copy);
	memcpy(copy, p, n);
	copy = realloc(copy, n ? n : 1);
	if (tlog_note_parse(copy, n, &note, &err) == 0)
		for (size_t i = 0; i < 2; i++)
			must(tlog_note_check(&note, &keys[i], NULL, &err) != 1);
	as_checkpoint((const uint8_t *)copy, n);
	as_proof((const uint8_t *)copy, n);
	as_consistency((const uint8_t *)copy, n);
	as_key((const uint8_t *)copy, n);
	as_path((const uint8_t *)copy, n);
	as_answer((const uint8_t *)copy, n, &keys[1]);
	free(copy);
	return 0;
}
