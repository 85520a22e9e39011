/*
 * An evidence bundle: the answer, the log's signed state and key, and for everything in the log that the answer rests on
 * (closed days, the newest batch of exposures, what was decided about the vendor) the entry and its proof; the contracts
 * under which data went.  It holds counts and hashes, and nothing of a person.
 */
#include "cli/blast_proof.h"

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
#include "config/keys.h"
#include "contract/contract.h"
#include "plan/plan.h"

enum { PLAN_MAX = 8 << 20 };

struct bundle {
	const json_t *answer;
	const char *vendor, *since, *until;	/* since NULL: from the beginning */
	struct audit_place place;
	struct tlog *log;
	int out;
	bool batch;		/* the newest was taken */
	uint64_t *entries;
	size_t entries_n, contracts;
};

static const char readme[] =
	"What this is\n"
	"\n"
	"  answer.json      what `weir blast` answered: whose data the vendor has, in counts; days are UTC\n"
	"  checkpoint       the signed state of the transparency log that everything below is proved under\n"
	"  key.vkey         the key that it is signed with; get it from its owner by another way than this folder\n"
	"  entry-N.json     entry N of the log, byte for byte; entry-N.proof: its proof (c2sp.org/tlog-proof)\n"
	"                     day    a closed day of the ledger: SHA-256 of its file, Merkle root over what it holds\n"
	"                     batch  the newest exposures that were logged before the answer\n"
	"                     event  what was decided about the vendor: when, of which kind, and a salted hash of the rest\n"
	"  contract-N.json  version N of the contract, canonical (RFC 8785); its SHA-256 is the digest in answer.json\n"
	"  witness/, timestamp/  what others signed, where there is any\n"
	"\n"
	"How to check it\n"
	"\n"
	"  weir audit verify --proof entry-N.proof --entry entry-N.json --key key.vkey      (needs no folder of Weir's)\n"
	"  sha256sum contract-*.json\n"
	"  With other tools: a proof is the lines `index N`, then the RFC 6962 inclusion path in base64, then the checkpoint, a\n"
	"  signed note (c2sp.org/signed-note, Ed25519).  In Go: golang.org/x/mod/sumdb/note opens the checkpoint with the key,\n"
	"  golang.org/x/mod/sumdb/tlog's CheckRecord takes the path, the index, the size and root of the checkpoint, and\n"
	"  RecordHash of the entry.  A timestamp: openssl ts -verify -data timestamp/checkpoint -in timestamp/answer.tsr -CAfile CA\n"
	"\n"
	"What it proves, and what it doesn't\n"
	"\n"
	"  That these days, exposures and decisions were in the log when the checkpoint was signed, and haven't changed since.  Whoever\n"
	"  holds the ledger can show the days' files: their SHA-256 stands in the entries, and the counts can be made again from\n"
	"  them.  The counts themselves are computed, not signed.  Nobody can prove that an identifier which was never recorded\n"
	"  wasn't sent.  Without a witness or a timestamp, nothing is proved against whoever holds the signing key.\n";

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

static int put_answer(const struct bundle *b, struct err *err)
{
	json_t *clean = json_copy((json_t *)(uintptr_t)b->answer);
	json_object_del(clean, "ok");
	char *text = json_dumps(clean, JSON_INDENT(1));
	int r = put(b->out, "answer.json", text, strlen(text), err);
	free(text);
	json_decref(clean);
	return r;
}

static int put_key(const struct bundle *b, struct err *err)
{
	char vkey[TLOG_KEY_TEXT + 1];
	tlog_key_print(&b->place.key, vkey);
	strcat(vkey, "\n");
	return put(b->out, "key.vkey", vkey, strlen(vkey), err);
}

/* ---- entries ------------------------------------------------------------------------------------------------------ */

static bool wanted_day(const struct bundle *b, const json_t *leaf)
{
	const char *day = json_string_value(json_object_get(leaf, "day"));
	return day && strcmp(day, b->until) <= 0 && (!b->since || strcmp(day, b->since) >= 0);
}

static bool wanted(struct bundle *b, const json_t *leaf)
{
	const char *what = json_string_value(json_object_get(leaf, "weir")), *vendor = json_string_value(json_object_get(leaf, "vendor"));
	if (what && strcmp(what, "batch") == 0) {
		bool first = !b->batch;
		b->batch = true;
		return first;
	}
	if (what && strcmp(what, "day") == 0)
		return wanted_day(b, leaf);
	return vendor && strcmp(vendor, b->vendor) == 0;
}

static bool look(void *arg, uint64_t index, struct span entry)
{
	struct bundle *b = arg;
	json_t *leaf = json_loadb(entry.at, entry.len, 0, NULL);
	if (wanted(b, leaf)) {
		b->entries = xrealloc(b->entries, (b->entries_n + 1) * sizeof *b->entries);
		b->entries[b->entries_n++] = index;
	}
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
	for (size_t i = 0; i < b->entries_n && r == 0; i++)
		r = put_entry(b, b->entries[i], err);
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
	char name[48];
	struct buf json;
	contract_digest(c, digest);
	if (!in_answer(b, digest))
		return 0;
	snprintf(name, sizeof name, "contract-%" PRId64 ".json", c->version);
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

static int put_contracts(struct bundle *b, struct err *err)
{
	char *path = xasprintf("%s/state/plan/history/%s", b->place.dir, b->vendor);
	struct plans s = {.b = b, .err = err, .dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	free(path);
	if (s.dir < 0)
		return 0;	/* nothing was ever approved, so nothing went */
	if (fio_os.list(NULL, s.dir, take_plan, &s) < 0 && s.r == 0)
		s.r = err_sys(err, "state/plan/history/%s", b->vendor);
	close(s.dir);
	return s.r;
}

/* ---- what others signed ------------------------------------------------------------------------------------------- */

struct copying {
	int from, to;
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
	buf_release(&b);
	return c->r == 0;
}

static int copy_folder(const struct bundle *b, const char *name, struct err *err)
{
	struct copying c = {.err = err, .from = openat(b->place.tlog, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .to = -1};
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

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

static int fill(struct bundle *b, struct err *err)
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
		r = put_contracts(b, err);
	if (r == 0)
		r = copy_folder(b, "witness", err);
	if (r == 0)
		r = copy_folder(b, "timestamp", err);
	return r == 0 ? put(b->out, "README.txt", readme, sizeof readme - 1, err) : -1;
}

int blast_proof(const char *dir, const char *folder, const json_t *answer, struct err *err)
{
	struct bundle b = {.answer = answer, .out = -1};
	struct args a = {.value = {[ARG_DIR] = dir}};
	b.vendor = json_string_value(json_object_get(answer, "vendor"));
	b.since = json_string_value(json_object_get(answer, "since_effective"));
	b.until = json_string_value(json_object_get(answer, "until"));
	int r = audit_place_open(&a, &b.place, err);
	if (r == 0 && mkdir(folder, 0755) < 0)
		r = errno == EEXIST ? err_set(err, ERR_CONFLICT, "%s is there already", folder) : err_sys(err, "%s", folder);
	if (r == 0)
		b.out = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && b.out < 0)
		r = err_sys(err, "%s", folder);
	if (r == 0)
		r = fill(&b, err);
	if (r == 0)
		fprintf(stderr, "weir: blast: %s holds the answer, %zu proofs and %zu contracts; README.txt says how to check them\n", folder,
			b.entries_n, b.contracts);
	if (b.out >= 0)
		close(b.out);
	free(b.entries);
	tlog_close(&b.log);
	audit_place_release(&b.place);
	return r;
}
