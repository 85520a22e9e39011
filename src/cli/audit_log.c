#include "cli/audit_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/audit_witness.h"
#include "cli/bundle.h"
#include "config/config.h"
#include "config/keys.h"
#include "crypt/crypt.h"
#include "keeper/notary.h"

enum { ENTRY_FILE_MAX = TLOG_ENTRY_MAX, TRIES = 5 };

/* ---- a folder and its key ----------------------------------------------------------------------------------------- */

void audit_place_release(struct audit_place *p)
{
	int fds[] = {p->tlog, p->open, p->day, p->dict};
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(p->dir);
}

static int open_below(const char *dir, const char *name, int *out, struct err *err)
{
	char *path = xasprintf("%s%s%s", dir, *name ? "/" : "", name);
	*out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = *out < 0 ? err_sys(err, "%s", path) : 0;
	free(path);
	return r;
}

int audit_key(const char *text, const char *option, struct tlog_key *key, struct err *err)
{
	struct buf b;
	if (tlog_key_parse(text, strlen(text), key, err) == 0)
		return 0;
	if (strchr(text, '+') && access(text, F_OK) < 0)
		return -1;
	buf_init(&b, 0);
	int r = cli_read(text, TLOG_KEY_TEXT, &b, err);
	if (r == 0)
		r = tlog_key_parse((const char *)b.data, b.len, key, err);
	buf_release(&b);
	return r < 0 ? err_prefix(err, "%s: ", option) : 0;
}

static int own_key(const char *dir, struct tlog_key *key, struct err *err)
{
	uint8_t pk[KEY_FILE_BYTES_MAX];
	int keys;
	if (open_below(dir, "keys", &keys, err) < 0)
		return -1;
	int r = key_file_read(keys, KEY_SIGNING_PUBLIC, pk, err);
	close(keys);
	if (r == 0)
		notary_key(pk, key);
	return r;
}

/* A folder that never closed a day, or never ran, lacks some; then there is nothing to compare. */
static void open_optional(const char *dir, const char *name, int *out)
{
	struct err none;
	if (open_below(dir, name, out, &none) < 0)
		*out = -1;
}

int audit_place_open(const struct args *a, struct audit_place *p, struct err *err)
{
	*p = (struct audit_place){.tlog = -1, .open = -1, .day = -1, .dict = -1};
	const char *log = a->value[AUDIT_LOG], *key = a->value[AUDIT_KEY];
	if (crypt_init(err) < 0)
		return -1;
	if (log)
		return open_below(log, "", &p->tlog, err) < 0 ? -1 : audit_key(key, "--key", &p->key, err);
	if (folder_find(a->value[ARG_DIR], &p->dir, err) < 0 || (key ? audit_key(key, "--key", &p->key, err) : own_key(p->dir, &p->key, err)) < 0)
		return -1;
	open_optional(p->dir, "state/ledger/open", &p->open);
	open_optional(p->dir, "state/ledger/day", &p->day);
	open_optional(p->dir, "state/ledger/dict", &p->dict);
	return open_below(p->dir, "state/tlog", &p->tlog, err);
}

struct tlog_place audit_tlog(const struct audit_place *p)
{
	return (struct tlog_place){.io = &fio_os, .dir = p->tlog, .key = p->key};
}

static void put_checkpoint(json_t *j, const struct tlog_checkpoint *c)
{
	json_t *own = notary_checkpoint_json(c);
	json_object_update(j, own);
	json_decref(own);
}

/* ---- checkpoint --------------------------------------------------------------------------------------------------- */

static int print_checkpoint(const struct args *a, const struct audit_place *p, struct err *err)
{
	struct tlog_place t = audit_tlog(p);
	struct tlog_checkpoint c;
	struct tlog *l;
	char vkey[TLOG_KEY_TEXT];
	tlog_key_print(&p->key, vkey);
	if (a->value[AUDIT_VKEY]) {
		puts(vkey);
		return 0;
	}
	if (tlog_open(&t, &l, err) < 0)
		return -1;
	struct span note = tlog_checkpoint_note(l);
	if (a->value[ARG_JSON]) {
		json_t *j = json_pack("{s:s, s:s%}", "key", vkey, "note", note.at, note.len);
		tlog_checkpoint_now(l, &c);
		put_checkpoint(j, &c);
		ask_print(j);
		json_decref(j);
	} else {
		fwrite(note.at, 1, note.len, stdout);
	}
	tlog_close(&l);
	return 0;
}

