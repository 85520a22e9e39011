/*
 * Signed plan files; the format stands in plan.h.
 *
 * The signature is checked before a byte of the line is looked at.  What then isn't exactly what plan_file_make would
 * write again is refused: reading ends by writing the parts around the contract once more and comparing, so the file
 * has one spelling and there is no second JSON dialect to reason about.
 */
#include "plan/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const char trailer_word[] = "weir-plan-ed25519 ";

enum {
	BASE64_CHARS = 4 * ((SIGN_BYTES + 2) / 3),
	TRAILER = sizeof trailer_word - 1 + BASE64_CHARS + 1,
	FILE_MAX = 8 << 20,	/* a contract of 10,000 rules is under 2 MiB */
	NAME_MAX_BYTES = 63,
};
#define EXACT_MAX ((int64_t)1 << 53)	/* RFC 8785 3.2.2.3: integers above it are not exact */

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void add_head(const struct plan_file *f, struct buf *out)
{
	buf_addf(out, "{\"at\":%" PRId64 ",\"by\":", f->at);
	buf_add_json(out, f->by, strlen(f->by));
	buf_adds(out, ",\"contract\":");
}

static void add_tail(const struct plan_file *f, struct buf *out)
{
	buf_adds(out, ",\"drains\":[");
	for (size_t i = 0; i < f->drains_len; i++) {
		const struct plan_drain *d = &f->drains[i];
		buf_addf(out, "%s{\"from\":%" PRIu64 ",\"serial\":%" PRIu64 ",\"to\":%" PRIu64 "}", i ? "," : "", d->from,
			 d->serial, d->to);
	}
	buf_addf(out, "],\"flow\":\"%s\",\"life\":\"%s\",\"not_after\":", flow_names[f->flow],
		 f->approved ? "approved" : "offboarded");
	if (f->not_after == INT64_MAX)
		buf_adds(out, "null");
	else
		buf_addf(out, "%" PRId64, f->not_after);
	if (f->person != f->flow)
		buf_addf(out, ",\"person\":\"%s\"", flow_names[f->person]);
	buf_adds(out, ",\"sends\":[");
	for (size_t i = 0; i < f->sends_len; i++)
		buf_addf(out, "%s%" PRIu64, i ? "," : "", f->sends[i]);
	buf_addf(out, "],\"serial\":%" PRIu64 ",\"vendor\":\"%s\",\"weir_plan\":1}\n", f->serial, f->vendor);
}

