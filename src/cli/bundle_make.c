/* Writes an evidence bundle (bundle.h).  Counts, hashes and, where one person is asked for, the ledger's own pseudonyms. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/audit_log.h"
#include "cli/bundle.h"
#include "config/keys.h"
#include "contract/contract.h"
#include "crypt/crypt.h"
#include "keeper/notary.h"
#include "ledger/ledger.h"
#include "plan/plan.h"

enum { PLAN_MAX = 8 << 20, DAY_FILE_MAX = INT32_MAX };

struct bundle {
	const json_t *answer;
	struct audit_place place;
	struct tlog *log;
	int out;
	uint8_t answer_sha[32];
	bool batch, state;	/* the newest was taken; the answer's was found */
	struct bundle_state said;
	struct bundle_day *days;	/* the newest leaf of each */
	size_t days_n;
	bool *numbers;			/* of days that have one by now */
	uint64_t *entries;
	size_t entries_n, contracts;
};

/* Each vendor that the answer is about, until each() returns false. */
static void each_vendor(const struct bundle *b, bool (*each)(void *arg, const char *vendor), void *arg)
{
	const char *one = json_string_value(json_object_get(b->answer, "vendor"));
	const json_t *list = json_object_get(b->answer, "vendors");
	bool on = one ? each(arg, one) && false : true;
	for (size_t i = 0; on && i < json_array_size(list); i++)
		on = each(arg, json_string_value(json_object_get(json_array_get(list, i), "vendor")));
}

/* ---- files -------------------------------------------------------------------------------------------------------- */

static int put(int dir, const char *name, const void *p, size_t n, struct err *err)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, "%s", name);
	int r = cli_write_all(fd, p, n) < 0 ? err_sys(err, "%s", name) : 0;
	if (close(fd) < 0 && r == 0)
		r = err_sys(err, "%s", name);
	return r;
}

static int put_buf(const struct bundle *b, const char *name, struct buf *p, struct err *err)
{
	int r = put(b->out, name, p->data, p->len, err);
	buf_release(p);
	return r;
}

/* Takes j over. */
static int put_json(const struct bundle *b, const char *name, json_t *j, struct err *err)
{
	char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	int r = put(b->out, name, text, strlen(text), err);
	free(text);
	json_decref(j);
	return r;
}

static int put_answer(struct bundle *b, struct err *err)
{
	struct buf text;
	buf_init(&text, 0);
	notary_spell(b->answer, &text);
	crypt_sha256(text.data, text.len, b->answer_sha);
	return put_buf(b, "answer.json", &text, err);
}

static int put_key(const struct bundle *b, struct err *err)
{
	char vkey[TLOG_KEY_TEXT + 1];
	tlog_key_print(&b->place.key, vkey);
	strcat(vkey, "\n");
	return put(b->out, "key.vkey", vkey, strlen(vkey), err);
}

/* ---- entries ------------------------------------------------------------------------------------------------------ */

static bool note_entry(struct bundle *b, uint64_t index)
{
	b->entries = xrealloc(b->entries, (b->entries_n + 1) * sizeof *b->entries);
	b->entries[b->entries_n++] = index;
	return true;
}

struct names {
	const char *vendor;
	bool hit;
};

static bool same_vendor(void *arg, const char *vendor)
{
	struct names *n = arg;
	n->hit |= vendor && strcmp(vendor, n->vendor) == 0;
	return !n->hit;
}

static void look_at_day(struct bundle *b, const json_t *leaf, uint64_t index)
{
	struct bundle_day d;
	if (!b->state || !bundle_day_of(leaf, index, &d) || d.number > b->said.days || b->numbers[d.number])
		return;
	b->numbers[d.number] = true;
	b->days = xrealloc(b->days, (b->days_n + 1) * sizeof *b->days);
	b->days[b->days_n++] = d;
	note_entry(b, index);
}

static void look_at_state(struct bundle *b, const json_t *leaf, uint64_t index)
{
	struct bundle_state s;
	if (b->state || !bundle_state_of(leaf, index, &s) || memcmp(s.answer, b->answer_sha, sizeof s.answer) != 0)
		return;
	b->state = note_entry(b, index);
	b->said = s;
	b->numbers = xcalloc(s.days + 1, sizeof *b->numbers);
}

