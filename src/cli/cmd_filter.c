/*
 * `weir filter`: a contract applied to files or standard input, without a folder or a network.  A pure function of
 * contract, key, input and (for identity `daily`) date.
 *
 * Input is taken in pieces of whole lines; a piece that fails is gone through line by line, so that one bad line costs
 * only itself.  What fails in its first line may be one JSON text over many lines, and is then read as a whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/contract_file.h"
#include "config/keys.h"
#include "contract/contract.h"
#include "json/json.h"

enum { PIECE = 512 * 1024, CONTRACT_MAX = 4 << 20 };
static const size_t input_max = 0xf0000000u;

enum { O_CONTRACT, O_WIRE, O_ROUTE, O_KIND, O_KEY_FILE, O_DIR, O_STATE, O_STRICT, O_NO_DETECT, O_EXPLAIN, O_JSON };

static const struct opt opts[] = {
	{"--contract", 'c', true, O_CONTRACT},	   {"--wire", 0, true, O_WIRE},	      {"--route", 0, true, O_ROUTE},
	{"--kind", 0, true, O_KIND},		   {"--key-file", 0, true, O_KEY_FILE}, {"--dir", 0, true, O_DIR},
	{"--state", 0, true, O_STATE},		   {"--strict", 0, false, O_STRICT},  {"--no-detect", 0, false, O_NO_DETECT},
	{"--explain", 0, false, O_EXPLAIN},	   {"--json", 0, false, O_JSON},
};

static const char *const kinds[OBJECT_KINDS] = {"event", "profile", "group", "link"};

struct filter {
	const struct command *self;
	const char *contract, *wire, *route_name, *key_file, *dir;
	enum flow flow;
	enum object_kind kind;
	bool strict, explain;
	const char *const *files;
	size_t files_len;

	struct plan *plan;
	const struct adapter *adapter;
	const struct route *route;
	struct apply_env env;
	struct apply_out out;
	struct buf told;	/* lines of --explain */
	size_t told_last;	/* where those of the newest object begin */
	uint32_t told_index;
	const char *file;
	uint64_t objects;	/* before the present call */
	bool dropped, bad_input;
};

/* ---- explain -------------------------------------------------------------------------------------------------------- */

static void tell(void *arg, const struct explained *e)
{
	struct filter *f = arg;
	struct buf *b = &f->told;
	if (strcmp(e->outcome, "dropped") == 0 && strcmp(e->action, "token") != 0)
		f->dropped = true;
	if (!f->explain)
		return;
	if (b->len == 0 || e->index != f->told_index) {
		f->told_last = b->len;
		f->told_index = e->index;
	}
	buf_addf(b, "{\"n\":%llu,\"event\":", (unsigned long long)(f->objects + e->index + 1));
	buf_add_json(b, e->event.at, e->event.len);
	buf_adds(b, ",\"path\":");
	buf_add_json(b, e->path, strlen(e->path));
	buf_addf(b, ",\"action\":\"%s\",\"outcome\":\"%s\",\"reason\":\"%s\",\"category\":", e->action, e->outcome, e->reason);
	buf_add_json(b, e->category.at, e->category.len);
	buf_adds(b, ",\"found\":[");
	const char *sep = "";
	for (unsigned t = 0; t < DETECT_TYPES; t++)
		if (e->found >> t & 1 && t != DETECT_CUSTOM) {
			buf_addf(b, "%s\"%s\"", sep, detect_name((enum detect_type)t));
			sep = ",";
		}
	for (unsigned i = 0; i < e->own_len; i++, sep = ",")
		buf_addf(b, "%s\"%s\"", sep, e->own[i]);
	buf_addc(b, ']');
	if (e->on_hit)
		buf_addf(b, ",\"on_hit\":\"%s\"", e->on_hit);
	buf_adds(b, "}\n");
}

/* ---- input ---------------------------------------------------------------------------------------------------------- */

static int emit(struct filter *f)
{
	const struct buf *b = f->explain ? &f->told : &f->out.bytes;
	int r = b->len ? cli_write_all(STDOUT_FILENO, b->data, b->len) : 0;
	buf_reset(&f->told);
	return r;
}

