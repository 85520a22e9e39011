/* `weir incident`: from the first message of a vendor to the last letter. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/diag.h"
#include "cli/ask.h"
#include "cli/incident.h"
#include "crypt/crypt.h"
#include "keeper/decision.h"

enum {
	OPT_DIR, OPT_JSON, OPT_ALL,
};
/* Options that become a member of the request; the table is help, parser and request in one. */
static const struct {
	const char *name, *member;
	bool number;
} members[] = {
	{"--vendor", "vendor", false},	 {"--since", "since", false},	   {"--until", "until", false},
	{"--category", "category", false}, {"--why", "why", false},	   {"--at", "at", false},
	{"--received", "received", false}, {"--from", "from", false},	   {"--summary", "summary", false},
	{"--suspended-until", "suspended_until", false}, {"--not-applicable", "not_applicable", false},
	{"--dpc", "dpc", true},		 {"--ei", "ei", true},		   {"--confidentiality", "confidentiality", true},
	{"--integrity", "integrity", true}, {"--availability", "availability", true}, {"--malice", "malice", true},
	{"--what", "what", false},
};
enum { MEMBERS = sizeof members / sizeof *members, OPT_FIRST = 100, OPT_SETS = 90, OPT_FILE, OPT_LIST, OPT_KIND, OPT_LANG, OPT_AGAIN };

static int parse(const struct command *self, int argc, char **argv, struct incident_args *a)
{
	struct opt opts[MEMBERS + 12];
	size_t n = 0;
	struct opt_state s;
	for (; n < MEMBERS; n++)
		opts[n] = (struct opt){members[n].name, 0, true, OPT_FIRST + (int)n};
	static const struct opt fixed[] = {
		{"--dir", 0, true, OPT_DIR},   {"--json", 0, false, OPT_JSON}, {"--all", 0, false, OPT_ALL},	{"--sets", 0, true, OPT_SETS},
		{"--file", 0, true, OPT_FILE}, {"--list", 0, true, OPT_LIST},  {"--kind", 0, true, OPT_KIND},	{"--lang", 0, true, OPT_LANG},
		{"--send-again", 0, false, OPT_AGAIN},
	};
	memcpy(opts + n, fixed, sizeof fixed);
	n += sizeof fixed / sizeof *fixed;
	opt_init(&s, argc, argv);
	a->request = json_object();
	for (int k; (k = opt_next(&s, self, opts, n)) != OPT_END;) {
		if (k == OPT_HELP || k == OPT_BAD)
			return k;
		if (k >= OPT_FIRST && members[k - OPT_FIRST].number) {
			char *end;
			errno = 0;
			long v = strtol(s.value, &end, 10);
			if (!*s.value || *end || errno) {
				cli_wrong(self, "%s takes a whole number", members[k - OPT_FIRST].name);
				return OPT_BAD;
			}
			json_object_set_new(a->request, members[k - OPT_FIRST].member, json_integer(v));
		} else if (k >= OPT_FIRST) {
			json_t *v = json_string(s.value);
			if (!v) {
				cli_wrong(self, "%s isn't UTF-8", members[k - OPT_FIRST].name);
				return OPT_BAD;
			}
			json_object_set_new(a->request, members[k - OPT_FIRST].member, v);
		} else if (k == OPT_JSON) {
			a->json = true;
		} else if (k == OPT_ALL) {
			a->all = true;
		} else if (k == OPT_AGAIN) {
			a->again = true;
		} else if (k == OPT_OPERAND) {
			if (a->operands_len == sizeof a->operands / sizeof *a->operands) {
				cli_wrong(self, "%s: too many words", s.value);
				return OPT_BAD;
			}
			a->operands[a->operands_len++] = s.value;
		} else {
			*(k == OPT_DIR ? &a->dir : k == OPT_SETS ? &a->sets : k == OPT_FILE ? &a->file : k == OPT_LIST ? &a->list : k == OPT_KIND ? &a->kind
			  : &a->lang) = s.value;
		}
	}
	return 0;
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

static const char *text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));
	return s ? s : "-";
}

