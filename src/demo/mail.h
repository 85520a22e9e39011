/* The demo's mail catcher: SMTP with STARTTLS on loopback, letters counted and the first of each language kept. */
#ifndef DEMO_MAIL_H
#define DEMO_MAIL_H

#include <fcntl.h>

#include "demo/private.h"

enum { CATCH_EN, CATCH_DE, CATCH_LANGS };
struct catcher;
/* ca_path: where its certificate goes, for mail.ca.  *out is set in any case; it lives until the program ends. */
int catcher_start(const char *ca_path, char bound[static 64], struct catcher **out, struct err *err);
uint64_t catcher_letters(const struct catcher *m);
char *catcher_first(struct catcher *m, unsigned lang);	/* whole message, closed with 0, or NULL */
void catcher_stop(struct catcher *m);	/* NULL is fine */

#endif