/* text[n] must be 0. */
static int apply(struct filter *f, enum object_kind kind, const char *text, size_t n, bool lines, struct err *err)
{
	apply_out_reset(&f->out);
	if (plan_apply(f->plan, &f->env, kind, text, n, lines, &f->out, err) < 0) {
		if (err->code != ERR_DENIED)
			buf_reset(&f->told);
		return -1;
	}
	for (size_t i = 0; i < f->out.n && !f->dropped; i++)
		f->dropped = f->out.v[i].dropped != DROP_NONE;
	f->objects += f->out.n;
	if (emit(f) < 0)
		return err_sys(err, "standard output");
	return 0;
}

/* `on_hit: refuse`: nothing of the request leaves, and of its objects the one that did it is told. */
static int refused(struct filter *f, size_t line, const struct err *why, struct err *err)
{
	struct buf *b = &f->told;
	f->dropped = true;
	f->objects += f->out.n;
	fprintf(stderr, "weir: %s: line %zu: %s\n", f->file, line, why->msg);
	int r = b->len > f->told_last ? cli_write_all(STDOUT_FILENO, b->data + f->told_last, b->len - f->told_last) : 0;
	buf_reset(b);
	return r < 0 ? err_sys(err, "standard output") : 0;
}

/* One request that isn't taken apart by lines. */
static int apply_all(struct filter *f, enum object_kind kind, const char *text, size_t n, bool lines, struct err *err)
{
	struct err bad = {.off = ERR_NOOFF};
	if (apply(f, kind, text, n, lines, &bad) == 0)
		return 0;
	if (bad.code == ERR_DENIED)
		return refused(f, 1, &bad, err);
	*err = bad;
	return -1;
}

static void bad_line(struct filter *f, size_t line, const struct err *err)
{
	f->bad_input = true;
	if (err->off != ERR_NOOFF)
		fprintf(stderr, "weir: %s: line %zu: byte %zu: %s; skipped\n", f->file, line, err->off, err->msg);
	else
		fprintf(stderr, "weir: %s: line %zu: %s; skipped\n", f->file, line, err->msg);
}

/* A piece that failed; line: the number of its first one. */
static int by_line(struct filter *f, char *at, char *end, size_t line, struct err *err)
{
	for (; at < end; line++) {
		char *nl = memchr(at, '\n', (size_t)(end - at)), *stop = nl ? nl : end;
		struct err bad = {.off = ERR_NOOFF};
		*stop = 0;
		if (apply(f, f->kind, at, (size_t)(stop - at), true, &bad) < 0) {
			if (bad.code == ERR_IO || bad.code == ERR_FULL) {
				*err = bad;
				return -1;
			}
			if (bad.code != ERR_DENIED)
				bad_line(f, line, &bad);
			else if (refused(f, line, &bad, err) < 0)
				return -1;
		}
		if (nl)
			*nl = '\n';
		at = stop + 1;
	}
	return 0;
}

/* One text over many lines: not bad lines, then. */
static bool one_text(const char *at, size_t n)
{
	struct err ignored;
	struct json_limits limits = {.keys = UINT32_MAX};
	size_t space = strspn(at, " \t\r\n");
	return space < n && (at[space] == '[' || at[space] == '{') && json_check(at, n, &limits, &ignored) == 0;
}

static size_t lines_in(const char *at, const char *end)
{
	size_t n = 0;
	for (; (at = memchr(at, '\n', (size_t)(end - at))); at++)
		n++;
	return n;
}

/* Lines from at to stop, where a 0 stands; *line is the number of the first one and moves on. */
static int piece(struct filter *f, char *at, char *stop, size_t *line, struct err *err)
{
	struct err bad = {.off = ERR_NOOFF};
	int r = apply(f, f->kind, at, (size_t)(stop - at), true, &bad);
	if (r < 0 && (bad.code == ERR_IO || bad.code == ERR_FULL)) {
		*err = bad;
		return -1;
	}
	buf_reset(&f->told);
	if (r < 0 && by_line(f, at, stop, *line, err) < 0)
		return -1;
	*line += lines_in(at, stop) + 1;
	return 0;
}