static long long number(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

static void print_counts(const json_t *scope)
{
	const json_t *c = json_object_get(scope, "counts"), *newly = json_object_get(scope, "newly");
	size_t i;
	json_t *v;
	printf("  people     %lld (%lld identifiers, %lld events)", number(c, "people"), number(c, "identifiers"), number(c, "events"));
	if (json_is_integer(newly))
		printf(", %lld of them new in this version", (long long)json_integer_value(newly));
	printf("\n  digest     %s\n", text(scope, "sha256"));
	json_array_foreach(json_object_get(c, "categories"), i, v)
		printf("  %-32s %lld\n", text(v, "category"), number(v, "people"));
}

static void print_opened(const json_t *a)
{
	const json_t *scope = json_object_get(a, "scope");
	if (json_object_get(a, "vendor"))
		printf("incident %lld: %s is %s%s\n", number(a, "id"), text(a, "vendor"), text(a, "state"),
		       json_is_true(json_object_get(a, "cut_off")) ? ", cut off: gate and courier obey" : "");
	if (scope)
		print_counts(scope);
	if (json_object_get(a, "uncounted"))
		printf("  not counted: %s\n", text(a, "uncounted"));
}

static void print_severity(const char *title, const json_t *s)
{
	if (!json_is_object(s))
		return;
	printf("  %-10s %s: %lld quarters (DPC %lld, EI %lld, +%lld)\n", title, text(s, "band"), number(s, "quarters"), number(s, "dpc"),
	       number(s, "ei"), number(s, "confidentiality") + number(s, "integrity") + number(s, "availability") + number(s, "malice"));
	if (json_object_get(s, "by"))
		printf("             by %s: %s\n", text(s, "by"), text(s, "why"));
}

static bool quiet_clock(const json_t *c)
{
	const char *s = text(c, "state");
	return strcmp(s, "not started") == 0 || strcmp(s, "not applicable") == 0 || strcmp(s, "proposed law") == 0;
}

static int by_due(const void *a, const void *b)
{
	const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
	const char *p = json_string_value(json_object_get(x, "due")), *q = json_string_value(json_object_get(y, "due"));
	return p && q ? strcmp(p, q) : (q != NULL) - (p != NULL);
}

/* The soonest first; those without a number behind them. */
static void print_clocks(const json_t *list, bool all)
{
	size_t n = json_array_size(list), hidden = 0;
	const json_t **sorted = xcalloc(n + 1, sizeof *sorted);
	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(list, i);
	qsort(sorted, n, sizeof *sorted, by_due);
	for (size_t i = 0; i < n; i++) {
		const json_t *c = sorted[i];
		if (quiet_clock(c) && !all) {
			hidden++;
			continue;
		}
		printf("  %-12s %-20s  %s (%s)%s\n", text(c, "state"), text(c, "due"), text(c, "id"), text(c, "jurisdiction"),
		       json_is_true(json_object_get(c, "verified")) ? "" : "  UNVERIFIED");
		if (json_is_string(json_object_get(c, "why")))
			printf("  %36s%s\n", "", text(c, "why"));
	}
	free(sorted);
	if (hidden)
		printf("  %zu more that have not started or don't apply: --all shows them\n", hidden);
}

static void print_shown(const struct incident_args *a, const json_t *j)
{
	size_t i;
	json_t *v;
	const char *name;
	printf("incident %lld: %s, %s%s\n  opened     %s by %s: %s\n", number(j, "id"), text(j, "vendor"), text(j, "state"),
	       json_is_true(json_object_get(j, "cut_off")) ? ", cut off" : "", text(j, "at"), text(j, "by"), text(j, "why"));
	json_array_foreach(json_object_get(j, "scopes"), i, v) {
		printf("\nscope %lld, %s by %s: %s\n", number(v, "n"), text(v, "at"), text(v, "by"), text(v, "why"));
		print_counts(v);
	}
	puts("\nseverity (ENISA 2013; quarters)");
	print_severity("proposed", json_object_get(json_object_get(j, "severity"), "proposed"));
	print_severity("confirmed", json_object_get(json_object_get(j, "severity"), "confirmed"));
	puts("\nanchors");
	json_object_foreach(json_object_get(j, "anchors"), name, v)
		printf("  %-26s %s by %s: %s\n", name, text(v, "at"), text(v, "by"), text(v, "why"));
	puts("\nmessages");
	json_array_foreach(json_object_get(j, "messages"), i, v)
		printf("  %lld %s from %s; if this made us aware, GDPR 33(1) is due %s\n", number(v, "n"), text(v, "received"), text(v, "from"),
		       text(v, "if_aware_gdpr_33_due"));
	puts("\nclocks (not legal advice; UNVERIFIED rows were never compared with the law's text)");
	print_clocks(json_object_get(j, "clocks"), a->all);
	puts("\ntimeline");
	json_array_foreach(json_object_get(j, "timeline"), i, v)
		printf("  %s  %-12s %-18s %s\n", text(v, "at"), text(v, "who"), text(v, "kind"), text(v, "text"));
}

static void print_list(const json_t *answer)
{
	size_t i;
	json_t *v;
	printf("%-4s %-20s %-10s %-8s %10s  %s\n", "ID", "VENDOR", "STATE", "CUT OFF", "PEOPLE", "OPENED");
	json_array_foreach(json_object_get(answer, "incidents"), i, v)
		printf("%-4lld %-20s %-10s %-8s %10lld  %s\n", number(v, "id"), text(v, "vendor"), text(v, "state"),
		       json_is_true(json_object_get(v, "cut_off")) ? "yes" : "no", number(v, "people"), text(v, "at"));
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static int exit_of(const struct command *self, const struct err *err)
{
	cli_fail(self->name, err);
	return err->code == ERR_CONFLICT || err->code == ERR_DENIED ? EXIT_NO : err->code == ERR_INPUT || err->code == ERR_NOTFOUND ? EXIT_USE : EXIT_FAULT;
}

int incident_ask(const struct command *self, struct incident_args *a, const char *word, json_t **answer)
{
	struct err err;
	json_object_set_new(a->request, "do", json_string(word));
	return ask(a->dir, json_incref(a->request), answer, &err) == 0 ? 0 : exit_of(self, &err);
}

static int plain(const struct command *self, struct incident_args *a, const char *word, void (*print)(const json_t *))
{
	json_t *answer;
	int bad = incident_ask(self, a, word, &answer);
	if (bad)
		return bad;
	if (a->json)
		ask_print(answer);
	else
		print(answer);
	json_decref(answer);
	return EXIT_DONE;
}

/* The steward, who keeps incidents, hangs: the vendor is cut off all the same, by the keeper and as this person's ask. */
static int cut_off_alone(const struct incident_args *a, const struct err *why)
{
	struct err err;
	json_t *answer;
	const char *vendor = text(a->request, "vendor");
	const char *reason = text(a->request, "why");
	json_t *request = json_pack("{s:s, s:s, s:s}", "do", "quarantine", "vendor", vendor, "why",
				    *reason && strlen(reason) <= WHY_MAX ? reason : "an incident that could not be opened yet");
	if (ask(a->dir, request, &answer, &err) < 0) {
		err_prefix(&err, "%s; nor was the vendor cut off: ", why->msg);
		return cli_fail("incident open", &err);
	}
	json_decref(answer);
	fprintf(stderr, "weir: incident open: %s is quarantined, but no incident is open: %s; open it again, then `weir vendor release`\n", vendor,
		why->msg);
	return EXIT_FAULT;
}

static int do_open(const struct command *self, struct incident_args *a)
{
	if (a->operands_len > 1)
		return cli_wrong(self, "%s: open takes --vendor V", a->operands[1]);
	json_t *answer;
	struct err err;
	json_object_set_new(a->request, "do", json_string("incident-open"));
	if (ask(a->dir, json_incref(a->request), &answer, &err) < 0)
		return ask_was_silent(&err) ? cut_off_alone(a, &err) : exit_of(self, &err);
	if (a->json)
		ask_print(answer);
	else
		print_opened(answer);
	json_decref(answer);
	return EXIT_DONE;
}

static int do_list(const struct command *self, struct incident_args *a)
{
	return plain(self, a, "incident-list", print_list);
}

static int do_show(const struct command *self, struct incident_args *a)
{
	json_t *answer;
	int bad = incident_ask(self, a, "incident-show", &answer);
	if (bad)
		return bad;
	if (a->json)
		ask_print(answer);
	else
		print_shown(a, answer);
	json_decref(answer);
	return EXIT_DONE;
}

static int do_confirm(const struct command *self, struct incident_args *a)
{
	return plain(self, a, "incident-confirm", print_opened);
}

static void print_done(const json_t *a)
{
	printf("incident %lld: %s is %s%s\n", number(a, "id"), text(a, "vendor"), text(a, "state"),
	       json_is_true(json_object_get(a, "cut_off")) ? ", cut off" : "");
}

static int do_note(const struct command *self, struct incident_args *a)
{
	if (a->operands_len != 3)
		return cli_wrong(self, "note ID TEXT");
	json_object_set_new(a->request, "text", json_string(a->operands[2]));
	return plain(self, a, "incident-note", print_done);
}

static int do_anchor(const struct command *self, struct incident_args *a)
{
	if (a->operands_len != 3)
		return cli_wrong(self, "anchor ID ANCHOR --at TIME --why TEXT");
	json_object_set_new(a->request, "anchor", json_string(a->operands[2]));
	return plain(self, a, "incident-anchor", print_done);
}

static int do_aware(const struct command *self, struct incident_args *a)
{
	if (a->sets) {
		json_t *list = json_array();
		for (const char *p = a->sets; *p; p += strcspn(p, ","), p += *p == ',')
			json_array_append_new(list, json_stringn(p, strcspn(p, ",")));
		json_object_set_new(a->request, "sets", list);
	}
	return plain(self, a, "incident-aware", print_done);
}

static int do_message(const struct command *self, struct incident_args *a)
{
	struct err err;
	struct buf b;
	uint8_t sha[32];
	char hex[65];
	if (!a->file)
		return cli_wrong(self, "--file FILE: the message as it came (only its SHA-256 is kept; - is standard input)");
	buf_init(&b, 0);
	if (cli_read(a->file, 16 << 20, &b, &err) < 0) {
		cli_fail("incident message", &err);
		return EXIT_USE;
	}
	crypt_sha256(b.data, b.len, sha);
	buf_release(&b);
	hex_encode(sha, 32, hex);
	json_object_set_new(a->request, "sha256", json_string(hex));
	return plain(self, a, "incident-message", print_done);
}

static int do_scope(const struct command *self, struct incident_args *a)
{
	return plain(self, a, "incident-scope", print_opened);
}

static int do_file(const struct command *self, struct incident_args *a)
{
	if (a->operands_len != 3)
		return cli_wrong(self, "file ID DEADLINE --at TIME|--suspended-until TIME|--not-applicable REASON --why PROOF");
	json_object_set_new(a->request, "deadline", json_string(a->operands[2]));
	return plain(self, a, "incident-file", print_done);
}

static void print_scored(const json_t *a)
{
	print_severity("confirmed", json_object_get(a, "severity"));
}

static int do_severity(const struct command *self, struct incident_args *a)
{
	return plain(self, a, "incident-severity", print_scored);
}

static int do_close(const struct command *self, struct incident_args *a)
{
	return plain(self, a, "incident-close", print_done);
}

static int do_lift(const struct command *self, struct incident_args *a)
{
	return plain(self, a, "incident-lift", print_done);
}

static const struct {
	const char *word;
	int (*run)(const struct command *self, struct incident_args *a);
	bool id;
} words[] = {
	{"open", do_open, false},   {"list", do_list, false},	{"show", do_show, true},	 {"confirm", do_confirm, true}, {"note", do_note, true},
	{"anchor", do_anchor, true}, {"aware", do_aware, true}, {"message", do_message, true}, {"scope", do_scope, true},	{"file", do_file, true},
	{"severity", do_severity, true}, {"close", do_close, true}, {"lift", do_lift, true},
	{"draft", incident_draft, true}, {"release", incident_release, true}, {"letters", incident_letters, true}, {"notify", incident_notify, true},
};
enum { WORDS = sizeof words / sizeof *words };

static int unknown(const struct command *self, const char *word)
{
	const char *names[WORDS];
	for (size_t i = 0; i < WORDS; i++)
		names[i] = words[i].word;
	const char *near = diag_nearest(word, strlen(word), names, WORDS);
	return cli_wrong(self, "%s: no such word%s%s%s", word, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int take_id(const struct command *self, struct incident_args *a)
{
	char *end;
	errno = 0;
	long long id = a->operands_len > 1 ? strtoll(a->operands[1], &end, 10) : 0;
	if (a->operands_len < 2)
		return cli_wrong(self, "which incident? `weir incident list` shows their ids");
	if (!*a->operands[1] || *end || errno || id < 1)
		return cli_wrong(self, "an incident's id is a number");
	a->id = id;
	json_object_set_new(a->request, "id", json_integer(id));
	return 0;
}

static int dispatch(const struct command *self, struct incident_args *a)
{
	if (a->operands_len == 0)
		return cli_wrong(self, "open, list, show, ...?  `weir help incident`");
	for (size_t i = 0; i < WORDS; i++) {
		if (strcmp(words[i].word, a->operands[0]) != 0)
			continue;
		int bad = words[i].id ? take_id(self, a) : 0;
		return bad ? bad : words[i].run(self, a);
	}
	return unknown(self, a->operands[0]);
}

static int run(const struct command *self, int argc, char **argv)
{
	struct incident_args a = {0};
	int k = parse(self, argc, argv, &a);
	if (k)
		k = k == OPT_HELP ? cli_help(self) : EXIT_USE;
	else
		k = dispatch(self, &a);
	json_decref(a.request);
	return k;
}

const struct command cmd_incident = {
	"incident", "a vendor was breached: cut off, count, clocks, tell",
	"usage: weir incident open --vendor V [--since DAY] [--until DAY] --why TEXT\n"
	"       weir incident list\n"
	"       weir incident show ID [--all]\n"
	"       weir incident confirm ID --why TEXT\n"
	"       weir incident note ID TEXT\n"
	"       weir incident message ID --from WHO --file FILE [--received TIME] [--summary TEXT]\n"
	"       weir incident aware ID --at TIME --why TEXT [--sets ANCHOR,...]\n"
	"       weir incident anchor ID ANCHOR --at TIME --why TEXT\n"
	"       weir incident scope ID [--since DAY] [--until DAY] [--category C] --why TEXT\n"
	"       weir incident severity ID [--dpc N] [--ei N] [--confidentiality N] [--integrity N]\n"
	"                     [--availability N] [--malice N] --why TEXT\n"
	"       weir incident file ID DEADLINE --at TIME|--suspended-until TIME|--not-applicable REASON --why PROOF\n"
	"       weir incident close|lift ID --why TEXT\n"
	"       weir incident draft ID --kind people|authority --lang en|de [--what TEXT]\n"
	"       weir incident notify ID --list FILE [--send-again]\n"
	"       weir incident release ID CAMPAIGN\n"
	"       weir incident letters ID\n"
	"       (each with [--dir FOLDER] [--json])\n"
	"\n"
	"  open      quarantines the vendor, counts who was exposed and starts the clocks; returns once gate and courier obey\n"
	"  confirm   a report (a peer's, a canary's) is real: as open; or opens a closed incident again\n"
	"  message   logs what the vendor said: who, when, and the text's SHA-256; the text isn't kept\n"
	"  aware     says from when we were aware: a person's judgement, with its reason\n"
	"  scope     another count; says how many people are newly in it\n"
	"  severity  confirms the proposed ENISA score, or changes its parts (in quarters)\n"
	"  file      a deadline was met, is suspended, or doesn't apply\n"
	"  draft     the letter to people (GDPR 34) or the notification to the authority (33); exit 1 while a part is empty\n"
	"  notify    FILE is CSV with the columns id, email, lang.  Who of it is affected gets a letter with their own data and\n"
	"            dates.  The first call plans; another user releases exactly these texts for exactly this list; then it sends\n"
	"            and can be called again after any interruption.  What may have arrived is uncertain and isn't sent again\n"
	"            unless --send-again says so\n"
	"  letters   drafts, campaigns, how many letters are in which state, and which are uncertain\n"
	"  close     ends the work (a mere report is dismissed).  The cut-off stays until lift\n"
	"\n"
	"Exit status: 0 done; 1 not in this state, waiting for a second person, letters left; 2 wrong use, no such vendor or incident; 3 the cut-off is signed but not\n"
	"confirmed, or own fault.\n",
	run,
};
