/*
 * Is there any payload left in a folder?  Opens everything under state/ that has the log's format with the courier's
 * secret key and counts the objects it gets to see (I5).   usage: payload_lab FOLDER
 * Exit status: 0 none, 1 some, 2 it could not look.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "crypt/crypt.h"
#include "log/block.h"
#include "log/log.h"

static uint8_t public_key[SEAL_PUBLIC], secret_key[SEAL_SECRET];
static unsigned long objects, files, keys;

static int slurp(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "rb");
	uint8_t part[65536];
	if (!f)
		return -1;
	for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;)
		buf_add(b, part, n);
	fclose(f);
	return 0;
}

static void open_request(const uint8_t key[static KEY_BYTES], const uint8_t salt[static 16], uint64_t seq, const uint8_t *body, size_t n)
{
	struct err err;
	struct block b;
	if (block_parse(body, n, &b, &err) < 0 || b.sealed_len <= AEAD_OVERHEAD)
		return;
	uint8_t *plain = xmalloc(b.sealed_len);
	if (aead_open(key, salt, seq, b.clear, b.clear_len, b.sealed, b.sealed_len, plain, &err) == 0)
		objects += b.head.count;
	free(plain);
}

static void look(const struct buf *f)
{
	uint8_t key[KEY_BYTES], salt[16];
	bool have = false;
	struct err err;
	memcpy(salt, f->data + 32, 16);
	for (size_t at = LOG_SEGMENT_HEAD; at + LOG_FRAME_HEAD <= f->len;) {
		uint32_t len = get_u32(f->data + at);
		uint8_t type = f->data[at + 4];
		uint64_t seq = get_u64(f->data + at + 8);
		const uint8_t *body = f->data + at + LOG_FRAME_HEAD;
		if (type == 0 || len > f->len - at - LOG_FRAME_HEAD)
			break;
		if (type == LOG_KEY && len == KEY_BYTES + SEAL_OVERHEAD) {
			have = seal_open(body, len, public_key, secret_key, key, &err) == 0;
			keys += have;
		} else if (type == LOG_REQUEST && have) {
			open_request(key, salt, seq, body, len);
		}
		at += LOG_FRAME_HEAD + len;
	}
}

static int visit(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)at;
	struct buf b;
	buf_init(&b, 0);
	if (kind == FTW_F && slurp(path, &b) == 0 && b.len >= LOG_SEGMENT_HEAD && memcmp(b.data, "WEIRLOG1", 8) == 0) {
		files++;
		look(&b);
	}
	buf_release(&b);
	return 0;
}

static bool read_key(const char *folder, const char *name, uint8_t out[static 32])
{
	char *path = xasprintf("%s/keys/%s", folder, name);
	struct buf b;
	buf_init(&b, 4096);
	bool ok = slurp(path, &b) == 0 && b.len >= 64 && hex_decode((char *)b.data, 64, out, 32);
	buf_release(&b);
	free(path);
	return ok;
}

int main(int argc, char **argv)
{
	struct err err;
	if (argc != 2 || crypt_init(&err) < 0 || !read_key(argv[1], "courier.pub", public_key) ||
	    !read_key(argv[1], "courier.key", secret_key)) {
		fputs("usage: payload_lab FOLDER\n", stderr);
		return 2;
	}
	char *state = xasprintf("%s/state", argv[1]);
	int r = nftw(state, visit, 16, FTW_PHYS);
	free(state);
	printf("{\"files\":%lu,\"keys\":%lu,\"objects\":%lu}\n", files, keys, objects);
	return r ? 2 : objects > 0;
}
