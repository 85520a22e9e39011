/*
 * `weir audit verify BUNDLE`: every file of an evidence bundle against the checkpoint that the key signed.  The bundle comes from
 * whoever has something to prove: a file that isn't in form, belongs nowhere or proves nothing makes all of it worth nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/ask.h"
#include "cli/audit_log.h"
#include "cli/bundle.h"
#include "crypt/crypt.h"
#include "ledger/ledger.h"

enum { ROOTS_MAX = 1 << 20, STAMP_MAX = 64 << 10 };

struct check {
	const struct args *a;
	int dir;
	struct tlog_key key;
	struct buf note, answer_text;
	struct tlog_checkpoint now;
	json_t *answer;
	uint8_t answer_sha[32];
	struct bundle_state said;
	struct bundle_day *days;
	size_t days_n;
	uint64_t entries, batches, events, contracts;
	json_t *seen;		/* by witnesses, an authority, the reader before */
	json_t *proved;		/* of one person: {VENDOR: {DAY: true}} */
	json_t *unproved;	/* identifiers that no closed day has */
};

static int refuse(struct err *err, const char *file, const char *why)
{
	return err_set(err, ERR_CRYPTO, "%s: %s", file, why);
}

static int read_file(const struct check *c, const char *name, struct buf *out, struct err *err)
{
	buf_init(out, 0);
	if (tlog_file_read(&fio_os, c->dir, name, BUNDLE_FILE_MAX, out, err) == 0)
		return 0;
	buf_release(out);
	err->code = err->code == ERR_NOTFOUND ? ERR_CRYPTO : err->code;	/* of a bundle, that is the answer no */
	return err_prefix(err, "%s: ", name);
}

static struct span span_of(const struct buf *b)
{
	return (struct span){(const char *)b->data, b->len};
}

static bool same_note(const struct check *c, struct span note)
{
	return note.len == c->note.len && memcmp(note.at, c->note.data, note.len) == 0;
}

/* ---- checkpoint, key, answer ----------------------------------------------------------------------------------------- */

static int check_key(const struct check *c, struct err *err)
{
	char vkey[TLOG_KEY_TEXT + 1];
	struct buf b;
	if (read_file(c, "key.vkey", &b, err) < 0)
		return -1;
	tlog_key_print(&c->key, vkey);
	strcat(vkey, "\n");
	int r = span_eq(span_of(&b), vkey) ? 0 : refuse(err, "key.vkey", "not the key that was given");
	buf_release(&b);
	return r;
}

static int check_checkpoint(struct check *c, struct err *err)
{
	struct tlog_note parsed;
	if (read_file(c, "checkpoint", &c->note, err) < 0)
		return -1;
	if (tlog_checkpoint_open((const char *)c->note.data, c->note.len, &c->key, &parsed, &c->now, err) == 0)
		return 0;
	return err_prefix(err, "checkpoint: ");
}

static int check_answer(struct check *c, struct err *err)
{
	if (read_file(c, "answer.json", &c->answer_text, err) < 0)
		return -1;
	crypt_sha256(c->answer_text.data, c->answer_text.len, c->answer_sha);
	c->answer = json_loadb((const char *)c->answer_text.data, c->answer_text.len, 0, NULL);
	return json_is_object(c->answer) ? 0 : refuse(err, "answer.json", "not an answer");
}

/* ---- entries --------------------------------------------------------------------------------------------------------- */

static void take_day(struct check *c, const struct bundle_day *d)
{
	c->days = xrealloc(c->days, (c->days_n + 1) * sizeof *c->days);
	c->days[c->days_n++] = *d;
}

static void take_leaf(struct check *c, const struct buf *entry, uint64_t index)
{
	json_t *leaf = json_loadb((const char *)entry->data, entry->len, 0, NULL);
	const char *what = json_string_value(json_object_get(leaf, "weir"));
	struct bundle_day d;
	struct bundle_state s;
	if (bundle_day_of(leaf, index, &d))
		take_day(c, &d);
	if (bundle_state_of(leaf, index, &s) && memcmp(s.answer, c->answer_sha, sizeof s.answer) == 0 && s.index >= c->said.index)
		c->said = s;
	c->batches += what && strcmp(what, "batch") == 0;
	c->events += what && strcmp(what, "event") == 0;
	c->entries++;
	json_decref(leaf);
}

