/*
 * Any bytes, first as a whole file, then as a line under a good signature: what parses is written back byte for byte.
 */
#include <stdlib.h>
#include <string.h>

#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void reparse(const uint8_t pk[static 32], const uint8_t sk[static SIGN_SECRET_BYTES], const struct buf *b)
{
	struct plan_file f;
	struct err err;
	if (plan_file_parse(b->data, b->len, pk, &f, &err)) {
		must(err.code == ERR_CORRUPT || err.code == ERR_CRYPTO);
		return;
	}
	struct buf again;
	buf_init(&again, 0);
	plan_file_make(&f, sk, &again);
	must(again.len == b->len && memcmp(again.data, b->data, b->len) == 0);
	buf_release(&again);
	plan_file_release(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t pk[32], sk[SIGN_SECRET_BYTES];
	static bool ready;
	struct err err;
	if (!ready) {
		must(crypt_init(&err) == 0);
		sign_keypair(pk, sk);
		ready = true;
	}
	struct buf b;
	buf_init(&b, 0);
	buf_add(&b, p, n);
	reparse(pk, sk, &b);
	uint8_t sig[SIGN_BYTES];
	char text[100];
	buf_addc(&b, '\n');
	sign_make(sk, b.data, b.len, sig);
	base64_encode(sig, sizeof sig, text);
	buf_addf(&b, "weir-plan-ed25519 %s\n", text);
	reparse(pk, sk, &b);
	buf_release(&b);
	return 0;
}