/* Nothing of the first piece could be read line by line: take in all of it. */
static int whole(struct filter *f, int fd, struct buf *in, size_t *line, struct err *err)
{
	for (ssize_t n = 1; n; in->len += n > 0 ? (size_t)n : 0) {
		if (in->len > input_max || !buf_reserve(in, PIECE + JSON_PAD))
			return err_set(err, ERR_LIMIT, "%s: larger than %zu bytes", f->file, input_max);
		n = read(fd, in->data + in->len, PIECE);
		if (n < 0 && errno != EINTR)
			return err_sys(err, "%s", f->file);
	}
	char *at = (char *)in->data, *end = at + in->len;
	memset(end, 0, JSON_PAD);
	if (one_text(at, in->len))
		return apply_all(f, f->kind, at, in->len, false, err);
	return piece(f, at, end, line, err);
}

static bool first_line_reads(char *at, char *stop)
{
	struct err ignored;
	struct json_limits limits = {.keys = UINT32_MAX};
	char *nl = memchr(at, '\n', (size_t)(stop - at)), *end = nl ? nl : stop;
	*end = 0;
	bool ok = json_check(at, (size_t)(end - at), &limits, &ignored) == 0;
	if (nl)
		*nl = '\n';
	return ok;
}

/* Piece by piece, so that memory is bounded by the longest line and a pipe is followed. */
static int stream(struct filter *f, int fd, struct buf *in, struct err *err)
{
	size_t line = 1;
	bool first = true;
	for (;;) {
		if (in->len > input_max || !buf_reserve(in, PIECE + JSON_PAD))
			return err_set(err, ERR_LIMIT, "%s: a line larger than %zu bytes", f->file, input_max);
		ssize_t n = read(fd, in->data + in->len, PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "%s", f->file);
		in->len += (size_t)n;
		char *at = (char *)in->data, *end = at + in->len;
		char *stop = n == 0 ? end : memrchr(end - n, '\n', (size_t)n);
		if (n == 0 && in->len == 0)
			return 0;
		if (!stop)
			continue;
		memset(end, 0, JSON_PAD);
		if (first && !first_line_reads(at, stop))
			return whole(f, fd, in, &line, err);
		first = false;
		*stop = 0;
		if (piece(f, at, stop, &line, err) < 0)
			return -1;
		if (n == 0)
			return 0;
		in->len = (size_t)(end - stop - 1);
		memmove(in->data, stop + 1, in->len);
	}
}

static int objects_of(struct filter *f, const char *path, struct err *err)
{
	struct buf in;
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_NOTFOUND, "%s: %s", path, strerror(errno));
	buf_init(&in, 0);
	int r = stream(f, fd, &in, err);
	buf_release(&in);
	if (fd != STDIN_FILENO)
		close(fd);
	return r;
}

static int raw_body(struct filter *f, const char *path, struct err *err)
{
	struct wire_request rq = {.method = METHOD_POST, .path = {f->route->path, strlen(f->route->path)}};
	struct wire_objects o = {0};
	struct arena a;
	struct buf in;
	arena_init(&a, 0);
	buf_init(&in, 0);
	int r = cli_read(path, input_max, &in, err);
	rq.body = (struct span){(const char *)in.data, in.len};
	if (r == 0)
		r = f->adapter->decode(f->route, &rq, input_max, &a, &o, err);
	if (r == 0)
		r = apply_all(f, f->route->kind, o.json.at, o.json.len, o.ndjson, err);
	arena_release(&a);
	buf_release(&in);
	return r;
}

static int one_file(struct filter *f, const char *path, struct err *err)
{
	f->file = strcmp(path, "-") == 0 ? "standard input" : path;
	return (f->wire ? raw_body : objects_of)(f, path, err);
}

/* ---- what it works with ------------------------------------------------------------------------------------------------ */

static struct contract *contract_of(const char *path, int *status)
{
	struct err err = {.off = ERR_NOOFF};
	struct buf text, said;
	struct diags d;
	buf_init(&text, 0);
	if (cli_read(path, CONTRACT_MAX, &text, &err) < 0) {
		*status = cli_fail("filter", &err);
		*status = *status == EXIT_FAULT ? EXIT_USE : *status;
		buf_release(&text);
		return NULL;
	}
	diags_init(&d, path);
	struct contract *c = contract_file_parse(path, (const char *)text.data, text.len, &d, contract_file_complain, NULL);
	if (!c) {
		buf_init(&said, 0);
		diags_sort(&d);
		diags_print(&d, &said);
		fwrite(said.data, 1, said.len, stderr);
		buf_release(&said);
		*status = EXIT_USE;
	}
	diags_release(&d);
	buf_release(&text);
	return c;
}

