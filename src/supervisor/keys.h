/*
 * Which process gets which key, under which name (child_key).  The files are config/keys.h's; the supervisor reads them
 * once at its start, and each process gets by `boot` exactly the ones listed for it.
 */
#ifndef SUPERVISOR_KEYS_H
#define SUPERVISOR_KEYS_H

#include "config/keys.h"

struct key_grant {
	const char *name;
	unsigned roles;		/* 1u << ROLE_* */
};

/*
 *   vendor_root     32  gate                     HMAC root of the vendors' pseudonym keys
 *   subject         32  gate, keeper             the ledger's subject key
 *   courier_public  32  gate, courier            X25519: segments' payload keys are sealed to it
 *   courier_secret  32  courier
 *   plan_public     32  all                      Ed25519: plans, checkpoints
 *   signing_secret  64  keeper
 */
extern const struct key_grant key_grants[KEY_NAMES];

#endif
