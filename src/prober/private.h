/* Shared by probe.c, handshake.c and fetch.c. */
#ifndef PROBER_PRIVATE_H
#define PROBER_PRIVATE_H

#include <openssl/ssl.h>

#include "prober/prober.h"

struct probe_roots {
	char *pem;
	size_t pem_len;
	X509_STORE *store;
};

/* From the start of a probe, by the monotonic clock: what isn't done then stays unknown. */
enum { HANDSHAKES_MS = 10000, PROBE_MS = 24000 };

/* handshake.c: fills c->tls. */
void handshakes(const struct probe_target *t, struct arena *a, struct posture_tls *tls, int64_t until_ms);

/* fetch.c: fills everything that HTTP tells. */
void fetches(const struct probe_target *t, const struct probe_roots *roots, struct probe *p, int64_t until_ms);

/* An address of a private network, of this machine, or of nobody. */
struct sockaddr;
bool address_is_private(const struct sockaddr *a);

#endif