/* From the newest back. */
static bool look(void *arg, uint64_t index, struct span entry)
{
	struct bundle *b = arg;
	json_t *leaf = json_loadb(entry.at, entry.len, 0, NULL);
	const char *what = json_string_value(json_object_get(leaf, "weir"));
	struct names n = {.vendor = json_string_value(json_object_get(leaf, "vendor"))};
	look_at_state(b, leaf, index);
	look_at_day(b, leaf, index);
	if (what && strcmp(what, "batch") == 0 && b->state && !b->batch)
		b->batch = note_entry(b, index);
	if (n.vendor)
		each_vendor(b, same_vendor, &n);
	if (n.hit)
		note_entry(b, index);
	json_decref(leaf);
	return true;
}

static int put_entry(const struct bundle *b, uint64_t index, struct err *err)
{
	char name[48];
	struct buf entry, proof;
	buf_init(&entry, 0);
	buf_init(&proof, 0);
	int r = tlog_entry(b->log, index, &entry, err);
	if (r == 0)
		r = tlog_proof_make(b->log, index, &proof, err);
	snprintf(name, sizeof name, "entry-%" PRIu64 ".json", index);
	if (r == 0)
		r = put(b->out, name, entry.data, entry.len, err);
	snprintf(name, sizeof name, "entry-%" PRIu64 ".proof", index);
	if (r == 0)
		r = put(b->out, name, proof.data, proof.len, err);
	buf_release(&entry);
	buf_release(&proof);
	return r;
}

static int put_entries(struct bundle *b, struct err *err)
{
	int r = tlog_entries_back(b->log, tlog_size(b->log), look, b, err);
	if (r == 0 && (!b->state || b->days_n != b->said.days))
		r = err_set(err, ERR_AGAIN, b->state ? "some closed days were logged by a Weir that didn't say enough of them" : "the answer isn't in the log");
	for (size_t i = 0; i < b->entries_n && r == 0; i++)
		r = put_entry(b, b->entries[i], err);
	return r;
}

/* ---- one person ---------------------------------------------------------------------------------------------------- */

struct person {
	uint32_t *ids;
	size_t n;
};

/* An identifier that is in no closed day yet has nothing that could be proved. */
static int put_subject(const struct bundle *b, const char *hex, struct person *p, struct err *err)
{
	uint8_t key[SUBJECT_BYTES];
	char name[64];
	json_t *proof = NULL;
	uint32_t id;
	if (!hex || !hex_decode(hex, strlen(hex), key, sizeof key))
		return err_set(err, ERR_BUG, "the answer names nobody");
	int r = ledger_prove_key(&fio_os, b->place.dict, b->said.subjects, key, &id, &proof, err);
	if (r < 0)
		return err->code == ERR_NOTFOUND ? 0 : -1;
	p->ids = xrealloc(p->ids, (p->n + 1) * sizeof *p->ids);
	p->ids[p->n++] = id;
	snprintf(name, sizeof name, "subject-%s.json", hex);
	return put_json(b, name, proof, err);
}

static int put_day(const struct bundle *b, const struct bundle_day *d, const struct person *p, struct err *err)
{
	char name[48];
	uint8_t sha[32];
	json_t *proof = NULL;
	struct buf file;
	buf_init(&file, 0);
	int r = tlog_file_read(&fio_os, b->place.day, d->name, DAY_FILE_MAX, &file, err);
	if (r == 0) {
		crypt_sha256(file.data, file.len, sha);
		if (memcmp(sha, d->sha256, sizeof sha) != 0)
			r = err_set(err, ERR_AGAIN, "it isn't what was logged; `weir audit verify` says more");
	}
	if (r == 0)
		r = ledger_prove_day(file.data, file.len, p->ids, p->n, json_string_value(json_object_get(b->answer, "vendor")), &proof, err);
	buf_release(&file);
	if (r < 0)
		return err_prefix(err, "state/ledger/day/%s: ", d->name);
	snprintf(name, sizeof name, "day-%s.json", d->name);
	return put_json(b, name, proof, err);
}

