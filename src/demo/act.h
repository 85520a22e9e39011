/* What the acts of the demo share: the stage, telling, and the figures. */
#ifndef DEMO_ACT_H
#define DEMO_ACT_H

#include "demo/private.h"

struct demo {
	const struct demo_options *o;
	char *top, *dir;	/* temporary folder, and Weir's in it */
	char *gate, *api, *host, *port;
	char password[16];
	struct vendor vendor;
	struct sender sender;
	pid_t serve;
	int64_t incident;
	uint64_t arrived, expected;		/* objects of the first pass */
	uint64_t bytes_after, refused_after;	/* behind the cut-off */
	int64_t counted, affected, letters;	/* people; -1: not measured */
	struct catcher *mail;
	json_t *figures;
};

enum tone { PLAIN, BOLD, DIM, GREEN, RED, CYAN };
void say_line(const struct demo *d, enum tone tone, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void say_act(const struct demo *d, const char *title);
void rest_ms(const struct demo *d, int64_t ms);	/* time to read; none when headless */
void wait_ms(int64_t ms);			/* time that a measurement needs */
bool demo_interrupted(void);
enum { FIGURE_MAX = 32 };
const char *figure(int64_t n, char out[static FIGURE_MAX]);

int do_weir(struct demo *d, const char *const *args, const char *input, bool shown, struct run *r, struct err *err);
int do_quietly(struct demo *d, const char *const *args, const char *input, struct err *err);
int write_text(const char *path, const char *text, size_t n, struct err *err);

int act_traffic(struct demo *d, struct err *err);
int act_breach(struct demo *d, struct err *err);
int act_count(struct demo *d, struct err *err);
int act_papers(struct demo *d, struct err *err);
int act_letters(struct demo *d, struct err *err);
int mail_set_up(struct demo *d, struct err *err);
void mail_stop(struct demo *d);

#endif