static bool vendor_ok(const char *s)
{
	size_t n = strlen(s);
	return n > 0 && n <= NAME_MAX_BYTES && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static bool exact(int64_t v)
{
	return v >= -EXACT_MAX && v <= EXACT_MAX;
}

static void must_be_writable(const struct plan_file *f)
{
	must(vendor_ok(f->vendor) && f->by && f->contract && (size_t)f->flow < 4 && f->person <= f->flow);
	must(exact(f->at) && (f->not_after == INT64_MAX || exact(f->not_after)) && f->serial <= EXACT_MAX);
	for (size_t i = 0; i < f->sends_len; i++)
		must(f->sends[i] <= EXACT_MAX);
	for (size_t i = 0; i < f->drains_len; i++)
		must(f->drains[i].serial <= EXACT_MAX && f->drains[i].from <= EXACT_MAX && f->drains[i].to <= EXACT_MAX);
}

void plan_file_make(struct plan_file *f, const uint8_t secret[static SIGN_SECRET_BYTES], struct buf *out)
{
	uint8_t sig[SIGN_BYTES];
	char text[BASE64_CHARS + 1];
	must_be_writable(f);
	size_t start = out->len;
	add_head(f, out);
	contract_to_json(f->contract, out);
	add_tail(f, out);
	sign_make(secret, out->data + start, out->len - start, sig);
	base64_encode(sig, sizeof sig, text);
	buf_addf(out, "%s%s\n", trailer_word, text);
	must(!out->over);
	crypt_sha256(out->data + start, out->len - start, f->sha256);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* What a caller holds when there is no plan; used by mistake, it lets nothing flow. */
static const struct plan_file closed = {.not_after = INT64_MIN, .flow = FLOW_QUARANTINED, .person = FLOW_QUARANTINED};

void plan_file_release(struct plan_file *f)
{
	free(f->by);
	free(f->sends);
	free(f->drains);
	contract_free(&f->contract);
	*f = closed;
}

/* The line with its newline, or ERR_CORRUPT, ERR_CRYPTO. */
static int check_signature(const char *p, size_t n, const uint8_t public_key[static 32], size_t *line, struct err *err)
{
	uint8_t sig[SIGN_BYTES + 3];
	char again[BASE64_CHARS + 1];
	if (n > FILE_MAX)
		return err_set(err, ERR_CORRUPT, "plan of %zu bytes: more than %d", n, FILE_MAX);
	if (n < TRAILER + 2)
		return err_set(err, ERR_CORRUPT, "plan of %zu bytes: too short to be signed", n);
	*line = n - TRAILER;
	const char *tail = p + *line, *coded = tail + sizeof trailer_word - 1;
	if (memchr(p, '\n', n) != tail - 1 || memcmp(tail, trailer_word, sizeof trailer_word - 1) != 0 || p[n - 1] != '\n')
		return err_set(err, ERR_CORRUPT, "plan is not one line and its signature");
	if (base64_decode(coded, BASE64_CHARS, sig) != SIGN_BYTES)
		return err_set(err, ERR_CORRUPT, "plan's signature is not base64 of %d bytes", SIGN_BYTES);
	base64_encode(sig, SIGN_BYTES, again);	/* one spelling: unused bits are 0, the alphabet is the standard one */
	if (memcmp(coded, again, BASE64_CHARS) != 0)
		return err_set(err, ERR_CORRUPT, "plan's signature is not in canonical base64");
	if (!sign_check(public_key, p, *line, sig))
		return err_set(err, ERR_CRYPTO, "plan's signature does not fit: another key, or changed bytes");
	return 0;
}

static int wrong(struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "plan: %s is missing or wrong", what);
}

static bool get_count(const json_t *v, uint64_t *out)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > EXACT_MAX)
		return false;
	*out = (uint64_t)json_integer_value(v);
	return true;
}

static int take_sends(const json_t *a, struct plan_file *f, struct err *err)
{
	if (!json_is_array(a))
		return wrong(err, "sends");
	f->sends = xcalloc(json_array_size(a), sizeof *f->sends);
	for (; f->sends_len < json_array_size(a); f->sends_len++)
		if (!get_count(json_array_get(a, f->sends_len), &f->sends[f->sends_len]))
			return wrong(err, "an entry of sends");
	return 0;
}

static int take_drains(const json_t *a, struct plan_file *f, struct err *err)
{
	if (!json_is_array(a))
		return wrong(err, "drains");
	f->drains = xcalloc(json_array_size(a), sizeof *f->drains);
	for (; f->drains_len < json_array_size(a); f->drains_len++) {
		const json_t *o = json_array_get(a, f->drains_len);
		struct plan_drain *d = &f->drains[f->drains_len];
		if (!get_count(json_object_get(o, "serial"), &d->serial) || !get_count(json_object_get(o, "from"), &d->from) ||
		    !get_count(json_object_get(o, "to"), &d->to))
			return wrong(err, "an entry of drains");
	}
	return 0;
}

static bool flow_of(const json_t *v, enum flow *out)
{
	const char *s = json_string_value(v);
	for (int i = 0; s && i < 4; i++)
		if (strcmp(s, flow_names[i]) == 0) {
			*out = (enum flow)i;
			return true;
		}
	return false;
}

static int take_states(const json_t *o, struct plan_file *f, struct err *err)
{
	const char *life = json_string_value(json_object_get(o, "life"));
	const json_t *person = json_object_get(o, "person");
	if (!life || (strcmp(life, "approved") != 0 && strcmp(life, "offboarded") != 0))
		return wrong(err, "life");
	f->approved = strcmp(life, "approved") == 0;
	if (!flow_of(json_object_get(o, "flow"), &f->flow))
		return wrong(err, "flow");
	f->person = f->flow;
	if (person && (!flow_of(person, &f->person) || f->person >= f->flow))
		return wrong(err, "person");
	return 0;
}

