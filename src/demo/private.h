/* Shared by the files of src/demo. */
#ifndef DEMO_PRIVATE_H
#define DEMO_PRIVATE_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/buf.h"
#include "demo/demo.h"

/* ---- scan.c: what personal data a run of bytes shows; the same reader before Weir and behind it -------------------- */

enum seen { SEEN_OBJECTS, SEEN_EMAIL, SEEN_NAME, SEEN_CITY, SEEN_ORGANISATION, SEEN_TEXT, SEEN_KINDS };
struct scan {
	_Atomic uint64_t bytes, requests, n[SEEN_KINDS];
};
void scan_add(struct scan *s, struct span body);

/* ---- people.c ---------------------------------------------------------------------------------------------------- */

struct person {
	unsigned number;
	char id[16], name[40], email[64];
	const char *city, *country, *language, *plan;
	unsigned organisation;
	bool wrote;		/* sends feedback in words of their own */
};
void person_make(unsigned number, struct person *p);
enum { EVENTS_EACH = 2, OBJECTS_EACH = EVENTS_EACH + 1 };
/* JSON objects as the SDKs of the chat product send them, with a comma behind each. */
void person_events(const struct person *p, int64_t now, struct buf *out);
void person_profile(const struct person *p, struct buf *out);
void person_later(const struct person *p, int64_t now, struct buf *out);	/* one more event */
/* id, email, name, language of all: what `weir incident notify` joins with the ledger's answer. */
int people_write(const char *path, unsigned people, struct err *err);

/* ---- vendor.c: the stand-in vendor, a process of its own --------------------------------------------------------- */

struct vendor {
	pid_t pid;
	char url[80];
	struct scan *seen;	/* shared memory */
};
int vendor_start(struct vendor *v, struct err *err);

/* ---- sender.c ---------------------------------------------------------------------------------------------------- */

enum { SENDERS = 2 };
struct sender {
	pthread_t thread[SENDERS];
	unsigned started;
	const char *host, *port;
	unsigned people;
	double people_per_s;	/* 0: as fast as it goes */
	struct scan sent;
	_Atomic unsigned done;		/* people whose events and profile were all taken */
	_Atomic uint64_t accepted, refused, failed;	/* requests, by answer */
	_Atomic unsigned finished;	/* senders that are through all people; they wait for go, and send later events until stop */
	_Atomic bool go, stop;
	_Atomic uint64_t later, later_refused;	/* requests after all people were through */
};
int sender_start(struct sender *s, struct err *err);
void sender_stop(struct sender *s);

/* ---- run.c: this program's own commands -------------------------------------------------------------------------- */

struct run {
	int status;
	char *out, *err;	/* closed with 0 */
	json_t *json;		/* of out, or NULL */
};
extern const char demo_web_token[], demo_ios_token[];
/* args: NULL-ended, without "weir".  input may be NULL. */
int run_weir(const char *dir, const char *const *args, const char *input, struct run *r, struct err *err);
/* As another user of this machine, with our group: only root can. */
int run_weir_as_other(const char *dir, const char *const *args, struct run *r, struct err *err);
void run_release(struct run *r);
/* Goes on running; its standard error goes to log. */
int run_start(const char *dir, const char *const *args, const char *log, pid_t *pid, struct err *err);
/* GET of a local URL; body closed with 0, or NULL. */
char *fetch(const char *url, const char *path);

#endif