/* name: entry-N.json */
static int check_entry(struct check *c, const char *name, struct err *err)
{
	char own[48], proof_name[48];
	struct buf entry, file;
	struct tlog_proof proof;
	uint64_t index = strtoull(name + 6, NULL, 10);
	snprintf(own, sizeof own, "entry-%" PRIu64 ".json", index);
	snprintf(proof_name, sizeof proof_name, "entry-%" PRIu64 ".proof", index);
	if (strcmp(own, name) != 0)
		return refuse(err, name, "not a file of a bundle");
	if (read_file(c, name, &entry, err) < 0)
		return -1;
	int r = read_file(c, proof_name, &file, err);
	if (r == 0) {
		r = tlog_proof_parse((const char *)file.data, file.len, &proof, err);
		if (r == 0 && !same_note(c, proof.checkpoint))
			r = err_set(err, ERR_CRYPTO, "proved under another checkpoint than the bundle's");
		if (r == 0 && (proof.index != index || proof.extra.len))
			r = err_set(err, ERR_CRYPTO, "a proof of another entry");
		if (r == 0)
			r = tlog_proof_check((const char *)file.data, file.len, entry.data, entry.len, &c->key, err);
		if (r < 0)
			err_prefix(err, "%s: ", proof_name);
		else
			take_leaf(c, &entry, index);
		buf_release(&file);
	}
	buf_release(&entry);
	return r;
}