static int take_members(const json_t *o, struct plan_file *f, struct err *err)
{
	const char *vendor = json_string_value(json_object_get(o, "vendor"));
	const json_t *by = json_object_get(o, "by"), *at = json_object_get(o, "at"), *end = json_object_get(o, "not_after");
	if (json_integer_value(json_object_get(o, "weir_plan")) != 1)
		return err_set(err, ERR_CORRUPT, "plan: weir_plan is not 1: a format this version does not read");
	if (!vendor || !vendor_ok(vendor))
		return wrong(err, "vendor");
	snprintf(f->vendor, sizeof f->vendor, "%s", vendor);
	if (!json_is_string(by) || strlen(json_string_value(by)) != json_string_length(by))
		return wrong(err, "by");
	f->by = xstrdup(json_string_value(by));
	if (!json_is_integer(at) || !exact(json_integer_value(at)))
		return wrong(err, "at");
	f->at = json_integer_value(at);
	if (!json_is_null(end) && (!json_is_integer(end) || !exact(json_integer_value(end))))
		return wrong(err, "not_after");
	f->not_after = json_is_null(end) ? INT64_MAX : json_integer_value(end);
	if (!get_count(json_object_get(o, "serial"), &f->serial))
		return wrong(err, "serial");
	if (take_states(o, f, err) || take_sends(json_object_get(o, "sends"), f, err))
		return -1;
	return take_drains(json_object_get(o, "drains"), f, err);
}

/* The contract is what stands between the head and the tail that we would write. */
static int take_contract(const char *line, size_t n, struct plan_file *f, struct err *err)
{
	struct buf head, tail;
	buf_init(&head, 0);
	buf_init(&tail, 0);
	add_head(f, &head);
	add_tail(f, &tail);
	int r = 0;
	if (head.len + tail.len > n || memcmp(line, head.data, head.len) != 0 ||
	    memcmp(line + n - tail.len, tail.data, tail.len) != 0) {
		r = err_set(err, ERR_CORRUPT, "plan is not canonical JSON with the members of a plan and no others");
	} else {
		f->contract = contract_from_json(line + head.len, n - head.len - tail.len, err);
		if (!f->contract) {
			err->code = ERR_CORRUPT;
			err->off = ERR_NOOFF;
			r = err_prefix(err, "plan: contract: ");
		}
	}
	buf_release(&head);
	buf_release(&tail);
	return r;
}

static int check_contract(const char *line, size_t n, struct plan_file *f, struct err *err)
{
	if (!span_eq(f->contract->vendor, f->vendor))
		return err_set(err, ERR_CORRUPT, "plan: its contract is another vendor's");
	struct buf again;
	buf_init(&again, 0);
	add_head(f, &again);
	contract_to_json(f->contract, &again);
	add_tail(f, &again);
	bool same = again.len == n && memcmp(again.data, line, n) == 0;
	buf_release(&again);
	return same ? 0 : err_set(err, ERR_CORRUPT, "plan: its contract is not in canonical form");
}

