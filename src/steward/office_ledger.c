/* The ledger while Weir is stopped: the keeper's library, on the folder's files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/keys.h"
#include "keeper/control.h"
#include "keeper/keeper.h"
#include "keeper/notary.h"
#include "ledger/ledger.h"
#include "steward/office.h"

enum { COPY_FRAMES = 512 };

struct office_ledger {
	struct ledger_place place;
	int keys, log, open;
	int tlog;
	struct pseudo *subject;
	struct ledger *l;
};

/* A folder that never ran has no logs yet. */
static int open_dir(const char *dir, const char *name, int *out, struct err *err)
{
	char *path = xasprintf("%s/%s", dir, name);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		*out = -1;
	else
		*out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = *out < 0 ? err_sys(err, "%s", path) : 0;
	free(path);
	return r;
}

static int open_all(const char *dir, struct office_ledger *o, struct err *err)
{
	uint8_t key[KEY_FILE_BYTES_MAX];
	int state;
	if (open_dir(dir, "keys", &o->keys, err) < 0 || open_dir(dir, "state/log", &state, err) < 0)
		return -1;
	close(state);
	if (open_dir(dir, "state/log/gate", &o->log, err) < 0 || open_dir(dir, "state/ledger", &o->place.dir, err) < 0 ||
	    open_dir(dir, "state/ledger/open", &o->open, err) < 0 || open_dir(dir, "state/plan", &o->place.plans, err) < 0 ||
	    open_dir(dir, "state/tlog", &o->tlog, err) < 0)
		return -1;
	if (key_file_read(o->keys, KEY_SIGNING_PUBLIC, o->place.public_key, err) < 0 || key_file_read(o->keys, KEY_SUBJECT, key, err) < 0)
		return -1;
	o->subject = pseudo_new(key, 0);
	crypt_wipe(key, sizeof key);
	if (ledger_open(&o->place, NULL, &o->l, err) < 0)
		return -1;
	return ledger_add_gate(o->l, o->log, err);
}

int office_ledger_open(const char *dir, struct office_ledger **out, struct err *err)
{
	struct office_ledger *o = xcalloc(1, sizeof *o);
	*o = (struct office_ledger){.place = {.io = &fio_os, .dir = -1, .plans = -1}, .keys = -1, .log = -1, .open = -1, .tlog = -1};
	int r = crypt_init(err);
	if (r == 0)
		r = open_all(dir, o, err);
	if (r < 0)
		office_ledger_close(&o);
	*out = o;
	return r;
}

void office_ledger_close(struct office_ledger **p)
{
	struct office_ledger *o = *p;
	if (!o)
		return;
	int fds[] = {o->keys, o->log, o->open, o->place.dir, o->place.plans, o->tlog};
	ledger_close(&o->l);
	pseudo_free(&o->subject);
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(o);
	*p = NULL;
}

static int record(struct office_ledger *o, const json_t *request, const char *who, json_t *answer, struct err *err)
{
	static struct keeper_mark unused;
	struct copier *c = NULL;
	struct buf body;
	buf_init(&body, LOG_BODY_MAX);
	int r = ledger_record(request, o->subject, who, clock_now(), &body, err);
	if (r == 0)
		r = copier_open(o->place.io, o->log, NULL, o->open, &unused, &c, err);
	if (r == 0)
		r = copier_record(c, body.data, body.len, err);
	copier_close(&c);
	buf_release(&body);
	if (r == 0)
		json_object_set(answer, "record", json_object_get(request, "record"));
	return r;
}

/* What the gate recorded is copied first, so that it needn't be read again: it may name who is erased. */
static int copy_all(struct copier *c, struct ledger *l, struct err *err)
{
	int64_t n;
	do
		n = copier_step(c, COPY_FRAMES, err);
	while (n > 0);
	return n < 0 || ledger_catch_up(l, SIZE_MAX, err) < 0 ? -1 : 0;
}

/* The leaf comes when Weir starts. */
static int people(struct office_ledger *o, const json_t *request, const char *who, json_t *answer, struct err *err)
{
	static struct keeper_mark unused;
	struct copier *c = NULL;
	int r = copier_open(o->place.io, o->log, NULL, o->open, &unused, &c, err);
	if (r == 0)
		r = copy_all(c, o->l, err);
	if (r == 0)
		r = keeper_people(c, o->l, o->subject, request, who, answer, err);
	copier_close(&c);
	return r;
}

/* Somebody wants proof of an answer: nobody else has the log open, we hold the folder's lock. */
static int log_answer(struct office_ledger *o, const json_t *answer, struct err *err)
{
	uint8_t secret[KEY_FILE_BYTES_MAX];
	struct notary_place p = {.io = &fio_os, .tlog = o->tlog, .open = o->open, .secret = secret};
	struct notary *n = NULL;
	memcpy(p.public_key, o->place.public_key, sizeof p.public_key);
	int r = key_file_read(o->keys, KEY_SIGNING_SECRET, secret, err);
	if (r == 0)
		r = notary_open(&p, &n, err);
	if (r == 0)
		r = notary_answer(n, o->l, clock_now(), answer, err);
	notary_close(&n);
	crypt_wipe(secret, sizeof secret);
	return r < 0 ? err_prefix(err, "the transparency log can't take it: ") : 0;
}

/* The newest that was signed: what was recorded since the last batch isn't in it yet.  null: there is no log. */
static json_t *checkpoint(const struct office_ledger *o)
{
	struct tlog_place p = {.io = &fio_os, .dir = o->tlog};
	struct tlog_checkpoint c;
	struct tlog *l;
	struct err err;
	notary_key(o->place.public_key, &p.key);
	if (tlog_open(&p, &l, &err) < 0)
		return json_null();
	tlog_checkpoint_now(l, &c);
	json_t *j = notary_checkpoint_json(&c);
	tlog_close(&l);
	return j;
}

json_t *office_ledger_do(struct office_ledger *o, const json_t *request, const char *who)
{
	const char *word = json_string_value(json_object_get(request, "do"));
	json_t *answer = json_object();
	bool writes = false;
	struct err err;
	int r = word && ledger_word(word, &writes) ? 0 : err_set(&err, ERR_INPUT, "the ledger doesn't know the question");
	if (r == 0 && keeper_people_word(word))
		r = people(o, request, who, answer, &err);
	else if (r == 0)
		r = writes ? record(o, request, who, answer, &err) : ledger_ask(o->l, request, o->subject, clock_now(), answer, &err);
	bool proof = json_is_true(json_object_get(request, "proof"));
	if (r == 0 && proof)
		r = writes ? err_set(&err, ERR_INPUT, "a decision has its leaf anyway") : log_answer(o, answer, &err);
	if (r == 0 && (proof || json_object_get(answer, "checkpoint")))
		json_object_set_new(answer, "checkpoint", checkpoint(o));
	if (r == 0) {
		json_object_set_new(answer, "ok", json_true());
		return answer;
	}
	json_decref(answer);
	return control_refusal(&err);
}
