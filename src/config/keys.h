/*
 * The key files of a folder: keys/NAME, one line of lower-case hex, mode 0600 in a directory of mode 0700.
 *
 * keys_table is the one list: `weir init` makes them, `weir serve` hands each process the ones it needs, backups name
 * them.  A secret that others may read is refused, as OpenSSH refuses such a private key.
 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum key_name {
	KEY_VENDOR_ROOT,	/* every vendor's pseudonym keys come from it */
	KEY_SUBJECT,		/* the ledger's own pseudonyms; never rotates */
	KEY_COURIER_PUBLIC,	/* X25519: the gate seals payloads to it */
	KEY_COURIER_SECRET,
	KEY_SIGNING_PUBLIC,	/* Ed25519: plans and checkpoints */
	KEY_SIGNING_SECRET,
	KEY_NAMES
};

enum { KEY_FILE_BYTES_MAX = 64 };

struct key_file {
	const char *file;	/* beneath keys/ */
	size_t bytes;
	bool secret;
	const char *use;	/* a line for people */
};
extern const struct key_file keys_table[KEY_NAMES];

/*
 * dir: open directory keys/.  out holds keys_table[k].bytes.
 * ERR_NOTFOUND; ERR_DENIED: a secret that others may read; ERR_CORRUPT: not exactly that many bytes of hex.
 */
int key_file_read(int dir, enum key_name k, uint8_t *out, struct err *err) __attribute__((warn_unused_result));
/* New, mode 0600, synced; ERR_CONFLICT when it exists (a key is never overwritten). */
int key_file_write(int dir, enum key_name k, const uint8_t *bytes, struct err *err) __attribute__((warn_unused_result));

#endif