int audit_checkpoint(const struct command *self, const struct args *a)
{
	struct audit_place p;
	struct err err;
	(void)self;
	int r = audit_place_open(a, &p, &err);
	if (r == 0)
		r = print_checkpoint(a, &p, &err);
	audit_place_release(&p);
	return r < 0 ? cli_fail("audit checkpoint", &err) : EXIT_DONE;
}

/* ---- prove -------------------------------------------------------------------------------------------------------- */

struct search {
	uint64_t seq, index;
	bool found;
};

static bool is_event(void *arg, uint64_t index, struct span entry)
{
	struct search *s = arg;
	char head[64];
	int n = snprintf(head, sizeof head, "{\"weir\":\"event\",\"seq\":%" PRIu64 ",", s->seq);
	s->found = entry.len > (size_t)n && memcmp(entry.at, head, (size_t)n) == 0;
	s->index = index;
	return !s->found;
}

static bool take_number(const char *s, uint64_t *out)
{
	char *end;
	errno = 0;
	*out = strtoull(s, &end, 10);
	return *s >= '0' && *s <= '9' && *end == 0 && errno == 0 && *out <= INT64_MAX;
}

static int which(const struct args *a, struct tlog *l, uint64_t *index, struct err *err)
{
	const char *text = a->operand[0] ? a->operand[0] : a->value[AUDIT_EVENT];
	struct search s = {0};
	if (!take_number(text, index))
		return err_set(err, ERR_INPUT, "%s isn't a number", text);
	if (a->operand[0])
		return 0;
	s.seq = *index;
	if (tlog_entries_back(l, tlog_size(l), is_event, &s, err) < 0)
		return -1;
	*index = s.index;
	return s.found ? 0 : err_set(err, ERR_NOTFOUND, "event %" PRIu64 " isn't in the log; what was decided while Weir was stopped comes when it starts", s.seq);
}

static int write_file(const char *path, const void *p, size_t n, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, "%s", path);
	int r = cli_write_all(fd, p, n) < 0 || fsync(fd) < 0 ? err_sys(err, "%s", path) : 0;
	if (close(fd) < 0 && r == 0)
		r = err_sys(err, "%s", path);
	return r;
}

int audit_replace(const char *path, const void *p, size_t n, struct err *err)
{
	char *fresh = xasprintf("%s.new", path);
	int r = write_file(fresh, p, n, err);
	if (r == 0 && rename(fresh, path) < 0)
		r = err_sys(err, "%s", path);
	free(fresh);
	return r;
}

/* Under the newest checkpoint, or under the newest that --witness signed too. */
static int make_proof(const struct args *a, const struct audit_place *p, struct tlog *l, uint64_t index, struct buf *proof, struct err *err)
{
	struct tlog_key witness;
	struct buf note;
	if (!a->value[AUDIT_WITNESS])
		return tlog_proof_make(l, index, proof, err);
	buf_init(&note, 0);
	int r = audit_key(a->value[AUDIT_WITNESS], "--witness", &witness, err);
	if (r == 0)
		r = audit_cosigned(p->tlog, &witness, &note, err);
	if (r == 0)
		r = tlog_proof_under(l, index, (struct span){(const char *)note.data, note.len}, proof, err);
	buf_release(&note);
	return r;
}

static int print_proof(const struct args *a, const struct audit_place *p, struct tlog *l, uint64_t index, struct err *err)
{
	struct buf proof, entry;
	buf_init(&proof, 0);
	buf_init(&entry, 0);
	int r = tlog_entry(l, index, &entry, err);
	if (r == 0)
		r = make_proof(a, p, l, index, &proof, err);
	if (r == 0 && a->value[AUDIT_ENTRY])
		r = write_file(a->value[AUDIT_ENTRY], entry.data, entry.len, err);
	if (r == 0 && a->value[ARG_JSON]) {
		json_t *j = json_pack("{s:I, s:s%, s:s%}", "index", (json_int_t)index, "entry", entry.data, entry.len, "proof", proof.data, proof.len);
		ask_print(j);
		json_decref(j);
	} else if (r == 0 && cli_write_all(STDOUT_FILENO, proof.data, proof.len) < 0) {
		r = err_sys(err, "standard output");
	}
	buf_release(&proof);
	buf_release(&entry);
	return r;
}

