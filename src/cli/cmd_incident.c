/* `weir incident`: from the first message of a vendor to the last letter. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "cli/incident.h"
#include "crypt/crypt.h"
#include "keeper/decision.h"

enum {
	VENDOR = ARG_OWN, SINCE, UNTIL, CATEGORY, WHY, AT, RECEIVED, FROM, SUMMARY, SUSPENDED, NOT_APPLICABLE, DPC, EI, CONFIDENTIALITY,
	INTEGRITY, AVAILABILITY, MALICE, WHAT, ALL, SETS, LETTER, LIST, KIND, LANG, AGAIN,
};
static const struct opt opts[] = {
	ARGS_COMMON,
	{"--vendor", 0, true, VENDOR},	   {"--since", 0, true, SINCE},	       {"--until", 0, true, UNTIL},
	{"--category", 0, true, CATEGORY}, {"--why", 0, true, WHY},	       {"--at", 0, true, AT},
	{"--received", 0, true, RECEIVED}, {"--from", 0, true, FROM},	       {"--summary", 0, true, SUMMARY},
	{"--suspended-until", 0, true, SUSPENDED}, {"--not-applicable", 0, true, NOT_APPLICABLE},
	{"--dpc", 0, true, DPC},	   {"--ei", 0, true, EI},	       {"--confidentiality", 0, true, CONFIDENTIALITY},
	{"--integrity", 0, true, INTEGRITY}, {"--availability", 0, true, AVAILABILITY}, {"--malice", 0, true, MALICE},
	{"--what", 0, true, WHAT},	   {"--all", 0, false, ALL},	       {"--sets", 0, true, SETS},
	{"--file", 0, true, LETTER},	   {"--list", 0, true, LIST},	       {"--kind", 0, true, KIND},
	{"--lang", 0, true, LANG},	   {"--send-again", 0, false, AGAIN},
};
enum { OPTS = sizeof opts / sizeof *opts };

/* Options that become a member of the request. */
static const struct {
	int key;
	const char *member;
	bool number;
} members[] = {
	{VENDOR, "vendor", false},     {SINCE, "since", false},	  {UNTIL, "until", false},	 {CATEGORY, "category", false},
	{WHY, "why", false},	       {AT, "at", false},	  {RECEIVED, "received", false}, {FROM, "from", false},
	{SUMMARY, "summary", false},   {SUSPENDED, "suspended_until", false}, {NOT_APPLICABLE, "not_applicable", false}, {DPC, "dpc", true},
	{EI, "ei", true},	       {CONFIDENTIALITY, "confidentiality", true}, {INTEGRITY, "integrity", true},
	{AVAILABILITY, "availability", true}, {MALICE, "malice", true}, {WHAT, "what", false},
};

int incident_exit(const struct command *self, const struct err *err)
{
	cli_fail(self->name, err);
	return err->code == ERR_CONFLICT || err->code == ERR_DENIED ? EXIT_NO : err->code == ERR_INPUT || err->code == ERR_NOTFOUND ? EXIT_USE : EXIT_FAULT;
}

int incident_ask(const struct command *self, struct incident_args *a, const char *word, json_t **answer)
{
	struct err err;
	json_object_set_new(a->request, "do", json_string(word));
	return ask(a->dir, json_incref(a->request), answer, &err) == 0 ? 0 : incident_exit(self, &err);
}

/* ---- words of their own ------------------------------------------------------------------------------------------ */

/* The steward, who keeps incidents, hangs: the vendor is cut off all the same, by the keeper and as this person's ask. */
static int cut_off_alone(const struct incident_args *a, const struct err *why)
{
	struct err err;
	json_t *answer;
	const char *vendor = json_string_value(json_object_get(a->request, "vendor"));
	const char *reason = json_string_value(json_object_get(a->request, "why"));
	json_t *request = json_pack("{s:s, s:s, s:s}", "do", "quarantine", "vendor", vendor ? vendor : "", "why",
				    reason && *reason && strlen(reason) <= WHY_MAX ? reason : "an incident that could not be opened yet");
	if (ask(a->dir, request, &answer, &err) < 0) {
		err_prefix(&err, "%s; nor was the vendor cut off: ", why->msg);
		return cli_fail("incident open", &err);
	}
	json_decref(answer);
	fprintf(stderr, "weir: incident open: %s is quarantined, but no incident is open: %s; open it again, then `weir vendor release`\n", vendor ? vendor : "-",
		why->msg);
	return EXIT_FAULT;
}

