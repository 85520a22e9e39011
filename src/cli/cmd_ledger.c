/* `weir ledger`: what reached vendors by other ways, what they attested to have deleted, and how the ledger stands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "cli/idlist.h"
#include "cli/ledger_export.h"
#include "cli/question.h"
#include "config/config.h"
#include "config/keys.h"
#include "crypt/crypt.h"
#include "keeper/notary.h"
#include "ledger/ledger.h"

enum { ARG_VENDOR = ARG_OWN, ARG_USERS, ARG_FIELDS, ARG_DAY, ARG_WHY, ARG_ID, ARG_ALL, ARG_CLICKHOUSE, ARG_NDJSON };
enum { TRIES = 5 };
#define WITH(x) (1u << ARG_##x)

static const struct opt opts[] = {
	ARGS_COMMON,
	{"--vendor", 0, true, ARG_VENDOR}, {"--users", 0, true, ARG_USERS}, {"--fields", 0, true, ARG_FIELDS}, {"--day", 0, true, ARG_DAY},
	{"--why", 0, true, ARG_WHY}, {"--id", 0, true, ARG_ID}, {"--all", 0, false, ARG_ALL}, {"--clickhouse", 0, true, ARG_CLICKHOUSE},
	{"--ndjson", 0, true, ARG_NDJSON},
};

/* "email=user.contact.email,plan" */
static json_t *fields_of(const char *list)
{
	json_t *fields = json_array();
	while (*list) {
		size_t n = strcspn(list, ","), path = strcspn(list, ",=");
		json_t *f = json_pack("{s:s%}", "path", list, path);
		if (f && path < n)
			json_object_set_new(f, "category", json_stringn(list + path + 1, n - path - 1));
		if (path)
			json_array_append_new(fields, f);
		else
			json_decref(f);
		list += n + (list[n] == ',');
	}
	return fields;
}

/* One portion is one record, which may be sent again. */
static int send(const struct args *a, const char *word, json_t *ids, struct err *err)
{
	uint8_t id[16];
	char hex[33];
	json_t *answer;
	crypt_random(id, sizeof id);
	hex_encode(id, sizeof id, hex);
	json_t *request = json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:O*}", "do", word, "record", hex, "vendor",
				    a->value[ARG_VENDOR], "day", a->value[ARG_DAY], "why", a->value[ARG_WHY], "ids", ids);
	if (!request)
		return err_set(err, ERR_INPUT, "an argument isn't UTF-8");
	if (a->value[ARG_FIELDS])
		json_object_set_new(request, "fields", fields_of(a->value[ARG_FIELDS]));
	if (ask(a->value[ARG_DIR], request, &answer, err) < 0)
		return -1;
	json_decref(answer);
	return 0;
}

static int send_all(const struct args *a, const char *word, size_t *people, struct err *err)
{
	struct idlist l;
	json_t *ids;
	*people = 0;
	if (a->value[ARG_ALL])
		return send(a, word, NULL, err);
	if (idlist_read(a->value[ARG_USERS], a->value[ARG_ID], &l, err) < 0)
		return -1;
	int r = l.n ? 0 : err_set(err, ERR_INPUT, "%s names nobody", a->value[ARG_USERS]);
	for (size_t at = 0; r == 0 && (ids = idlist_portion(&l, &at));) {
		r = send(a, word, ids, err);
		json_decref(ids);
		if (r == 0)
			*people = at;
		else if (*people)
			err_prefix(err, "the first %zu of %zu are recorded: ", *people, l.n);
	}
	idlist_release(&l);
	return r;
}

static int tell(const struct command *self, const struct args *a, const char *word, const char *done)
{
	struct err err;
	size_t people;
	if (crypt_init(&err) < 0 || send_all(a, word, &people, &err) < 0)
		return asked_fail(self->name, &err);
	if (a->value[ARG_JSON])
		printf("{\"vendor\":\"%s\",\"identifiers\":%zu}\n", a->value[ARG_VENDOR], people);
	else if (a->value[ARG_ALL])
		printf("%s: everybody %s\n", a->value[ARG_VENDOR], done);
	else
		printf("%s: %zu identifiers %s\n", a->value[ARG_VENDOR], people, done);
	return EXIT_DONE;
}