int audit_prove(const struct command *self, const struct args *a)
{
	struct audit_place p;
	struct err err;
	struct tlog *l = NULL;
	uint64_t index = 0;
	if (!a->operand[0] == !a->value[AUDIT_EVENT])
		return cli_wrong(self, "prove takes the number of an entry, or --event NUMBER");
	int r = audit_place_open(a, &p, &err);
	struct tlog_place t = audit_tlog(&p);
	if (r == 0)
		r = tlog_open(&t, &l, &err);
	if (r == 0)
		r = which(a, l, &index, &err);
	if (r == 0)
		r = print_proof(a, &p, l, index, &err);
	tlog_close(&l);
	audit_place_release(&p);
	return r < 0 ? cli_fail("audit prove", &err) : EXIT_DONE;
}

/* ---- verify: a proof file ----------------------------------------------------------------------------------------- */

static int check_witness(const char *text, const struct tlog_proof *proof, struct err *err)
{
	struct tlog_key witness;
	struct tlog_note note;
	if (audit_key(text, "--witness", &witness, err) < 0 || tlog_note_parse(proof->checkpoint.at, proof->checkpoint.len, &note, err) < 0)
		return -1;
	int by = tlog_note_check(&note, &witness, NULL, err);
	if (by == 0)
		return err_set(err, ERR_CRYPTO, "the checkpoint isn't signed by %s", witness.name);
	return by < 0 ? -1 : 0;
}

static int check_proof(const struct args *a, struct err *err)
{
	struct tlog_key key;
	struct tlog_proof proof;
	struct buf file, entry;
	buf_init(&file, 0);
	buf_init(&entry, 0);
	int r = crypt_init(err);
	if (r == 0)
		r = audit_key(a->value[AUDIT_KEY], "--key", &key, err);
	if (r == 0)
		r = cli_read(a->value[AUDIT_PROOF], TLOG_NOTE_MAX, &file, err);
	if (r == 0)
		r = cli_read(a->value[AUDIT_ENTRY], ENTRY_FILE_MAX, &entry, err);
	if (r == 0)
		r = tlog_proof_check((const char *)file.data, file.len, entry.data, entry.len, &key, err);
	if (r == 0)
		r = tlog_proof_parse((const char *)file.data, file.len, &proof, err);
	if (r == 0 && a->value[AUDIT_WITNESS])
		r = check_witness(a->value[AUDIT_WITNESS], &proof, err);
	if (r == 0) {
		if (a->value[ARG_JSON])
			printf("{\"origin\":\"%s\",\"index\":%" PRIu64 "}\n", key.name, proof.index);
		else
			printf("proven: it is entry %" PRIu64 " of the log that %s signs\n", proof.index, key.name);
	}
	buf_release(&file);
	buf_release(&entry);
	return r;
}

/* ---- verify: a whole log ------------------------------------------------------------------------------------------ */

struct judged {
	json_t *damages, *seen;	/* seen: by a witness, an authority */
	struct notary_checked found;
	bool json;
};

static void note_damage(void *arg, const struct tlog_damage *d)
{
	struct judged *v = arg;
	json_t *j = json_pack("{s:s, s:I, s:o, s:s}", "file", d->file, "from", (json_int_t)d->from, "to",
			      d->to == UINT64_MAX ? json_null() : json_integer((json_int_t)d->to), "why", d->why);
	json_array_append_new(v->damages, j);
}

