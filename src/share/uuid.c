/* Name-based UUIDs (RFC 4122 4.3, version 5). */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "share/share.h"

void uuid5(const uint8_t ns[static 16], const char *name, size_t n, char out[static 37])
{
	uint8_t d[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	must(c && EVP_DigestInit_ex(c, EVP_sha1(), NULL) == 1 && EVP_DigestUpdate(c, ns, 16) == 1 && EVP_DigestUpdate(c, name, n) == 1 &&
	     EVP_DigestFinal_ex(c, d, NULL) == 1);
	EVP_MD_CTX_free(c);
	d[6] = (uint8_t)((d[6] & 0x0f) | 0x50);
	d[8] = (uint8_t)((d[8] & 0x3f) | 0x80);
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7],
		 d[8], d[9], d[10], d[11], d[12], d[13], d[14], d[15]);
}
