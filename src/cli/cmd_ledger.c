/* `weir ledger`: what reached vendors by other ways, what they attested to have deleted, and how the ledger stands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/idlist.h"
#include "config/config.h"
#include "config/keys.h"
#include "crypt/crypt.h"
#include "keeper/notary.h"
#include "ledger/ledger.h"

enum { OPT_DIR, OPT_JSON, OPT_VENDOR, OPT_USERS, OPT_FIELDS, OPT_DAY, OPT_WHY, OPT_ID, OPT_ALL };

static const struct opt opts[] = {
	{"--dir", 0, true, OPT_DIR},	   {"--json", 0, false, OPT_JSON}, {"--vendor", 0, true, OPT_VENDOR}, {"--users", 0, true, OPT_USERS},
	{"--fields", 0, true, OPT_FIELDS}, {"--day", 0, true, OPT_DAY},	   {"--why", 0, true, OPT_WHY},	      {"--id", 0, true, OPT_ID},
	{"--all", 0, false, OPT_ALL},
};

struct arguments {
	const char *dir, *vendor, *users, *fields, *day, *why, *id, *word;
	bool json, all;
};

static int parse(const struct command *self, int argc, char **argv, struct arguments *a)
{
	const char **values[] = {[OPT_DIR] = &a->dir,	    [OPT_VENDOR] = &a->vendor, [OPT_USERS] = &a->users, [OPT_FIELDS] = &a->fields,
				 [OPT_DAY] = &a->day,	    [OPT_WHY] = &a->why,       [OPT_ID] = &a->id};
	struct opt_state s;
	opt_init(&s, argc, argv);
	for (int k; (k = opt_next(&s, self, opts, sizeof opts / sizeof *opts)) != OPT_END;) {
		if (k == OPT_HELP || k == OPT_BAD)
			return k;
		if (k == OPT_OPERAND && a->word) {
			cli_wrong(self, "%s: one word at a time", s.value);
			return OPT_BAD;
		}
		if (k == OPT_OPERAND)
			a->word = s.value;
		else if (k == OPT_JSON || k == OPT_ALL)
			*(k == OPT_JSON ? &a->json : &a->all) = true;
		else
			*values[k] = s.value;
	}
	return 0;
}

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
static int send(const struct arguments *a, const char *word, json_t *ids, struct err *err)
{
	uint8_t id[16];
	char hex[33];
	json_t *answer;
	crypt_random(id, sizeof id);
	hex_encode(id, sizeof id, hex);
	json_t *request = json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:O*}", "do", word, "record", hex, "vendor", a->vendor, "day", a->day, "why",
				    a->why, "ids", ids);
	if (!request)
		return err_set(err, ERR_INPUT, "an argument isn't UTF-8");
	if (a->fields)
		json_object_set_new(request, "fields", fields_of(a->fields));
	if (ask(a->dir, request, &answer, err) < 0)
		return -1;
	json_decref(answer);
	return 0;
}

static int send_all(const struct arguments *a, const char *word, size_t *people, struct err *err)
{
	struct idlist l;
	json_t *ids;
	*people = 0;
	if (a->all)
		return send(a, word, NULL, err);
	if (idlist_read(a->users, a->id, &l, err) < 0)
		return -1;
	int r = l.n ? 0 : err_set(err, ERR_INPUT, "%s names nobody", a->users);
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

static int tell(const struct command *self, const struct arguments *a, const char *word, const char *done)
{
	struct err err;
	size_t people;
	if (crypt_init(&err) < 0 || send_all(a, word, &people, &err) < 0)
		return cli_fail(self->name, &err);
	if (a->json)
		printf("{\"vendor\":\"%s\",\"identifiers\":%zu}\n", a->vendor, people);
	else if (a->all)
		printf("%s: everybody %s\n", a->vendor, done);
	else
		printf("%s: %zu identifiers %s\n", a->vendor, people, done);
	return EXIT_DONE;
}

static int record(const struct command *self, const struct arguments *a)
{
	if (!a->vendor || !a->users || !a->fields || a->all)
		return cli_wrong(self, "--vendor VENDOR, --users FILE and --fields A,B are needed");
	return tell(self, a, "ledger-record", "recorded");
}

static int deleted(const struct command *self, const struct arguments *a)
{
	if (!a->vendor || !a->why || !a->users == !a->all || a->fields)
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

static void ignore_damage(void *arg, const struct tlog_damage *d)
{
	(void)arg;
	(void)d;	/* `weir audit verify` is for that */
}

