#include "cli/audit_witness.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/ask.h"
#include "cli/audit_log.h"

enum { ANSWER_MAX = 64 << 10, POST_MS = 15000, STAMP_MAX = 64 << 10, ROOTS_MAX = 1 << 20 };

/* ---- over the network --------------------------------------------------------------------------------------------- */

static size_t take(char *p, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;
	buf_add(b, p, size * n);
	return b->over ? 0 : size * n;
}

/* No redirect is followed: whoever was named is asked, or nobody. */
static int post(const char *url, const char *type, const struct buf *body, struct buf *answer, long *status, struct err *err)
{
	char header[80], why[CURL_ERROR_SIZE] = "";
	snprintf(header, sizeof header, "Content-Type: %s", type);
	struct curl_slist *headers = curl_slist_append(NULL, header);
	CURL *c = curl_easy_init();
	must(c && headers);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, body->data);
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)body->len);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)POST_MS);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
	CURLcode r = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, status);
	curl_easy_cleanup(c);
	curl_slist_free_all(headers);
	return r == CURLE_OK ? 0 : err_set(err, ERR_AGAIN, "no answer: %s", *why ? why : curl_easy_strerror(r));
}

/* ---- on file ------------------------------------------------------------------------------------------------------ */

static int write_new(int tlog, const char *folder, const char *name, const void *p, size_t n, struct err *err)
{
	char fresh[96];
	if (mkdirat(tlog, folder, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "state/tlog/%s", folder);
	int dir = openat(tlog, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(fresh, sizeof fresh, "%s.new", name);
	int fd = dir < 0 ? -1 : openat(dir, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool good = fd >= 0 && cli_write_all(fd, p, n) == 0 && fsync(fd) == 0 && renameat(dir, fresh, dir, name) == 0 && fsync(dir) == 0;
	int r = good ? 0 : err_sys(err, "state/tlog/%s/%s", folder, name);
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	return r;
}

static void witness_file(const struct tlog_key *k, char out[static 32])
{
	char id[9];
	hex_encode(k->id, sizeof k->id, id);
	snprintf(out, 32, "%s.checkpoint", id);
}

int audit_cosigned(int tlog, const struct tlog_key *witness, struct buf *out, struct err *err)
{
	char name[32], path[48];
	witness_file(witness, name);
	snprintf(path, sizeof path, "witness/%s", name);
	if (tlog_file_read(&fio_os, tlog, path, TLOG_NOTE_MAX, out, err) == 0)
		return 0;
	return err->code == ERR_NOTFOUND ? err_set(err, ERR_NOTFOUND, "there is nothing that %s signed: ask it with `weir audit witness`", witness->name)
					 : -1;
}

/* An older state of this log, and the log still has it. */
static int belongs(struct span note, struct tlog *l, const struct tlog_key *log, uint64_t *size, struct err *err)
{
	struct tlog_note n;
	struct tlog_checkpoint c;
	const struct tlog_source s = tlog_source(l);
	if (tlog_checkpoint_open(note.at, note.len, log, &n, &c, err) < 0)
		return -1;
	*size = c.size;
	return tlog_compare(note, tlog_checkpoint_note(l), log, &s, err);
}

static void add_seen(json_t *list, const char *what, const char *who, uint64_t size, int64_t at)
{
	char text[21];
	clock_format(at, text);
	json_array_append_new(list, json_pack("{s:s, s:I, s:s}", what, who, "size", (json_int_t)size, "at", text));
}

int audit_seen_by(int tlog, struct tlog *l, const struct tlog_key *log, const struct tlog_key *witness, json_t *list, struct err *err)
{
	struct buf b;
	struct tlog_note note;
	uint64_t size, at = 0;
	buf_init(&b, 0);
	int r = audit_cosigned(tlog, witness, &b, err);
	struct span text = {(const char *)b.data, b.len};
	if (r == 0)
		r = belongs(text, l, log, &size, err);
	if (r == 0)
		r = tlog_note_parse(text.at, text.len, &note, err);
	if (r == 0) {
		int by = tlog_note_check(&note, witness, &at, err);
		r = by < 0 ? -1 : by == 1 ? 0 : err_set(err, ERR_CRYPTO, "what is on file isn't signed by %s", witness->name);
	}
	if (r == 0)
		add_seen(list, "witness", witness->name, size, (int64_t)at);
	buf_release(&b);
	return r < 0 ? err_prefix(err, "state/tlog/witness: ") : 0;
}

int audit_stamped(int tlog, struct tlog *l, const struct tlog_key *log, const char *roots_file, json_t *list, struct err *err)
{
	struct buf note, stamp, roots;
	uint64_t size;
	int64_t at;
	buf_init(&note, 0);
	buf_init(&stamp, 0);
	buf_init(&roots, 0);
	int r = cli_read(roots_file, ROOTS_MAX, &roots, err);
	if (r == 0)
		r = tlog_file_read(&fio_os, tlog, "timestamp/checkpoint", TLOG_NOTE_MAX, &note, err);
	if (r == 0)
		r = tlog_file_read(&fio_os, tlog, "timestamp/answer.tsr", STAMP_MAX, &stamp, err);
	struct span text = {(const char *)note.data, note.len};
	if (r == 0)
		r = belongs(text, l, log, &size, err);
	if (r == 0)
		r = tlog_timestamp_check(stamp.data, stamp.len, text, (struct span){(const char *)roots.data, roots.len}, &at, err);
	if (r == 0)
		add_seen(list, "authority", "RFC 3161", size, at);
	buf_release(&note);
	buf_release(&stamp);
	buf_release(&roots);
	return r < 0 ? err_prefix(err, "state/tlog/timestamp: ") : 0;
}

/* ---- witness ------------------------------------------------------------------------------------------------------ */

static uint64_t known_size(int tlog, const struct tlog_key *witness)
{
	struct buf b;
	struct tlog_note note;
	struct tlog_checkpoint c = {.size = 0};
	struct err none;
	buf_init(&b, 0);
	if (audit_cosigned(tlog, witness, &b, &none) == 0 && tlog_note_parse((const char *)b.data, b.len, &note, &none) == 0)
		(void)!tlog_checkpoint_parse(note.text, &c, &none);
	buf_release(&b);
	return c.size;
}

static int refusal(long status, const struct tlog_key *witness, struct err *err)
{
	static const struct {
		long status;
		enum err_code code;
		const char *why;
	} rows[] = {
		{404, ERR_DENIED, "doesn't know this log: its operator has to add the log's key (weir audit checkpoint --vkey)"},
		{403, ERR_DENIED, "doesn't accept the log's signature"},
		{422, ERR_DENIED, "finds that the log doesn't follow from what it signed before: forked"},
		{400, ERR_DENIED, "finds the request wrong"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].status == status)
			return err_set(err, rows[i].code, "%s %s", witness->name, rows[i].why);
	return err_set(err, ERR_AGAIN, "%s answers %ld", witness->name, status);
}

/* One question; 409 says from which size on the witness wants to see the proof. */
static int ask_once(const char *url, const struct tlog_key *witness, struct tlog *l, uint64_t *old, long *status, struct buf *answer, struct err *err)
{
	const struct tlog_source s = tlog_source(l);
	struct tlog_path proof;
	struct buf body;
	if (*old > tlog_size(l))
		return err_set(err, ERR_DENIED, "rolled back: it holds %" PRIu64 " entries, and %s has signed %" PRIu64, tlog_size(l), witness->name, *old);
	if (tlog_prove_consistency(&s, *old, tlog_size(l), &proof, err) < 0)
		return -1;
	buf_init(&body, 0);
	tlog_witness_request(*old, &proof, tlog_checkpoint_note(l), &body);
	buf_reset(answer);
	int r = post(url, "text/plain", &body, answer, status, err);
	buf_release(&body);
	if (r == 0 && *status == 409)
		r = tlog_witness_size((const char *)answer->data, answer->len, old, err);
	return r;
}

static int cosign(const char *base, const struct tlog_key *witness, int tlog, struct tlog *l, json_t *list, struct err *err)
{
	struct buf answer, note;
	char *url = xasprintf("%s%sadd-checkpoint", base, *base && base[strlen(base) - 1] == '/' ? "" : "/"), name[32];
	uint64_t old = known_size(tlog, witness), at = 0;
	long status = 409;
	int r = 0;
	buf_init(&answer, ANSWER_MAX);
	buf_init(&note, 0);
	for (int i = 0; i < 2 && r == 0 && status == 409; i++)
		r = ask_once(url, witness, l, &old, &status, &answer, err);
	if (r == 0 && status != 200)
		r = refusal(status, witness, err);
	if (r == 0)
		r = tlog_witness_answer(tlog_checkpoint_note(l), (const char *)answer.data, answer.len, witness, &at, &note, err);
	witness_file(witness, name);
	if (r == 0)
		r = write_new(tlog, "witness", name, note.data, note.len, err);
	if (r == 0)
		add_seen(list, "witness", witness->name, tlog_size(l), (int64_t)at);
	buf_release(&answer);
	buf_release(&note);
	free(url);
	return r;
}

/* ---- timestamp ---------------------------------------------------------------------------------------------------- */

static int stamp(const char *url, const char *roots_file, int tlog, struct tlog *l, json_t *list, struct err *err)
{
	struct span note = tlog_checkpoint_note(l);
	struct buf request, answer, roots;
	long status = 0;
	int64_t at;
	buf_init(&request, 0);
	buf_init(&answer, STAMP_MAX);
	buf_init(&roots, 0);
	int r = cli_read(roots_file, ROOTS_MAX, &roots, err);
	if (r == 0)
		r = tlog_timestamp_request(note, &request, err);
	if (r == 0)
		r = post(url, "application/timestamp-query", &request, &answer, &status, err);
	if (r == 0 && status != 200)
		r = err_set(err, ERR_AGAIN, "the authority answers %ld", status);
	if (r == 0)
		r = tlog_timestamp_check(answer.data, answer.len, note, (struct span){(const char *)roots.data, roots.len}, &at, err);
	/* The answer first: a checkpoint with another's answer would be taken for damage. */
	if (r == 0)
		r = write_new(tlog, "timestamp", "answer.tsr", answer.data, answer.len, err);
	if (r == 0)
		r = write_new(tlog, "timestamp", "checkpoint", note.at, note.len, err);
	if (r == 0)
		add_seen(list, "authority", "RFC 3161", tlog_size(l), at);
	buf_release(&request);
	buf_release(&answer);
	buf_release(&roots);
	return r;
}

/* ---- words -------------------------------------------------------------------------------------------------------- */

static void tell(const struct args *a, json_t *list)
{
	const json_t *seen = json_array_get(list, 0);
	if (a->value[ARG_JSON]) {
		ask_print(json_array_get(list, 0));
		return;
	}
	const char *who = json_string_value(json_object_get(seen, "witness"));
	printf("%s has signed that the log held %lld entries at %s\n", who ? who : "the authority", (long long)json_integer_value(json_object_get(seen, "size")),
	       json_string_value(json_object_get(seen, "at")));
}

static int with_log(const struct args *a, const char *what, const struct tlog_key *witness)
{
	struct audit_place p;
	struct err err;
	struct tlog *l = NULL;
	json_t *list = json_array();
	int r = audit_place_open(a, &p, &err);
	const struct tlog_place t = audit_tlog(&p);
	if (r == 0)
		r = tlog_open(&t, &l, &err);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (r == 0)
		r = witness ? cosign(a->operand[0], witness, p.tlog, l, list, &err) : stamp(a->operand[0], a->value[AUDIT_CA], p.tlog, l, list, &err);
	if (r == 0)
		tell(a, list);
	curl_global_cleanup();
	json_decref(list);
	tlog_close(&l);
	audit_place_release(&p);
	return r < 0 ? cli_fail(what, &err) : EXIT_DONE;
}

int audit_witness(const struct command *self, const struct args *a)
{
	struct tlog_key witness;
	struct err err;
	if (!a->value[AUDIT_WITNESS])
		return cli_wrong(self, "which witness? --witness KEY is its verifier key");
	if (audit_key(a->value[AUDIT_WITNESS], "--witness", &witness, &err) < 0)
		return cli_fail("audit witness", &err);
	return with_log(a, "audit witness", &witness);
}

int audit_timestamp(const struct command *self, const struct args *a)
{
	if (!a->value[AUDIT_CA])
		return cli_wrong(self, "whose timestamp counts? --ca FILE holds the authority's certificates");
	return with_log(a, "audit timestamp", NULL);
}