static int key_from_file(const char *path, uint8_t key[static KEY_BYTES], struct err *err)
{
	struct buf b;
	buf_init(&b, 0);
	int r = cli_read(path, 1024, &b, err);
	size_t n = b.len;
	while (r == 0 && n && strchr(" \t\r\n", b.data[n - 1]))
		n--;
	if (r == 0 && !hex_decode((const char *)b.data, n, key, KEY_BYTES))
		r = err_set(err, ERR_INPUT, "%s: not 64 hexadecimal digits", path);
	buf_wipe(&b);
	return r;
}

static int key_from_folder(const char *dir, const char *vendor, uint8_t key[static KEY_BYTES], struct err *err)
{
	uint8_t root[KEY_FILE_BYTES_MAX];
	char path[4096];
	snprintf(path, sizeof path, "%s/keys", dir);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "%s", path);
	int r = key_file_read(fd, KEY_VENDOR_ROOT, root, err);
	close(fd);
	if (r == 0)
		crypt_vendor_key(root, vendor, 0, key);
	crypt_wipe(root, sizeof root);
	return r;
}

static int key_of(struct filter *f, const struct contract *c, struct err *err)
{
	uint8_t key[KEY_BYTES];
	char vendor[64];
	int r = 0;
	snprintf(vendor, sizeof vendor, "%.*s", (int)c->vendor.len, c->vendor.at);
	if (f->key_file) {
		r = key_from_file(f->key_file, key, err);
	} else if (f->dir) {
		r = key_from_folder(f->dir, vendor, key, err);
	} else {
		crypt_random(key, sizeof key);
		if (c->identity == IDENTITY_PSEUDONYM || c->identity == IDENTITY_DAILY)
			fprintf(stderr, "weir: filter: a random key: pseudonyms differ from run to run; --dir or --key-file sets one\n");
	}
	if (r == 0)
		f->env.vendor = pseudo_new(key, 0);
	crypt_wipe(key, sizeof key);
	return r;
}

static int route_of(struct filter *f, struct err *err)
{
	f->adapter = adapter_find(f->wire);
	if (!f->adapter)
		return err_set(err, ERR_INPUT, "%s: no such adapter", f->wire);
	for (size_t i = 0; i < f->adapter->routes_len && !f->route; i++) {
		const struct route *r = &f->adapter->routes[i];
		if (r->mode == ROUTE_DELIVER && (f->route_name ? strcmp(r->name, f->route_name) == 0 : r->kind == f->kind))
			f->route = r;
	}
	return f->route ? 0 : err_set(err, ERR_INPUT, "%s: no such route of %s", f->route_name ? f->route_name : kinds[f->kind], f->wire);
}

static int prepare(struct filter *f, const struct contract *c, struct err *err)
{
	if (crypt_init(err) < 0 || plan_compile(c, f->flow, &f->plan, err) < 0 || plan_arm(f->plan, err) < 0 || key_of(f, c, err) < 0)
		return -1;
	if (clock_init(getenv("WEIR_NOW"), true, err) < 0 || (f->wire && route_of(f, err) < 0))
		return -1;
	clock_format_day(clock_now(), f->env.day);
	f->env.limits.objects = UINT32_MAX;
	if (f->explain || f->strict) {
		f->env.explain = tell;
		f->env.explain_arg = f;
	}
	return 0;
}

