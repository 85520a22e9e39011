/*
 * The files of keys/: lower-case hex and a newline, mode 0600, written by `weir init`, read by the supervisor alone at
 * its start and by offline commands.  Each process gets by name exactly the ones that keys_of lists for it.
 */
#ifndef SUPERVISOR_KEYS_H
#define SUPERVISOR_KEYS_H

#include <stddef.h>

enum { KEY_FILE_MAX_BYTES = 64 };

struct key_file {
	const char *name;	/* child_key's name, see below */
	const char *file;	/* in keys/ */
	size_t bytes;		/* 32 or 64 */
	unsigned roles;		/* 1u << ROLE_*, those that get it */
};

/*
 *   vendor_root     keys/vendor.root   32  gate                     HMAC root of the vendors' pseudonym keys
 *   subject         keys/subject.key   32  gate, keeper             the ledger's subject key
 *   courier_public  keys/courier.pub   32  gate, courier            X25519: segments' payload keys are sealed to it
 *   courier_secret  keys/courier.key   32  courier
 *   plan_public     keys/signing.pub   32  all                      Ed25519: plans, checkpoints
 *   signing_secret  keys/signing.key   64  keeper
 */
enum { KEY_FILES = 6 };
extern const struct key_file key_files[KEY_FILES];

#endif