static int put_person(const struct bundle *b, struct err *err)
{
	const char *subject = json_string_value(json_object_get(b->answer, "subject"));
	const json_t *linked = json_object_get(b->answer, "linked");
	struct person p = {0};
	if (!subject)
		return 0;
	int r = put_subject(b, subject, &p, err);
	if (r == 0 && p.n == 0)
		r = err_set(err, ERR_AGAIN, "the identifier was recorded for the first time on a day that isn't closed yet; ask again tomorrow");
	for (size_t i = 0; i < json_array_size(linked) && r == 0; i++)
		r = put_subject(b, json_string_value(json_array_get(linked, i)), &p, err);
	for (size_t i = 0; i < b->days_n && r == 0; i++)
		r = put_day(b, &b->days[i], &p, err);
	free(p.ids);
	return r;
}

/* ---- contracts: from the signed plans that were ever in force ------------------------------------------------------- */

static bool in_answer(const struct bundle *b, const uint8_t digest[static 32])
{
	char hex[65];
	size_t i;
	json_t *c;
	hex_encode(digest, 32, hex);
	json_array_foreach(json_object_get(b->answer, "contracts"), i, c)
	{
		const char *named = json_string_value(json_object_get(c, "digest"));
		if (named && strcmp(named, hex) == 0)
			return true;
	}
	return false;
}

static int put_contract(struct bundle *b, const struct contract *c, struct err *err)
{
	uint8_t digest[32];
	char name[128];
	struct buf json;
	contract_digest(c, digest);
	if (!in_answer(b, digest))
		return 0;
	snprintf(name, sizeof name, "contract-%.*s-%" PRId64 ".json", (int)c->vendor.len, c->vendor.at, c->version);
	if (faccessat(b->out, name, F_OK, 0) == 0)
		return 0;	/* under another plan of the same version */
	buf_init(&json, 0);
	contract_to_json(c, &json);
	int r = put(b->out, name, json.data, json.len, err);
	buf_release(&json);
	b->contracts += r == 0;
	return r;
}

struct plans {
	struct bundle *b;
	int dir;
	struct err *err;
	int r;
};

static bool take_plan(void *arg, const char *name)
{
	struct plans *s = arg;
	struct plan_file f;
	struct err bad;
	struct buf bytes;
	buf_init(&bytes, 0);
	if (tlog_file_read(&fio_os, s->dir, name, PLAN_MAX, &bytes, &bad) == 0 &&
	    plan_file_parse(bytes.data, bytes.len, s->b->place.key.public_key, &f, &bad) == 0) {
		s->r = put_contract(s->b, f.contract, s->err);
		plan_file_release(&f);
	}
	buf_release(&bytes);
	return s->r == 0;
}

static bool take_vendor(void *arg, const char *vendor)
{
	struct plans *s = arg;
	char *path = xasprintf("%s/state/plan/history/%s", s->b->place.dir, vendor);
	s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);	/* none: nothing was ever approved, so nothing went */
	if (s->dir >= 0 && fio_os.list(NULL, s->dir, take_plan, s) < 0 && s->r == 0)
		s->r = err_sys(s->err, "state/plan/history/%s", vendor);
	if (s->dir >= 0)
		close(s->dir);
	free(path);
	return s->r == 0;
}

static int put_contracts(struct bundle *b, struct err *err)
{
	struct plans s = {.b = b, .err = err};
	each_vendor(b, take_vendor, &s);
	return s.r;
}

/* ---- what others signed or saw ------------------------------------------------------------------------------------- */

/* That the log still begins as the note says. */
static int put_consistency(const struct bundle *b, struct span note, struct err *err)
{
	struct tlog_note parsed;
	struct tlog_checkpoint c;
	struct tlog_path path;
	struct buf text;
	char name[48];
	const struct tlog_source s = tlog_source(b->log);
	if (tlog_checkpoint_open(note.at, note.len, &b->place.key, &parsed, &c, err) < 0 ||
	    tlog_compare(note, tlog_checkpoint_note(b->log), &b->place.key, &s, err) < 0)
		return -1;
	snprintf(name, sizeof name, "consistency-%" PRIu64 ".proof", c.size);
	if (c.size == 0 || c.size == tlog_size(b->log) || faccessat(b->out, name, F_OK, 0) == 0)
		return 0;
	if (tlog_prove_consistency(&s, c.size, tlog_size(b->log), &path, err) < 0)
		return -1;
	buf_init(&text, 0);
	tlog_witness_request(c.size, &path, tlog_checkpoint_note(b->log), &text);
	return put_buf(b, name, &text, err);
}