static int by_number(const void *a, const void *b)
{
	const struct bundle_day *x = a, *y = b;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Every day that was closed when the answer was given, once: none is kept back. */
static int check_days(struct check *c, struct err *err)
{
	if (memcmp(c->said.answer, c->answer_sha, 32) != 0)
		return refuse(err, "answer.json", "not an answer that is in the log");
	if (c->days_n)
		qsort(c->days, c->days_n, sizeof *c->days, by_number);
	for (size_t i = 0; i < c->days_n; i++)
		if (c->days[i].number != i + 1)
			return refuse(err, "entry-*.json", "a closed day is missing, or is there twice");
	return c->days_n == c->said.days ? 0 : refuse(err, "entry-*.json", "not all closed days that the log speaks of are there");
}

/* ---- contracts ------------------------------------------------------------------------------------------------------- */

static int check_contract(struct check *c, const char *name, struct err *err)
{
	struct buf b;
	uint8_t sha[32];
	char hex[65];
	size_t i;
	json_t *one;
	bool named = false;
	if (read_file(c, name, &b, err) < 0)
		return -1;
	crypt_sha256(b.data, b.len, sha);
	hex_encode(sha, sizeof sha, hex);
	buf_release(&b);
	json_array_foreach(json_object_get(c->answer, "contracts"), i, one)
	{
		const char *digest = json_string_value(json_object_get(one, "digest"));
		named |= digest && strcmp(digest, hex) == 0;
	}
	c->contracts++;
	return named ? 0 : refuse(err, name, "not a contract that the answer names");
}

/* ---- other states of the log ------------------------------------------------------------------------------------------ */

static int read_consistency(const struct check *c, uint64_t old, struct buf *file, struct tlog_consistency *out, struct err *err)
{
	char name[48];
	snprintf(name, sizeof name, "consistency-%" PRIu64 ".proof", old);
	if (faccessat(c->dir, name, F_OK, 0) < 0)
		return err_set(err, ERR_CRYPTO, "the bundle doesn't prove that it is the same log; have it made with --known and that checkpoint");
	if (read_file(c, name, file, err) < 0)
		return -1;
	if (tlog_consistency_parse((const char *)file->data, file->len, out, err) == 0) {
		if (out->old == old && same_note(c, out->checkpoint))
			return 0;
		err_set(err, ERR_CRYPTO, "not a proof of these two states");
	}
	buf_release(file);
	return err_prefix(err, "%s: ", name);
}

/* The log of the bundle goes on where the note stands. */
static int follows(const struct check *c, struct span then, struct tlog_checkpoint *old, struct err *err)
{
	struct tlog_note parsed;
	struct tlog_consistency p;
	struct buf file;
	if (tlog_checkpoint_open(then.at, then.len, &c->key, &parsed, old, err) < 0)
		return -1;
	if (old->size > c->now.size)
		return err_set(err, ERR_DENIED, "rolled back: a state of %" PRIu64 " entries was seen, and the bundle's has %" PRIu64, old->size, c->now.size);
	if (old->size == 0)
		return 0;
	if (old->size == c->now.size)
		return memcmp(old->root.b, c->now.root.b, TLOG_HASH) == 0 ? 0 : err_set(err, ERR_DENIED, "forked: two logs of one length");
	if (read_consistency(c, old->size, &file, &p, err) < 0)
		return -1;
	int r = tlog_check_consistency(old->size, &old->root, c->now.size, &c->now.root, p.path.v, p.path.n, err);
	buf_release(&file);
	return r < 0 ? err_set(err, ERR_DENIED, "forked: what was seen isn't the beginning of the bundle's log") : 0;
}

static void add_seen(struct check *c, const char *kind, const char *who, uint64_t size, int64_t at)
{
	char text[21] = "";
	if (at)
		clock_format(at, text);
	json_array_append_new(c->seen, json_pack("{s:s, s:I, s:s}", kind, who, "size", (json_int_t)size, "at", text));
}

/* Whatever others signed or had seen must be of this log; who they are is only known where they are named. */
static int check_note(struct check *c, const char *name, struct err *err)
{
	struct tlog_checkpoint old;
	struct buf b;
	if (read_file(c, name, &b, err) < 0)
		return -1;
	int r = follows(c, span_of(&b), &old, err);
	if (r == 0 && strcmp(name, "known") == 0)
		add_seen(c, "known", "the reader", old.size, 0);
	buf_release(&b);
	return r < 0 ? err_prefix(err, "%s: ", name) : 0;
}

struct witnessing {
	struct check *c;
	struct tlog_key key;
	bool found;
	struct err *err;
	int r;
};

static bool look_for_witness(void *arg, const char *name)
{
	struct witnessing *w = arg;
	struct tlog_checkpoint old;
	struct tlog_note note;
	struct buf b;
	uint64_t at = 0;
	char path[300];
	snprintf(path, sizeof path, "witness/%.250s", name);
	w->r = read_file(w->c, path, &b, w->err);
	if (w->r < 0)
		return false;
	w->r = follows(w->c, span_of(&b), &old, w->err);
	int by = w->r == 0 && tlog_note_parse((const char *)b.data, b.len, &note, w->err) == 0 ? tlog_note_check(&note, &w->key, &at, w->err) : -1;
	w->r = by < 0 ? -1 : 0;
	if (by == 1) {
		w->found = true;
		add_seen(w->c, "witness", w->key.name, old.size, (int64_t)at);
	}
	buf_release(&b);
	return w->r == 0;
}

static int check_witness(struct check *c, const char *text, struct err *err)
{
	struct witnessing w = {.c = c, .err = err};
	if (audit_key(text, "--witness", &w.key, err) < 0)
		return -1;
	int dir = openat(c->dir, "witness", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && fio_os.list(NULL, dir, look_for_witness, &w) < 0 && w.r == 0)
		w.r = err_sys(err, "witness");
	if (dir >= 0)
		close(dir);
	if (w.r == 0 && !w.found)
		w.r = err_set(err, ERR_CRYPTO, "nothing in the bundle is signed by %s", w.key.name);
	return w.r;
}

static int check_stamp(struct check *c, const char *roots_file, struct err *err)
{
	struct tlog_checkpoint old;
	struct buf note, stamp, roots;
	int64_t at;
	if (read_file(c, "timestamp/checkpoint", &note, err) < 0)
		return -1;
	int r = read_file(c, "timestamp/answer.tsr", &stamp, err);
	if (r == 0) {
		buf_init(&roots, 0);
		r = cli_read(roots_file, ROOTS_MAX, &roots, err);
		if (r == 0)
			r = follows(c, span_of(&note), &old, err);
		if (r == 0)
			r = tlog_timestamp_check(stamp.data, stamp.len, span_of(&note), span_of(&roots), &at, err);
		if (r == 0)
			add_seen(c, "authority", "RFC 3161", old.size, at);
		buf_release(&roots);
		buf_release(&stamp);
	}
	buf_release(&note);
	return r < 0 ? err_prefix(err, "timestamp: ") : 0;
}

static int check_others(struct check *c, struct err *err)
{
	for (size_t i = 0; i < c->a->given_len; i++) {
		const struct args_given *g = &c->a->given[i];
		if ((g->key == AUDIT_WITNESS && check_witness(c, g->value, err) < 0) || (g->key == AUDIT_CA && check_stamp(c, g->value, err) < 0))
			return -1;
	}
	return 0;
}

/* Against what the reader saw before; then that is this one. */
static int remember(struct check *c, const char *path, struct err *err)
{
	struct tlog_checkpoint old;
	struct buf then;
	if (!path)
		return 0;
	buf_init(&then, 0);
	bool there = access(path, F_OK) == 0;
	int r = there ? cli_read(path, TLOG_NOTE_MAX, &then, err) : 0;
	if (r == 0 && there && follows(c, span_of(&then), &old, err) < 0)
		r = err_prefix(err, "%s: ", path);
	buf_release(&then);
	return r < 0 ? -1 : audit_replace(path, c->note.data, c->note.len, err);
}

/* ---- one person ------------------------------------------------------------------------------------------------------- */

struct day_facts {
	struct check *c;
	const char *day;
};

static void note_fact(void *arg, const char *what, const char *vendor)
{
	struct day_facts *f = arg;
	json_t *of = json_object_get(f->c->proved, vendor);
	if (strcmp(what, "deleted") == 0)
		return;
	if (!of) {
		of = json_object();
		json_object_set_new(f->c->proved, vendor, of);
	}
	json_object_set_new(of, f->day, json_true());
}

static int read_json(const struct check *c, const char *name, json_t **out, struct err *err)
{
	struct buf b;
	if (read_file(c, name, &b, err) < 0)
		return -1;
	*out = json_loadb((const char *)b.data, b.len, JSON_REJECT_DUPLICATES, NULL);
	buf_release(&b);
	return json_is_object(*out) ? 0 : refuse(err, name, "not in form");
}

static int check_day(struct check *c, const struct bundle_day *d, const uint32_t *ids, size_t n, struct err *err)
{
	struct ledger_day_proved p = {.day = 0};
	json_t *proof = NULL;
	char name[48], own[24], date[11];
	snprintf(name, sizeof name, "day-%s.json", d->name);
	if (read_json(c, name, &proof, err) < 0)
		return -1;
	memcpy(p.head, d->head, sizeof p.head);
	memcpy(p.root, d->root, sizeof p.root);
	snprintf(date, sizeof date, "%.10s", d->name);
	struct day_facts f = {c, date};
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = ledger_check_day(proof, &p, ids[i], json_string_value(json_object_get(c->answer, "vendor")), note_fact, &f, err);
	if (r == 0) {
		clock_format_day(p.day * 86400, date);
		bundle_day_name(date, p.generation, own);
		r = strcmp(own, d->name) == 0 ? 0 : err_set(err, ERR_CRYPTO, "it proves nothing: the head of another day");
	}
	json_decref(proof);
	return r < 0 ? err_prefix(err, "%s: ", name) : 0;
}

/* 1: *id is proved; 0: no closed day has the identifier, which the answer's first may not say */
static int check_subject(struct check *c, const char *hex, bool first, uint32_t *id, struct err *err)
{
	uint8_t key[SUBJECT_BYTES], want[SUBJECT_BYTES];
	json_t *proof = NULL;
	char name[64];
	if (!hex || !hex_decode(hex, strlen(hex), want, sizeof want))
		return refuse(err, "answer.json", "names nobody");
	snprintf(name, sizeof name, "subject-%s.json", hex);
	if (!first && faccessat(c->dir, name, F_OK, 0) < 0) {
		json_array_append_new(c->unproved, json_string(hex));
		return 0;
	}
	if (read_json(c, name, &proof, err) < 0)
		return -1;
	int r = ledger_check_key(proof, c->said.subjects, c->said.dict, key, id, err);
	if (r == 0 && memcmp(key, want, sizeof key) != 0)
		r = err_set(err, ERR_CRYPTO, "it is about another identifier");
	json_decref(proof);
	return r < 0 ? err_prefix(err, "%s: ", name) : 1;
}

/* What is proved must be in the answer; it may say more, of what isn't closed. */
static int compare(const struct check *c, struct err *err)
{
	const char *vendor;
	json_t *days, *v, *unused;
	json_object_foreach(c->proved, vendor, days) {
		const char *first = NULL, *last = NULL, *day;
		json_int_t said = 0;
		size_t i;
		json_array_foreach(json_object_get(c->answer, "vendors"), i, v) {
			if (strcmp(ask_text(v, "vendor"), vendor) != 0)
				continue;
			first = ask_text(v, "first");
			last = ask_text(v, "last");
			said = json_integer_value(json_object_get(v, "days"));
		}
		json_object_foreach(days, day, unused) {
			if (!first || strcmp(day, first) < 0 || strcmp(day, last) > 0)
				return refuse(err, "answer.json", "a closed day says more than the answer");
		}
		if ((json_int_t)json_object_size(days) > said)
			return refuse(err, "answer.json", "closed days say more than the answer");
	}
	return 0;
}

static int check_person(struct check *c, struct err *err)
{
	const char *subject = json_string_value(json_object_get(c->answer, "subject"));
	const json_t *linked = json_object_get(c->answer, "linked");
	if (!subject)
		return 0;
	uint32_t *ids = xcalloc(json_array_size(linked) + 1, sizeof *ids);
	size_t n = 1;
	int r = check_subject(c, subject, true, &ids[0], err) < 0 ? -1 : 0;
	for (size_t i = 0; i < json_array_size(linked) && r == 0; i++) {
		int there = check_subject(c, json_string_value(json_array_get(linked, i)), false, &ids[n], err);
		n += there == 1;
		r = there < 0 ? -1 : 0;
	}
	for (size_t i = 0; i < c->days_n && r == 0; i++)
		r = check_day(c, &c->days[i], ids, n, err);
	free(ids);
	return r < 0 ? -1 : compare(c, err);
}

/* ---- every file of the folder ----------------------------------------------------------------------------------------- */

struct walking {
	struct check *c;
	const char *folder;	/* "", "witness/", "timestamp/" */
	struct err *err;
	int r;
};

static bool begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

/* A proof without what it proves: something was taken away. */
static int has_entry(const struct check *c, const char *proof, size_t n, struct err *err)
{
	char name[300];
	snprintf(name, sizeof name, "%.*s.json", (int)(n - 6), proof);
	return faccessat(c->dir, name, F_OK, 0) == 0 ? 0 : refuse(err, proof, "its entry is missing");
}

/* Those that others name are read from there. */
static int one_file(struct check *c, const char *name, struct err *err)
{
	static const char *const elsewhere[] = {"answer.json", "checkpoint", "key.vkey", "README.txt", "witness", "timestamp", "timestamp/answer.tsr"};
	size_t n = strlen(name);
	for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
		if (strcmp(name, elsewhere[i]) == 0)
			return 0;
	if (begins(name, "entry-") && n > 6 && strcmp(name + n - 6, ".proof") == 0)
		return has_entry(c, name, n, err);
	bool json = n > 5 && strcmp(name + n - 5, ".json") == 0, proof = n > 6 && strcmp(name + n - 6, ".proof") == 0;
	if (json && begins(name, "entry-"))
		return check_entry(c, name, err);
	if (json && begins(name, "contract-"))
		return check_contract(c, name, err);
	if (begins(name, "witness/") || strcmp(name, "timestamp/checkpoint") == 0 || strcmp(name, "known") == 0)
		return check_note(c, name, err);
	if ((proof && begins(name, "consistency-")) || (json && (begins(name, "subject-") || begins(name, "day-"))))
		return 0;
	return refuse(err, name, "not a file of a bundle");
}

static bool walk_one(void *arg, const char *name)
{
	struct walking *w = arg;
	char path[300];
	snprintf(path, sizeof path, "%s%.250s", w->folder, name);
	w->r = one_file(w->c, path, w->err);
	return w->r == 0;
}

static int walk(struct check *c, const char *folder, struct err *err)
{
	struct walking w = {.c = c, .folder = folder, .err = err};
	int dir = openat(c->dir, *folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(err, "%s", folder);
	if (fio_os.list(NULL, dir, walk_one, &w) < 0 && w.r == 0)
		w.r = err_sys(err, "%s", folder);
	close(dir);
	return w.r;
}

static int check_all(struct check *c, struct err *err)
{
	if (check_key(c, err) < 0 || check_checkpoint(c, err) < 0 || check_answer(c, err) < 0)
		return -1;
	if (walk(c, "", err) < 0 || walk(c, "witness/", err) < 0 || walk(c, "timestamp/", err) < 0)
		return -1;
	if (check_days(c, err) < 0 || check_person(c, err) < 0 || check_others(c, err) < 0)
		return -1;
	return remember(c, c->a->value[AUDIT_REMEMBER], err);
}

/* ---- the verdict ------------------------------------------------------------------------------------------------------ */

static void print_person(const struct check *c)
{
	const char *vendor, *only = json_string_value(json_object_get(c->answer, "vendor"));
	json_t *days;
	size_t i;
	json_t *hex;
	json_object_foreach(c->proved, vendor, days)
		printf("  %s got data of this person on %zu closed days\n", vendor, json_object_size(days));
	if (only && json_object_size(c->proved) == 0)
		printf("  %s got nothing of this person on any of the %" PRIu64 " closed days, as far as was recorded\n", only, c->said.days);
	else if (!only)
		printf("  every other vendor got nothing of this person on any of the %" PRIu64 " closed days, as far as was recorded\n", c->said.days);
	json_array_foreach(c->unproved, i, hex)
		printf("  nothing is proved of %s, another identifier of this person: no closed day has it yet\n", json_string_value(hex));
}

static void print_verdict(const struct check *c)
{
	size_t i;
	json_t *s;
	if (c->a->value[ARG_JSON]) {
		json_t *j = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:O, s:O}", "origin", c->key.name, "size", (json_int_t)c->now.size, "entries",
				      (json_int_t)c->entries, "days", (json_int_t)c->said.days, "batches", (json_int_t)c->batches, "events",
				      (json_int_t)c->events, "contracts", (json_int_t)c->contracts, "proved", c->proved, "unproved", c->unproved, "seen", c->seen);
		ask_print(j);
		json_decref(j);
		return;
	}
	printf("proven: the answer and all %" PRIu64 " entries are in the log of %" PRIu64 " that %s signs\n", c->entries, c->now.size, c->key.name);
	printf("  %" PRIu64 " closed days, none is left out; %" PRIu64 " batches, %" PRIu64 " decisions, %" PRIu64 " contracts\n", c->said.days, c->batches, c->events,
	       c->contracts);
	if (json_object_get(c->answer, "subject"))
		print_person(c);
	else
		puts("  The counts are computed from the days' files, whose SHA-256 these entries hold; whoever has the files makes them again.");
	json_array_foreach(c->seen, i, s)
		printf("  the log's first %lld entries are as %s saw them\n", ask_number(s, "size"),
		       json_object_get(s, "witness") ? ask_text(s, "witness") : json_object_get(s, "authority") ? "an RFC 3161 authority" : "their reader");
	puts("  Of an identifier that was never recorded nothing can be proved.");
	if (json_array_size(c->seen) == 0)
		puts("  Without a witness this proves nothing against whoever holds the signing key.");
}

int bundle_check(const struct args *a)
{
	struct check c = {.a = a, .seen = json_array(), .proved = json_object(), .unproved = json_array()};
	struct err err;
	buf_init(&c.note, 0);
	buf_init(&c.answer_text, 0);
	c.dir = open(a->operand[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = c.dir < 0 ? err_sys(&err, "%s", a->operand[0]) : crypt_init(&err);
	if (r == 0)
		r = audit_key(a->value[AUDIT_KEY], "--key", &c.key, &err);
	bool opened = r == 0;
	if (r == 0)
		r = check_all(&c, &err);
	if (r == 0)
		print_verdict(&c);
	if (c.dir >= 0)
		close(c.dir);
	buf_release(&c.note);
	buf_release(&c.answer_text);
	json_decref(c.answer);
	json_decref(c.seen);
	json_decref(c.proved);
	json_decref(c.unproved);
	free(c.days);
	if (r == 0)
		return EXIT_DONE;
	int status = cli_fail("audit verify", &err);
	return opened && status == EXIT_USE ? EXIT_NO : status;	/* what isn't in form proves nothing either */
}