static int record(const struct command *self, const struct args *a)
{
	if (!a->value[ARG_VENDOR] || !a->value[ARG_USERS] || !a->value[ARG_FIELDS])
		return cli_wrong(self, "--vendor VENDOR, --users FILE and --fields A,B are needed");
	return tell(self, a, "ledger-record", "recorded");
}

static int deleted(const struct command *self, const struct args *a)
{
	if (!a->value[ARG_VENDOR] || !a->value[ARG_WHY] || !a->value[ARG_USERS] == !a->value[ARG_ALL])
		return cli_wrong(self, "--vendor VENDOR, --why TEXT and either --users FILE or --all are needed");
	return tell(self, a, "ledger-deleted", "marked as deleted by the vendor");
}

static long long number(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

static const char *text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));
	return s ? s : "";
}

/* ---- verify --------------------------------------------------------------------------------------------------------- */

static void print_damage(void *arg, const struct ledger_damage *d)
{
	json_t *list = arg;
	json_array_append_new(list, json_pack("{s:s, s:I, s:o, s:s}", "file", d->file, "from", (json_int_t)d->from, "to",
					      d->to == UINT64_MAX ? json_null() : json_integer((json_int_t)d->to), "why", d->why));
	if (d->to == UINT64_MAX)
		fprintf(stderr, "weir: ledger verify: %s: from byte %" PRIu64 ": %s\n", d->file, d->from, d->why);
	else
		fprintf(stderr, "weir: ledger verify: %s: bytes %" PRIu64 " to %" PRIu64 ": %s\n", d->file, d->from, d->to, d->why);
}

static void note_tlog(void *arg, const struct tlog_damage *d)
{
	json_array_append_new(arg, json_pack("{s:s, s:I, s:o, s:s}", "file", d->file, "from", (json_int_t)d->from, "to",
					     d->to == UINT64_MAX ? json_null() : json_integer((json_int_t)d->to), "why", d->why));
}

static int look_once(const struct notary_files *f, json_t *found, struct notary_checked *out, bool *moved, struct err *err)
{
	struct buf before, after;
	buf_init(&before, 0);
	buf_init(&after, 0);
	json_array_clear(found);
	int r = tlog_file_read(f->io, f->tlog, "checkpoint", TLOG_NOTE_MAX, &before, err);
	if (r == 0)
		r = notary_check(f, note_tlog, found, out, err);
	if (r == 0)
		r = tlog_file_read(f->io, f->tlog, "checkpoint", TLOG_NOTE_MAX, &after, err);
	*moved = r == 0 && (before.len != after.len || memcmp(before.data, after.data, after.len) != 0);
	buf_release(&before);
	buf_release(&after);
	return r;
}

/* The transparency log by itself, and how far it says that open/ went.  While Weir runs it grows under our eyes. */
static void verify_tlog(const struct notary_files *f, json_t *damages, uint64_t *must)
{
	json_t *found = json_array(), *d;
	struct notary_checked out = {0};
	struct err err;
	bool moved = true;
	size_t i;
	for (int tries = 0; moved && tries < TRIES; tries++) {
		if (look_once(f, found, &out, &moved, &err) < 0) {
			json_array_clear(found);
			note_tlog(found, &(struct tlog_damage){"state/tlog/checkpoint", 0, UINT64_MAX, err.msg});
			out.batched_to = 0;
			moved = false;
		}
		moved &= json_array_size(found) > 0;
	}
	*must = out.batched_to;
	json_array_foreach(found, i, d) {
		const json_t *to = json_object_get(d, "to");
		const struct ledger_damage named = {text(d, "file"), (uint64_t)number(d, "from"),
						    json_is_integer(to) ? (uint64_t)json_integer_value(to) : UINT64_MAX, text(d, "why")};
		print_damage(damages, &named);
	}
	json_decref(found);
}