int plan_file_parse(const void *p, size_t n, const uint8_t public_key[static 32], struct plan_file *out, struct err *err)
{
	size_t line = 0;
	*out = closed;
	if (check_signature(p, n, public_key, &line, err))
		return -1;
	json_error_t why;
	json_t *o = json_loadb(p, line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	int r = json_is_object(o) ? 0 : err_set(err, ERR_CORRUPT, "plan is not a JSON object");
	if (r == 0)
		r = take_members(o, out, err);
	if (r == 0)
		r = take_contract(p, line, out, err);
	if (r == 0)
		r = check_contract(p, line, out, err);
	json_decref(o);
	if (r == 0)
		crypt_sha256(p, n, out->sha256);
	else
		plan_file_release(out);
	return r;
}

bool plan_file_sends(const struct plan_file *f, uint64_t serial, uint64_t seq)
{
	if (!f->approved || f->flow == FLOW_SUSPENDED || f->flow == FLOW_QUARANTINED)
		return false;
	if (serial == f->serial)
		return true;
	for (size_t i = 0; i < f->sends_len; i++)
		if (f->sends[i] == serial)
			return true;
	for (size_t i = 0; i < f->drains_len; i++)
		if (f->drains[i].serial == serial && seq >= f->drains[i].from && seq <= f->drains[i].to)
			return true;
	return false;
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

enum { PATH_BYTES = NAME_MAX_BYTES + sizeof ".plan.new" };

static int plan_path(char out[static PATH_BYTES], const char *vendor, const char *ending, struct err *err)
{
	if (!vendor_ok(vendor))	/* also keeps .. and / out of paths */
		return err_set(err, ERR_INPUT, "not a vendor's name: it is 1 to %d of a-z 0-9 -", NAME_MAX_BYTES);
	snprintf(out, PATH_BYTES, "%s%s", vendor, ending);
	return 0;
}

/* Written and synced under a temporary name.  0, or -1 with errno. */
static int write_new(const struct fio *io, int dir, const char *path, const struct buf *bytes)
{
	int fd = io->open(io->ctx, dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	int r = fio_write_all(io, fd, bytes->data, bytes->len, 0);
	if (r == 0)
		r = io->sync(io->ctx, fd);
	int sys = errno;
	if (io->close(io->ctx, fd) != 0 && r == 0)
		return -1;
	errno = sys;
	return r;
}

int plan_file_write(const struct fio *io, int dir, const char *vendor, const struct buf *bytes, struct err *err)
{
	char path[PATH_BYTES], new[PATH_BYTES];
	if (plan_path(path, vendor, ".plan", err) || plan_path(new, vendor, ".plan.new", err))
		return -1;
	if (write_new(io, dir, new, bytes) || io->rename(io->ctx, dir, new, path)) {
		err_sys(err, "plan of %s: writing", vendor);
		io->unlink(io->ctx, dir, new);
		return -1;
	}
	if (io->sync(io->ctx, dir))
		return err_sys(err, "plan of %s: syncing its folder", vendor);
	return 0;
}

/* The whole file into b; the size is taken once, and a file that then grows or shrinks fails its signature. */
static int read_whole(const struct fio *io, int dir, const char *path, struct buf *b, struct err *err)
{
	struct fio_stat st;
	int fd = io->open(io->ctx, dir, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "%s", path);
	int r = 0;
	if (io->stat(io->ctx, fd, &st))
		r = err_sys(err, "%s", path);
	else if (st.size > FILE_MAX)
		r = err_set(err, ERR_CORRUPT, "%s: more than %d bytes", path, FILE_MAX);
	else if (buf_reserve(b, (size_t)st.size)) {
		ssize_t n = fio_read_all(io, fd, b->data, (size_t)st.size, 0);
		if (n < 0)
			r = err_sys(err, "%s", path);
		else
			b->len = (size_t)n;
	}
	io->close(io->ctx, fd);
	return r;
}

static int check_expected(const struct buf *b, const uint8_t *expect, const char *path, struct err *err)
{
	uint8_t got[32];
	crypt_sha256(b->data, b->len, got);
	if (memcmp(got, expect, sizeof got) != 0)
		return err_set(err, ERR_CRYPTO, "%s is not the plan that the keeper announced", path);
	return 0;
}

int plan_file_read(const struct fio *io, int dir, const char *vendor, const uint8_t public_key[static 32],
		   const uint8_t *expect, struct plan_file *out, struct err *err)
{
	char path[PATH_BYTES];
	struct buf b;
	*out = closed;
	if (plan_path(path, vendor, ".plan", err))
		return -1;
	buf_init(&b, 0);
	int r = read_whole(io, dir, path, &b, err);
	if (r == 0 && expect)
		r = check_expected(&b, expect, path, err);
	if (r == 0)
		r = plan_file_parse(b.data, b.len, public_key, out, err);
	if (r == 0 && strcmp(out->vendor, vendor) != 0) {
		r = err_set(err, ERR_CORRUPT, "%s holds another vendor's plan", path);
		plan_file_release(out);
	}
	buf_release(&b);
	return r;
}
