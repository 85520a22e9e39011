/* What crypt.c and pseudo.c share. */
#ifndef CRYPT_PRIVATE_H
#define CRYPT_PRIVATE_H

#include <openssl/types.h>

#include "crypt/crypt.h"

/* An HMAC-SHA-256 context with its key set; the caller frees it. */
EVP_MAC_CTX *crypt_mac_new(const uint8_t key[static KEY_BYTES]);

#endif