/* A folder that never ran has no log yet. */
static void look_at_tlog(int folder, json_t *damages, uint64_t *must)
{
	uint8_t pk[KEY_FILE_BYTES_MAX];
	struct notary_files f = {.io = &fio_os, .open = -1, .day = -1, .dict = -1};
	struct err none;
	int keys = openat(folder, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f.tlog = openat(folder, "state/tlog", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*must = 0;
	if (keys >= 0 && f.tlog >= 0 && key_file_read(keys, KEY_SIGNING_PUBLIC, pk, &none) == 0 &&
	    (faccessat(f.tlog, "tile", F_OK, 0) == 0 || faccessat(f.tlog, "checkpoint", F_OK, 0) == 0)) {
		notary_key(pk, &f.key);
		verify_tlog(&f, damages, must);
	}
	if (keys >= 0)
		close(keys);
	if (f.tlog >= 0)
		close(f.tlog);
}

/* What waits between gate, courier and keeper. */
static int verify_logs(int folder, uint64_t copied, json_t *damages, struct err *err)
{
	static const char *const names[] = {"state/log/gate", "state/log/courier"};
	size_t found = 0;
	int r = 0;
	for (size_t i = 0; i < 2 && r == 0; i++) {
		int dir = openat(folder, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			continue;
		r = ledger_verify_log(&fio_os, dir, names[i], i == 0 ? copied : 0, print_damage, damages, &found, err);
		close(dir);
	}
	return r;
}

/* Reads the files themselves: it answers whether Weir runs or not, and whether the ledger opens or not. */
static int verify_files(const char *given, json_t *damages, struct err *err)
{
	struct ledger_place p = {.io = &fio_os, .dir = -1, .plans = -1};
	struct ledger_verified out;
	uint64_t must;
	char *dir = NULL;
	int r = crypt_init(err);
	if (r == 0)
		r = folder_find(given, &dir, err);
	int folder = r == 0 ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (folder >= 0)
		p.dir = openat(folder, "state/ledger", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && p.dir < 0)
		r = err_sys(err, "%s/state/ledger", dir);
	if (r == 0) {
		look_at_tlog(folder, damages, &must);
		r = ledger_verify(&p, must, print_damage, damages, &out, err);
	}
	if (r == 0)
		r = verify_logs(folder, out.copied, damages, err);
	if (p.dir >= 0)
		close(p.dir);
	if (folder >= 0)
		close(folder);
	free(dir);
	return r;
}

static int status(const struct command *self, const struct args *a);

static int verify(const struct command *self, const struct args *a)
{
	struct err err;
	json_t *damages = json_array();
	int r = verify_files(a->value[ARG_DIR], damages, &err);
	bool whole = r == 0 && json_array_size(damages) == 0;
	if (r == 0 && !whole && a->value[ARG_JSON]) {
		json_t *j = json_pack("{s:O}", "damages", damages);
		ask_print(j);
		json_decref(j);
	}
	json_decref(damages);
	if (r < 0)
		return cli_fail(self->name, &err);
	return whole ? status(self, a) : EXIT_NO;
}

static int status(const struct command *self, const struct args *a)
{
	struct err err;
	json_t *answer, *r;
	size_t i;
	if (ask(a->value[ARG_DIR], json_pack("{s:s}", "do", "ledger-status"), &answer, &err) < 0)
		return asked_fail(self->name, &err);
	if (a->value[ARG_JSON]) {
		ask_print(answer);
	} else {
		printf("whole: every file has its checksums, every closed day its root, the transparency log its signature\n\n%12lld subjects\n%12lld closed days\n%12lld open days\n",
		       number(answer, "subjects"), number(answer, "closed"), number(answer, "open_days"));
		if (number(answer, "unreadable"))
			printf("%12lld requests whose plan is missing: counted with the field (unknown)\n", number(answer, "unreadable"));
		json_array_foreach(json_object_get(answer, "records"), i, r) {
			char people[24] = "all";
			if (json_is_integer(json_object_get(r, "people")))
				snprintf(people, sizeof people, "%lld", number(r, "people"));
			printf("  %s  %-10s %-20s %8s  %-12s %s\n", text(r, "day"), text(r, "what"), text(r, "vendor"), people, text(r, "who"),
			       text(r, "why"));
		}
	}
	json_decref(answer);
	return EXIT_DONE;
}

static int rebuild(const struct command *self, const struct args *a)
{
	struct err err;
	json_t *answer;
	if (ask(a->value[ARG_DIR], json_pack("{s:s}", "do", "ledger-rebuild"), &answer, &err) < 0)
		return asked_fail(self->name, &err);
	if (a->value[ARG_JSON])
		ask_print(answer);
	else
		printf("made again: %lld\n", number(answer, "rebuilt"));
	json_decref(answer);
	return EXIT_DONE;
}

static int export(const struct command *self, const struct args *a)
{
	const char *folder = a->value[ARG_CLICKHOUSE], *file = a->value[ARG_NDJSON];
	struct err err;
	if (!folder == !file)
		return cli_wrong(self, "export takes --clickhouse FOLDER or --ndjson FILE");
	int r = folder ? ledger_export_to_clickhouse(a->value[ARG_DIR], folder, &err) : ledger_export_to_lines(a->value[ARG_DIR], file, &err);
	if (r < 0)
		return asked_fail("ledger export", &err);
	if (folder && !a->value[ARG_JSON])
		printf("exported to %s: schema.sql makes the tables, load.sql fills them\n", folder);
	return EXIT_DONE;
}

static const struct word words[] = {
	{.name = "record", .options = WITH(VENDOR) | WITH(USERS) | WITH(ID) | WITH(FIELDS) | WITH(DAY) | WITH(WHY), .run = record},
	{.name = "deleted", .options = WITH(VENDOR) | WITH(USERS) | WITH(ID) | WITH(ALL) | WITH(DAY) | WITH(WHY), .run = deleted},
	{.name = "verify", .run = verify},
	{.name = "rebuild", .run = rebuild},
	{.name = "export", .options = WITH(CLICKHOUSE) | WITH(NDJSON), .run = export},
};

static int run(const struct command *self, int argc, char **argv)
{
	return args_words(self, argc, argv, opts, sizeof opts / sizeof *opts, words, sizeof words / sizeof *words);
}

const struct command cmd_ledger = {
	"ledger", "record data that went other ways",
	"usage: weir ledger record --vendor VENDOR --users FILE [--id COLUMN] --fields A,B [--day DAY] [--why TEXT]\n"
	"       weir ledger deleted --vendor VENDOR (--users FILE [--id COLUMN] | --all) --why TEXT [--day DAY]\n"
	"       weir ledger verify|rebuild\n"
	"       weir ledger export (--clickhouse FOLDER | --ndjson FILE)\n"
	"       (each with [--dir FOLDER] [--json])\n"
	"\n"
	"  record   data that reached the vendor by an export, a database, a help desk: one [KIND:]ID a line (or --id, as\n"
	"           `weir resolve` has it); KIND is user unless named.  A field may name its category: email=user.contact.email\n"
	"  deleted  the vendor attests to have deleted what it got of them up to that day (today); --why says where\n"
	"  verify   reads every file of state/ledger, state/log and state/tlog and names all the damage, by file and bytes; else says\n"
	"           how the ledger stands.  Whether it is still what was recorded, `weir audit verify` says\n"
	"  rebuild  makes everything again that is derived: what months, and all closed days, add up to\n"
	"  export   everything, for other engines: FOLDER is made, with tables in RowBinary (a chunk of identifiers is a groupBitmap),\n"
	"           schema.sql and load.sql; FILE (- for standard output) gets the same as lines of JSON\n"
	"\n"
	"Exit status: 0 done; 1 verify: the ledger is damaged; 2 wrong use or list;\n"
	"3 own fault.\n",
	run,
};