static void print_damages(const struct judged *v)
{
	size_t i;
	json_t *d;
	json_array_foreach(v->damages, i, d) {
		const char *file = json_string_value(json_object_get(d, "file")), *why = json_string_value(json_object_get(d, "why"));
		json_int_t from = json_integer_value(json_object_get(d, "from"));
		const json_t *to = json_object_get(d, "to");
		if (json_is_integer(to))
			fprintf(stderr, "weir: audit verify: %s: bytes %lld to %lld: %s\n", file, (long long)from, (long long)json_integer_value(to), why);
		else if (from)
			fprintf(stderr, "weir: audit verify: %s: from byte %lld: %s\n", file, (long long)from, why);
		else
			fprintf(stderr, "weir: audit verify: %s: %s\n", file, why);
	}
}

/* All that the registry says is in the log. */
static int ask_events(const char *dir, json_t **out, struct err *err)
{
	json_t *all = json_array(), *answer, *after = json_integer(0);
	while (after) {
		if (ask(dir, json_pack("{s:s, s:o}", "do", "audit-events", "after", after), &answer, err) < 0) {
			json_decref(all);
			return -1;
		}
		json_array_extend(all, json_object_get(answer, "events"));
		after = json_incref(json_object_get(answer, "next"));
		json_decref(answer);
	}
	*out = all;
	return 0;
}

static int read_checkpoint(const struct audit_place *p, struct buf *out, struct err *err)
{
	buf_reset(out);
	return tlog_file_read(&fio_os, p->tlog, "checkpoint", TLOG_NOTE_MAX, out, err);
}

/* While Weir runs the log grows under our eyes: what was found is believed when the checkpoint stood still. */
static int check_once(const struct audit_place *p, struct judged *v, bool *moved, struct err *err)
{
	struct buf before, after;
	struct notary_files f = {.io = &fio_os, .tlog = p->tlog, .open = p->open, .day = p->day, .dict = p->dict, .key = p->key};
	json_t *events = NULL;
	buf_init(&before, 0);
	buf_init(&after, 0);
	json_array_clear(v->damages);
	int r = p->dir ? ask_events(p->dir, &events, err) : 0;	/* first: the log holds these, and maybe more */
	f.events = events;
	if (r == 0)
		r = read_checkpoint(p, &before, err);
	if (r == 0)
		r = notary_check(&f, note_damage, v, &v->found, err);
	if (r == 0)
		r = read_checkpoint(p, &after, err);
	*moved = r == 0 && (before.len != after.len || memcmp(before.data, after.data, after.len) != 0);
	json_decref(events);
	buf_release(&before);
	buf_release(&after);
	return r;
}

static int check_log(const struct audit_place *p, struct judged *v, struct err *err)
{
	bool moved = true;
	for (int i = 0; i < TRIES && moved; i++) {
		if (check_once(p, v, &moved, err) < 0)
			return -1;
		if (json_array_size(v->damages) == 0)
			return 0;
	}
	return 0;
}

/* Against what this verifier saw before; then it remembers what it sees now. */
static int remember(const struct audit_place *p, const char *path, struct err *err)
{
	struct tlog_place t = audit_tlog(p);
	struct tlog *l;
	struct buf then;
	buf_init(&then, 0);
	int r = tlog_open(&t, &l, err);
	if (r == 0 && access(path, F_OK) == 0) {
		const struct tlog_source s = tlog_source(l);
		r = cli_read(path, TLOG_NOTE_MAX, &then, err);
		if (r == 0)
			r = tlog_compare((struct span){(const char *)then.data, then.len}, tlog_checkpoint_note(l), &p->key, &s, err);
	}
	if (r == 0)
		r = audit_replace(path, tlog_checkpoint_note(l).at, tlog_checkpoint_note(l).len, err);
	tlog_close(&l);
	buf_release(&then);
	return r;
}

/* Those that were asked for: each must have seen a state that the log still has. */
static int seen_by(const struct args *a, const struct audit_place *p, json_t *list, struct err *err)
{
	struct tlog_place t = audit_tlog(p);
	struct tlog *l;
	int r = tlog_open(&t, &l, err);
	for (size_t i = 0; i < a->given_len && r == 0; i++) {
		struct tlog_key witness;
		if (a->given[i].key == AUDIT_CA)
			r = audit_stamped(p->tlog, l, &p->key, a->given[i].value, list, err);
		if (a->given[i].key != AUDIT_WITNESS)
			continue;
		r = audit_key(a->given[i].value, "--witness", &witness, err);
		if (r == 0)
			r = audit_seen_by(p->tlog, l, &p->key, &witness, list, err);
	}
	tlog_close(&l);
	return r;
}