static int work(struct filter *f)
{
	static const char *const input[] = {"-"};
	struct err err = {.off = ERR_NOOFF};
	int status = EXIT_DONE;
	struct contract *c = contract_of(f->contract, &status);
	if (!c)
		return status;
	apply_out_init(&f->out, 0);
	buf_init(&f->told, 0);
	if (prepare(f, c, &err) < 0) {
		status = cli_fail("filter", &err);
	} else {
		const char *const *files = f->files_len ? f->files : input;
		for (size_t i = 0; i < (f->files_len ? f->files_len : 1); i++) {
			struct err bad = {.off = ERR_NOOFF};
			if (one_file(f, files[i], &bad) < 0) {
				int s = cli_fail("filter", &bad);
				status = s > status ? s : status;
			}
		}
		if (f->strict && f->dropped && status < EXIT_NO)
			status = EXIT_NO;
		if (f->bad_input && status < EXIT_USE)
			status = EXIT_USE;
	}
	pseudo_free(&f->env.vendor);
	plan_free(&f->plan);
	apply_out_release(&f->out);
	buf_release(&f->told);
	contract_free(&c);
	return status;
}

static bool set_state(struct filter *f, const char *v)
{
	f->flow = strcmp(v, "restricted") == 0 ? FLOW_RESTRICTED : FLOW_OPEN;
	return f->flow == FLOW_RESTRICTED || strcmp(v, "open") == 0;
}

static bool set_kind(struct filter *f, const char *v)
{
	for (int k = 0; k < OBJECT_KINDS; k++)
		if (strcmp(v, kinds[k]) == 0) {
			f->kind = (enum object_kind)k;
			return true;
		}
	return false;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct filter f = {.self = self, .flow = FLOW_OPEN, .kind = OBJECT_EVENT, .env = {.detect = true}};
	const char **files = xcalloc((size_t)argc, sizeof *files);
	struct opt_state s;
	int k, status = -1;
	opt_init(&s, argc, argv);
	while (status < 0 && (k = opt_next(&s, self, opts, sizeof opts / sizeof *opts)) != OPT_END) {
		switch (k) {
		case O_CONTRACT: f.contract = s.value; break;
		case O_WIRE: f.wire = s.value; break;
		case O_ROUTE: f.route_name = s.value; break;
		case O_KEY_FILE: f.key_file = s.value; break;
		case O_DIR: f.dir = s.value; break;
		case O_STRICT: f.strict = true; break;
		case O_NO_DETECT: f.env.detect = false; break;
		case O_EXPLAIN: f.explain = true; break;
		case O_JSON: break;	/* output is JSON anyway */
		case O_KIND:
			if (!set_kind(&f, s.value))
				status = cli_wrong(self, "--kind takes event, profile, group or link");
			break;
		case O_STATE:
			if (!set_state(&f, s.value))
				status = cli_wrong(self, "--state takes open or restricted");
			break;
		case OPT_OPERAND: files[f.files_len++] = s.value; break;
		case OPT_HELP: status = cli_help(self); break;
		default: status = EXIT_USE; break;
		}
	}
	f.files = files;
	if (status < 0)
		status = f.contract ? work(&f) : cli_wrong(self, "-c FILE says which contract");
	free(files);
	return status;
}

const struct command cmd_filter = {
	"filter",
	"apply a contract to events in files",
	"usage: weir filter -c CONTRACT [OPTIONS] [FILE...]\n"
	"\n"
	"Reads event objects (one a line, or a line or the whole file an array of them) and writes what the contract lets\n"
	"out, one event a line.  It needs no folder; it ignores sources, expiry and consent, and mints nothing.\n"
	"\n"
	"  -c, --contract FILE  the contract\n"
	"  --explain            instead: a line a field, with its outcome and the reason; never a value\n"
	"  --wire ADAPTER       each file is a raw request body of this protocol; --route NAME says of which route\n"
	"  --kind KIND          what the objects are: event (default), profile, group, link\n"
	"  --key-file FILE      64 hexadecimal digits: the vendor's pseudonym key\n"
	"  --dir FOLDER         takes the vendor's key from a Weir folder\n"
	"  --state restricted   applies the contract's `restricted` block\n"
	"  --no-detect          leaves the detectors out (measurements only)\n"
	"  --strict             exit 1 when anything was dropped\n"
	"\n"
	"example: weir filter -c contracts/mixpanel.yaml --explain events.ndjson\n"
	"\n"
	"exit: 0 done, 1 --strict and something was dropped, 2 wrong use, a bad contract or a bad line, 3 own fault\n",
	run};