/* How far the transparency log says that open/ went; 0: there is none, or it can't be read. */
static uint64_t logged_to(int folder)
{
	uint8_t pk[KEY_FILE_BYTES_MAX];
	struct notary_files f = {.io = &fio_os, .open = -1, .day = -1};
	struct notary_checked found = {0};
	struct err none;
	int keys = openat(folder, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f.tlog = openat(folder, "state/tlog", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (keys >= 0 && f.tlog >= 0 && key_file_read(keys, KEY_SIGNING_PUBLIC, pk, &none) == 0) {
		notary_key(pk, &f.key);
		if (notary_check(&f, ignore_damage, NULL, &found, &none) < 0)
			found.batched_to = 0;
	}
	if (keys >= 0)
		close(keys);
	if (f.tlog >= 0)
		close(f.tlog);
	return found.batched_to;
}

/* Reads the files themselves: it answers whether Weir runs or not, and whether the ledger opens or not. */
static int verify_files(const char *given, json_t *damages, struct err *err)
{
	struct ledger_place p = {.io = &fio_os, .dir = -1, .plans = -1};
	struct ledger_verified out;
	char *dir = NULL;
	int r = crypt_init(err);
	if (r == 0)
		r = folder_find(given, &dir, err);
	int folder = r == 0 ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (folder >= 0)
		p.dir = openat(folder, "state/ledger", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && p.dir < 0)
		r = err_sys(err, "%s/state/ledger", dir);
	if (r == 0)
		r = ledger_verify(&p, logged_to(folder), print_damage, damages, &out, err);
	if (p.dir >= 0)
		close(p.dir);
	if (folder >= 0)
		close(folder);
	free(dir);
	return r;
}

static int status(const struct command *self, const struct arguments *a);

static int verify(const struct command *self, const struct arguments *a)
{
	struct err err;
	json_t *damages = json_array();
	int r = verify_files(a->dir, damages, &err);
	bool whole = r == 0 && json_array_size(damages) == 0;
	if (r == 0 && !whole && a->json) {
		json_t *j = json_pack("{s:O}", "damages", damages);
		ask_print(j);
		json_decref(j);
	}
	json_decref(damages);
	if (r < 0)
		return cli_fail(self->name, &err);
	return whole ? status(self, a) : EXIT_NO;
}

static int status(const struct command *self, const struct arguments *a)
{
	struct err err;
	json_t *answer, *r;
	size_t i;
	if (ask(a->dir, json_pack("{s:s}", "do", "ledger-status"), &answer, &err) < 0)
		return cli_fail(self->name, &err);
	if (a->json) {
		ask_print(answer);
	} else {
		printf("whole: every closed day has its checksums and its root\n\n%12lld subjects\n%12lld closed days\n%12lld open days\n",
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

static int rebuild(const struct command *self, const struct arguments *a)
{
	struct err err;
	json_t *answer;
	if (ask(a->dir, json_pack("{s:s}", "do", "ledger-rebuild"), &answer, &err) < 0)
		return cli_fail(self->name, &err);
	if (a->json)
		ask_print(answer);
	else
		printf("made again: %lld\n", number(answer, "rebuilt"));
	json_decref(answer);
	return EXIT_DONE;
}

static const struct {
	const char *word;
	int (*run)(const struct command *self, const struct arguments *a);
} words[] = {{"record", record}, {"deleted", deleted}, {"verify", verify}, {"rebuild", rebuild}};

static int run(const struct command *self, int argc, char **argv)
{
	struct arguments a = {0};
	int k = parse(self, argc, argv, &a);
	if (k)
		return k == OPT_HELP ? cli_help(self) : EXIT_USE;
	for (size_t i = 0; a.word && i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i].word, a.word) == 0)
			return words[i].run(self, &a);
	return cli_wrong(self, "record, deleted, verify or rebuild?");
}

const struct command cmd_ledger = {
	"ledger", "record data that went other ways",
	"usage: weir ledger record --vendor VENDOR --users FILE [--id COLUMN] --fields A,B [--day DAY] [--why TEXT]\n"
	"       weir ledger deleted --vendor VENDOR (--users FILE [--id COLUMN] | --all) --why TEXT [--day DAY]\n"
	"       weir ledger verify|rebuild\n"
	"       (each with [--dir FOLDER] [--json])\n"
	"\n"
	"  record   data that reached the vendor by an export, a database, a help desk: one [KIND:]ID a line (or --id, as\n"
	"           `weir resolve` has it); KIND is user unless named.  A field may name its category: email=user.contact.email\n"
	"  deleted  the vendor attests to have deleted what it got of them up to that day (today); --why says where\n"
	"  verify   reads every file and names all the damage, by file and bytes; else says how the ledger stands.  Whether\n"
	"           it is still what was recorded, `weir audit verify` says\n"
	"  rebuild  makes everything again that is derived: what months, and all closed days, add up to\n"
	"\n"
	"Exit status: 0 done; 1 verify: the ledger is damaged; 2 wrong use or list;\n"
	"3 own fault.\n",
	run,
};