static int do_open(const struct command *self, struct incident_args *a)
{
	json_t *answer;
	struct err err;
	json_object_set_new(a->request, "do", json_string("incident-open"));
	if (ask(a->dir, json_incref(a->request), &answer, &err) < 0)
		return ask_was_silent(&err) ? cut_off_alone(a, &err) : incident_exit(self, &err);
	if (a->json)
		ask_print(answer);
	else
		incident_print_opened(answer);
	json_decref(answer);
	return EXIT_DONE;
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
		incident_print_shown(answer, a->all);
	json_decref(answer);
	return EXIT_DONE;
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

static int do_aware(const struct command *self, struct incident_args *a)
{
	if (a->sets) {
		json_t *list = json_array();
		for (const char *p = a->sets; *p; p += strcspn(p, ","), p += *p == ',')
			json_array_append_new(list, json_stringn(p, strcspn(p, ",")));
		json_object_set_new(a->request, "sets", list);
	}
	return plain(self, a, "incident-aware", incident_print_done);
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
	return plain(self, a, "incident-message", incident_print_done);
}

/* ---- all words --------------------------------------------------------------------------------------------------- */

/* What a word asks and how its answer is shown, or the function that does both. */
static const struct act {
	const char *name, *ask;
	void (*print)(const json_t *answer);
	const char *operand;	/* the request's member for what stands behind the id */
	int (*run)(const struct command *self, struct incident_args *a);
} acts[] = {
	{.name = "open", .run = do_open},
	{"list", "incident-list", incident_print_list, NULL, NULL},
	{.name = "show", .run = do_show},
	{"confirm", "incident-confirm", incident_print_opened, NULL, NULL},
	{"note", "incident-note", incident_print_done, "text", NULL},
	{"anchor", "incident-anchor", incident_print_done, "anchor", NULL},
	{.name = "aware", .run = do_aware},
	{.name = "message", .run = do_message},
	{"scope", "incident-scope", incident_print_opened, NULL, NULL},
	{"severity", "incident-severity", incident_print_scored, NULL, NULL},
	{"file", "incident-file", incident_print_done, "deadline", NULL},
	{"close", "incident-close", incident_print_done, NULL, NULL},
	{"lift", "incident-lift", incident_print_done, NULL, NULL},
	{.name = "draft", .run = incident_draft},
	{.name = "notify", .run = incident_notify},
	{.name = "release", .run = incident_release},
	{.name = "letters", .run = incident_letters},
};

static int act(const struct command *self, const char *word, struct incident_args *a)
{
	const struct act *t = acts;
	while (strcmp(t->name, word) != 0)	/* every word is there */
		t++;
	if (t->operand)
		json_object_set_new(a->request, t->operand, json_string(a->operand));
	return t->run ? t->run(self, a) : plain(self, a, t->ask, t->print);
}

/* False: the error was printed. */
static bool read_number(const struct command *self, const char *name, const char *s, long long *out)
{
	char *end;
	errno = 0;
	*out = strtoll(s, &end, 10);
	if (*s && !*end && !errno)
		return true;
	cli_wrong(self, "%s is a whole number", name);
	return false;
}

static bool add_members(const struct command *self, const struct args *a, json_t *request)
{
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		const char *s = a->value[members[i].key], *name = opts[members[i].key].name;
		long long n = 0;
		if (!s)
			continue;
		if (members[i].number && !read_number(self, name, s, &n))
			return false;
		json_t *v = members[i].number ? json_integer(n) : json_string(s);
		if (!v)
			return cli_wrong(self, "%s isn't UTF-8", name), false;
		json_object_set_new(request, members[i].member, v);
	}
	return true;
}

static bool add_id(const struct command *self, const struct args *a, struct incident_args *out)
{
	if (!a->operand[0])
		return true;
	if (!read_number(self, "an incident's id", a->operand[0], &out->id))
		return false;
	if (out->id < 1)
		return cli_wrong(self, "%s: no such incident; `weir incident list` shows their ids", a->operand[0]), false;
	json_object_set_new(out->request, "id", json_integer(out->id));
	return true;
}

static int run_word(const struct command *self, const struct args *a)
{
	struct incident_args in = {
		.dir = a->value[ARG_DIR], .sets = a->value[SETS], .file = a->value[LETTER], .list = a->value[LIST], .kind = a->value[KIND],
		.lang = a->value[LANG], .json = a->value[ARG_JSON], .all = a->value[ALL], .again = a->value[AGAIN], .request = json_object(),
		.operand = a->operand[0] ? a->operand[1] : NULL,
	};
	int rc = add_id(self, a, &in) && add_members(self, a, in.request) ? act(self, a->word, &in) : EXIT_USE;
	json_decref(in.request);
	return rc;
}

#define O(key) (1u << (key))
static const struct word words[] = {
	{"open", 0, 0, "--vendor V", O(VENDOR) | O(SINCE) | O(UNTIL) | O(WHY), run_word},
	{"list", 0, 0, "", 0, run_word},
	{"show", 1, 1, "ID", O(ALL), run_word},
	{"confirm", 1, 1, "ID --why TEXT", O(WHY) | O(SINCE) | O(UNTIL), run_word},
	{"note", 2, 2, "ID TEXT", 0, run_word},
	{"message", 1, 1, "ID --from WHO --file FILE", O(FROM) | O(LETTER) | O(RECEIVED) | O(SUMMARY), run_word},
	{"aware", 1, 1, "ID --at TIME --why TEXT", O(AT) | O(WHY) | O(SETS), run_word},
	{"anchor", 2, 2, "ID ANCHOR --at TIME --why TEXT", O(AT) | O(WHY), run_word},
	{"scope", 1, 1, "ID --why TEXT", O(SINCE) | O(UNTIL) | O(CATEGORY) | O(WHY), run_word},
	{"severity", 1, 1, "ID --why TEXT", O(DPC) | O(EI) | O(CONFIDENTIALITY) | O(INTEGRITY) | O(AVAILABILITY) | O(MALICE) | O(WHY), run_word},
	{"file", 2, 2, "ID DEADLINE --why PROOF", O(AT) | O(SUSPENDED) | O(NOT_APPLICABLE) | O(WHY), run_word},
	{"close", 1, 1, "ID --why TEXT", O(WHY), run_word},
	{"lift", 1, 1, "ID --why TEXT", O(WHY), run_word},
	{"draft", 1, 1, "ID --kind people|authority --lang en|de", O(KIND) | O(LANG) | O(WHAT), run_word},
	{"notify", 1, 1, "ID --list FILE", O(LIST) | O(AGAIN), run_word},
	{"release", 2, 2, "ID CAMPAIGN", 0, run_word},
	{"letters", 1, 1, "ID", 0, run_word},
};

static int run(const struct command *self, int argc, char **argv)
{
	return args_words(self, argc, argv, opts, OPTS, words, sizeof words / sizeof *words);
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