struct copying {
	const struct bundle *b;
	int from, to;
	bool notes;	/* all are checkpoints; else that of this name */
	struct err *err;
	int r;
};

static bool copy_one(void *arg, const char *name)
{
	struct copying *c = arg;
	struct buf b;
	buf_init(&b, 0);
	c->r = tlog_file_read(&fio_os, c->from, name, 1 << 20, &b, c->err);
	if (c->r == 0)
		c->r = put(c->to, name, b.data, b.len, c->err);
	if (c->r == 0 && (c->notes || strcmp(name, "checkpoint") == 0))
		c->r = put_consistency(c->b, (struct span){(const char *)b.data, b.len}, c->err);
	buf_release(&b);
	return c->r == 0;
}

static int copy_folder(const struct bundle *b, const char *name, struct err *err)
{
	struct copying c = {.b = b, .notes = strcmp(name, "witness") == 0, .err = err, .from = openat(b->place.tlog, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .to = -1};
	if (c.from < 0)
		return 0;
	if (mkdirat(b->out, name, 0755) < 0 || (c.to = openat(b->out, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    fio_os.list(NULL, c.from, copy_one, &c) < 0)
		c.r = c.r < 0 ? c.r : err_sys(err, "%s", name);
	close(c.from);
	if (c.to >= 0)
		close(c.to);
	return c.r;
}

static int put_known(const struct bundle *b, const char *path, struct err *err)
{
	struct buf note;
	if (!path)
		return 0;
	buf_init(&note, 0);
	int r = cli_read(path, TLOG_NOTE_MAX, &note, err);
	if (r == 0)
		r = put_consistency(b, (struct span){(const char *)note.data, note.len}, err);
	if (r == 0)
		r = put(b->out, "known", note.data, note.len, err);
	buf_release(&note);
	return r < 0 ? err_prefix(err, "--known: ") : 0;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

static int fill(struct bundle *b, const char *known, struct err *err)
{
	const struct tlog_place t = audit_tlog(&b->place);
	int r = tlog_open(&t, &b->log, err);
	if (r == 0)
		r = put_answer(b, err);
	if (r == 0)
		r = put(b->out, "checkpoint", tlog_checkpoint_note(b->log).at, tlog_checkpoint_note(b->log).len, err);
	if (r == 0)
		r = put_key(b, err);
	if (r == 0)
		r = put_entries(b, err);
	if (r == 0)
		r = put_person(b, err);
	if (r == 0)
		r = put_contracts(b, err);
	if (r == 0)
		r = copy_folder(b, "witness", err);
	if (r == 0)
		r = copy_folder(b, "timestamp", err);
	if (r == 0)
		r = put_known(b, known, err);
	return r == 0 ? put(b->out, "README.txt", bundle_readme, strlen(bundle_readme), err) : -1;
}

int bundle_make(const char *dir, const char *folder, const char *known, const json_t *answer, struct err *err)
{
	struct bundle b = {.answer = answer, .out = -1};
	struct args a = {.value = {[ARG_DIR] = dir}};
	int r = audit_place_open(&a, &b.place, err);
	if (r == 0 && mkdir(folder, 0755) < 0)
		r = errno == EEXIST ? err_set(err, ERR_CONFLICT, "%s is there already", folder) : err_sys(err, "%s", folder);
	if (r == 0)
		b.out = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && b.out < 0)
		r = err_sys(err, "%s", folder);
	if (r == 0)
		r = fill(&b, known, err);
	if (r == 0)
		fprintf(stderr, "weir: %s holds the answer, %zu entries of the log with their proofs, and %zu contracts; README.txt says how to check them\n",
			folder, b.entries_n, b.contracts);
	if (b.out >= 0)
		close(b.out);
	free(b.entries);
	free(b.days);
	free(b.numbers);
	tlog_close(&b.log);
	audit_place_release(&b.place);
	return r;
}
