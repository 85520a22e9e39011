#include "cli/subject_decide.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/ask.h"
#include "cli/idlist.h"
#include "cli/question.h"
#include "cli/vendor_id.h"
#include "crypt/crypt.h"

static const struct {
	const char *word, *request, *done;
} words[] = {
	{"restrict", "subject-restrict", "restricted"},
	{"release", "subject-release", "released"},
	{"erase", "subject-erase", "erased"},
};
enum { WORDS = sizeof words / sizeof *words, ERASE = WORDS - 1 };

bool subject_decides(const char *word)
{
	for (size_t i = 0; i < WORDS; i++)
		if (strcmp(words[i].word, word) == 0)
			return true;
	return false;
}

/* One decision: it may be sent again. */
static int send(const struct args *a, const char *request, const char *name, json_t *whose, json_t **answer, struct err *err)
{
	uint8_t id[16];
	char hex[33];
	crypt_random(id, sizeof id);
	hex_encode(id, sizeof id, hex);
	json_t *q = json_pack("{s:s, s:s, s:s, s:b, s:o}", "do", request, "record", hex, "why", a->value[ARG_WHY], "force",
			      a->value[ARG_FORCE] != NULL, name, whose);
	return q ? ask(a->value[ARG_DIR], q, answer, err) : err_set(err, ERR_INPUT, "an argument isn't UTF-8");
}

static void add_numbers(json_t *sum, const json_t *part)
{
	static const char *const members[] = {"people", "identifiers", "unknown", "unattested"};
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (json_object_get(part, members[i]))
			json_object_set_new(sum, members[i], json_integer(ask_number(sum, members[i]) + ask_number(part, members[i])));
}

static void add_answer(json_t *sum, const json_t *answer)
{
	json_t *all = json_object_get(sum, "vendors"), *v, *have;
	size_t i, k;
	add_numbers(sum, answer);
	if (json_is_true(json_object_get(answer, "forced")))
		json_object_set_new(sum, "forced", json_true());
	json_array_foreach(json_object_get(answer, "vendors"), i, v) {
		json_array_foreach(all, k, have)
			if (strcmp(ask_text(have, "vendor"), ask_text(v, "vendor")) == 0)
				break;
		if (k == json_array_size(all))
			json_array_append_new(all, json_pack("{s:s}", "vendor", ask_text(v, "vendor")));
		add_numbers(json_array_get(all, k), v);
	}
}

/* A portion of which nobody is known changes nothing. */
static int send_list(const struct args *a, const char *request, json_t *sum, struct err *err)
{
	struct idlist l;
	json_t *ids, *answer;
	if (idlist_read(a->value[ARG_USERS], a->value[ARG_ID], &l, err) < 0)
		return -1;
	int r = l.n ? 0 : err_set(err, ERR_INPUT, "%s names nobody", a->value[ARG_USERS]);
	for (size_t at = 0, before = 0; r == 0 && (ids = idlist_portion(&l, &at)); before = at) {
		size_t n = json_array_size(ids);
		r = send(a, request, "ids", ids, &answer, err);
		if (r == 0) {
			add_answer(sum, answer);
			json_decref(answer);
		} else if (err->code == ERR_NOTFOUND) {
			json_object_set_new(sum, "unknown", json_integer(ask_number(sum, "unknown") + (json_int_t)n));
			r = 0;
		} else if (before) {
			err_prefix(err, "the first %zu of %zu are done: ", before, l.n);
		}
	}
	idlist_release(&l);
	return r;
}

static void print(const json_t *a, const char *done)
{
	size_t i;
	json_t *v;
	printf("%s: %lld people, with all their %lld identifiers\n", done, ask_number(a, "people"), ask_number(a, "identifiers"));
	if (ask_number(a, "unknown"))
		printf("  %lld identifiers that the ledger doesn't know\n", ask_number(a, "unknown"));
	json_array_foreach(json_object_get(a, "vendors"), i, v) {
		printf("  %s got something of %lld of them", ask_text(v, "vendor"), ask_number(v, "people"));
		if (ask_number(v, "unattested"))
			printf(", and hasn't attested to have deleted it of %lld", ask_number(v, "unattested"));
		putchar('\n');
	}
}

/* What a letter to the vendor needs: by which name it knows them.  Nothing where it can't be found out. */
static void print_names(const struct args *a)
{
	struct err err;
	json_t *answer, *v;
	size_t i;
	if (ask(a->value[ARG_DIR], json_pack("{s:s, s:s}", "do", "subject", "id", a->operand[1]), &answer, &err) < 0)
		return;
	puts("ask to delete:");
	json_array_foreach(json_object_get(answer, "vendors"), i, v) {
		json_t *name = vendor_id(a->value[ARG_DIR], ask_text(v, "vendor"), ask_text(answer, "kind"), a->operand[1]);
		if (!json_is_true(json_object_get(v, "attested_deleted")))
			printf("  %s: %s\n", ask_text(v, "vendor"), json_is_string(name) ? json_string_value(name) : "(by which name isn't known)");
		json_decref(name);
	}
	json_decref(answer);
}

int subject_decide(const struct command *self, const struct args *a)
{
	struct err err;
	json_t *sum = json_pack("{s:i, s:i, s:i, s:b, s:[]}", "people", 0, "identifiers", 0, "unknown", 0, "forced", 0, "vendors"), *answer;
	size_t which = 0;
	while (strcmp(words[which].word, a->operand[0]) != 0)
		which++;
	if (!a->value[ARG_WHY] || !a->operand[1] == !a->value[ARG_USERS] || (a->value[ARG_ID] && !a->value[ARG_USERS]) ||
	    (a->value[ARG_FORCE] && which != ERASE)) {
		json_decref(sum);
		return cli_wrong(self, "%s takes [KIND:]ID or --users FILE, and --why TEXT", words[which].word);
	}
	int r = crypt_init(&err);
	if (r == 0 && a->value[ARG_USERS]) {
		r = send_list(a, words[which].request, sum, &err);
	} else if (r == 0 && (r = send(a, words[which].request, "id", json_string(a->operand[1]), &answer, &err)) == 0) {
		add_answer(sum, answer);
		json_decref(answer);
	}
	if (r == 0 && a->value[ARG_JSON])
		ask_print(sum);
	else if (r == 0)
		print(sum, words[which].done);
	if (r == 0 && which == 0 && a->operand[1] && !a->value[ARG_JSON])
		print_names(a);
	bool nobody = ask_number(sum, "people") == 0;
	json_decref(sum);
	if (r < 0) {
		int rc = asked_fail("subject", &err);
		return err.code == ERR_NOTFOUND && !a->value[ARG_USERS] ? EXIT_NO : rc;
	}
	return nobody ? EXIT_NO : EXIT_DONE;
}
