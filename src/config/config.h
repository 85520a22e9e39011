/*
 * weir.yaml and the folder (design section 6).  Every setting is one row of a table in config.c (name, type, default,
 * range, help), read by parser, `weir help weir.yaml` and the manual page.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"

struct config_host {
	char *host, *vendor;
};

struct config {
	char *gate_listen, *api_listen;		/* 127.0.0.1:7080, 127.0.0.1:7081 */
	struct config_host *hosts;
	size_t hosts_len;
	char *tls_cert, *tls_key;		/* files, relative to the folder; NULL: no TLS */
	int64_t gate_loops;			/* {1} */
	int64_t segment_bytes, segment_seconds;	/* log: {16 MiB}, {60} */
	int64_t reserve_bytes;			/* limits.reserve {64 MiB}: below this much free disk everything is refused */
	int64_t body_bytes;			/* limits.body {20 MiB} */
	int64_t memory_bytes;			/* limits.memory {256 MiB} */
	int64_t connections;			/* limits.connections {10000} */
	int64_t forget_seconds;			/* limits.forget {600}: delivered payload is gone after this (I5) */
	int64_t dead_days;			/* limits.dead {7} */
	int64_t learned_days;			/* limits.learned {90}: shapes of what flows */
	int64_t posture_hours;			/* posture.hours {24}: between probes of a vendor's host; 0: never */
	char *posture_roots;			/* posture.roots: file, relative to the folder; NULL: the system's alone */
	char *mail_server, *mail_from, *mail_user, *mail_password, *mail_ca;	/* NULL: not set; the password as env: or file: */
	char *mail_organisation, *mail_contact, *mail_site;
};

void config_defaults(struct config *c);
void config_parse(const char *text, size_t n, struct config *c, struct diags *d);
void config_release(struct config *c);

/* The table as text for people: a line a setting with its default and range (`weir help weir.yaml`, weir.yaml(5)). */
void config_help(struct buf *out);

/* The folder: --dir, else $WEIR_DIR, else the nearest parent with weir.yaml.  ERR_NOTFOUND: exit 2. */
int folder_find(const char *given, char **path, struct err *err);

#endif