static void print_seen(const json_t *list)
{
	size_t i;
	json_t *s;
	json_array_foreach((json_t *)(uintptr_t)list, i, s) {
		const char *who = json_string_value(json_object_get(s, "witness"));
		printf("  %s saw its first %lld entries at %s\n", who ? who : "an RFC 3161 authority", (long long)json_integer_value(json_object_get(s, "size")),
		       json_string_value(json_object_get(s, "at")));
	}
	if (json_array_size(list) == 0)
		puts("  Without a witness this proves nothing against whoever holds the signing key.");
}

static void print_verdict(const struct audit_place *p, const struct judged *v)
{
	char root[45];
	const struct tlog_checked *c = &v->found.log;
	base64_encode(c->root.b, sizeof c->root.b, root);
	if (v->json) {
		json_t *j = json_pack("{s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:O, s:O}", "origin", p->key.name, "size", (json_int_t)c->size, "root", root,
				      "batches", (json_int_t)v->found.batches, "batches_gone", (json_int_t)v->found.batches_gone, "days",
				      (json_int_t)v->found.days, "events", (json_int_t)v->found.events, "strays", (json_int_t)c->strays, "damages",
				      v->damages, "seen", v->seen);
		ask_print(j);
		json_decref(j);
		return;
	}
	print_damages(v);
	if (json_array_size(v->damages))
		return;
	printf("whole: %" PRIu64 " entries, root %s, signed by %s\n", c->size, root, p->key.name);
	if (p->dir)
		printf("  %" PRIu64 " events of the registry, %" PRIu64 " closed days and %" PRIu64 " batches (%" PRIu64
		       " in closed days by now) are what was logged\n", v->found.events, v->found.days, v->found.batches, v->found.batches_gone);
	if (c->strays)
		printf("  %zu files are left from a crash and not part of the log\n", c->strays);
	print_seen(v->seen);
}

static int verify_log(const struct args *a)
{
	struct audit_place p;
	struct err err;
	struct judged v = {.damages = json_array(), .seen = json_array(), .json = a->value[ARG_JSON] != NULL};
	int r = audit_place_open(a, &p, &err);
	if (r == 0)
		r = check_log(&p, &v, &err);
	bool whole = r == 0 && json_array_size(v.damages) == 0;
	if (whole)
		r = seen_by(a, &p, v.seen, &err);
	if (r == 0 && whole && a->value[AUDIT_REMEMBER])
		r = remember(&p, a->value[AUDIT_REMEMBER], &err);
	if (r == 0)
		print_verdict(&p, &v);
	json_decref(v.damages);
	json_decref(v.seen);
	audit_place_release(&p);
	return r < 0 ? cli_fail("audit verify", &err) : whole ? EXIT_DONE : EXIT_NO;
}

static int verify_bundle(const struct command *self, const struct args *a)
{
	if (!a->value[AUDIT_KEY] || a->value[AUDIT_PROOF] || a->value[AUDIT_ENTRY] || a->value[AUDIT_LOG])
		return cli_wrong(self, "a bundle is checked with --key KEY: whose log should it be?");
	return bundle_check(a);
}

int audit_verify(const struct command *self, const struct args *a)
{
	if (a->operand[0])
		return verify_bundle(self, a);
	bool proof = a->value[AUDIT_PROOF] != NULL;
	struct err err;
	if (proof != (a->value[AUDIT_ENTRY] != NULL) || (proof && (!a->value[AUDIT_KEY] || a->value[AUDIT_LOG] || a->value[AUDIT_REMEMBER] || a->value[AUDIT_CA])))
		return cli_wrong(self, "a proof is checked with --proof FILE, --entry FILE and --key KEY");
	if (a->value[AUDIT_LOG] && !a->value[AUDIT_KEY])
		return cli_wrong(self, "--log FOLDER needs --key KEY: whose log should it be?");
	if (!proof)
		return verify_log(a);
	return check_proof(a, &err) < 0 ? cli_fail("audit verify", &err) : EXIT_DONE;
}
