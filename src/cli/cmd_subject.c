/* `weir subject`: which vendors have a person's data. */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/ask.h"
#include "cli/bundle.h"
#include "cli/question.h"
#include "cli/subject_decide.h"
#include "cli/vendor_id.h"

enum { ARG_PROOF = ARG_SUBJECT_OWN, ARG_KNOWN, ARG_VENDOR };
static const struct opt opts[] = {
	ARGS_COMMON, SUBJECT_DECIDE_OPTS, {"--proof", 0, true, ARG_PROOF}, {"--known", 0, true, ARG_KNOWN}, {"--vendor", 0, true, ARG_VENDOR},
};

static void names(const json_t *v, const char *list, const char *title)
{
	const json_t *names = json_object_get(v, list);
	size_t i;
	json_t *x;
	if (json_array_size(names))
		printf("    %-10s", title);
	json_array_foreach((json_t *)(uintptr_t)names, i, x) printf(" %s%s", json_string_value(x), i + 1 < json_array_size(names) ? "," : "\n");
}

static void print(const json_t *a)
{
	size_t i;
	json_t *v;
	printf("%s%s\n", ask_text(a, "subject"), json_is_true(json_object_get(a, "restricted")) ? "  restricted: to be erased" : "");
	json_array_foreach(json_object_get(a, "linked"), i, v) printf("%s  the same person\n", json_string_value(v));
	json_array_foreach(json_object_get(a, "vendors"), i, v) {
		printf("\n  %s: %s to %s, %lld days%s\n", ask_text(v, "vendor"), ask_text(v, "first"), ask_text(v, "last"),
		       (long long)json_integer_value(json_object_get(v, "days")),
		       json_is_true(json_object_get(v, "attested_deleted")) ? "; attested to have deleted it" : "");
		if (*ask_text(v, "vendor_id"))
			printf("    known there as %s\n", ask_text(v, "vendor_id"));
		names(v, "categories", "categories");
		names(v, "fields", "fields");
	}
	if (json_is_true(json_object_get(a, "erased")))
		printf("\n  erased on %s: of what was before nothing is known any more\n", ask_text(a, "erased_on"));
	else if (i == 0 && json_is_true(json_object_get(a, "known")))
		printf("\n  known here, and %s got nothing of this subject that was recorded\n", *ask_text(a, "vendor") ? ask_text(a, "vendor") : "no vendor");
	else if (i == 0)
		puts("\n  never seen: no vendor got anything of this subject");
}

static void name_at_vendors(json_t *answer, const char *dir, const char *id)
{
	size_t i;
	json_t *v;
	json_array_foreach(json_object_get(answer, "vendors"), i, v)
		json_object_set_new(v, "vendor_id", vendor_id(dir, ask_text(v, "vendor"), ask_text(answer, "kind"), id));
}

/* What can't be proved is said plainly. */
static int prove(const struct args *a, const json_t *answer, struct err *err)
{
	if (json_is_true(json_object_get(answer, "known")))
		return bundle_make(a->value[ARG_DIR], a->value[ARG_PROOF], a->value[ARG_KNOWN], answer, err);
	if (json_is_true(json_object_get(answer, "erased")))
		return err_set(err, ERR_DENIED, "the person was erased: which identifier it was, the ledger no longer knows");
	return err_set(err, ERR_DENIED, "the identifier was never seen: nobody can prove that nothing was sent of it; only what was recorded has proofs");
}

static int run(const struct command *self, int argc, char **argv)
{
	struct args a;
	struct err err;
	json_t *answer;
	int status;
	if (!args_read(self, argc, argv, opts, sizeof opts / sizeof *opts, 2, &a, &status))
		return status;
	bool decides = a.n && subject_decides(a.operand[0]) && (a.n == 2 || a.value[ARG_USERS]);
	if ((a.value[ARG_PROOF] || a.value[ARG_VENDOR]) && decides)
		return cli_wrong(self, "a decision has no use for that option");
	if (a.value[ARG_KNOWN] && !a.value[ARG_PROOF])
		return cli_wrong(self, "--known is for --proof");
	if (decides)
		return subject_decide(self, &a);
	for (int k = ARG_OWN; k < ARG_SUBJECT_OWN; k++)
		if (a.value[k])
			return cli_wrong(self, "only restrict, release and erase have a use for that option");
	if (a.n == 2)
		return cli_wrong(self, "%s: one identifier at a time", a.operand[1]);
	if (!a.n)
		return cli_wrong(self, "whose? [KIND:]ID");
	json_t *request = json_pack("{s:s, s:s, s:s*, s:o*}", "do", "subject", "id", a.operand[0], "vendor", a.value[ARG_VENDOR], "proof",
				    a.value[ARG_PROOF] ? json_true() : NULL);
	if (!request)
		return cli_wrong(self, "the identifier isn't UTF-8");
	if (ask(a.value[ARG_DIR], request, &answer, &err) < 0)
		return asked_fail(self->name, &err);
	bool found = json_is_true(json_object_get(answer, "found"));
	if (!found && a.value[ARG_VENDOR] && asked_is_known(a.value[ARG_DIR], &(struct asked){.vendor = a.value[ARG_VENDOR]}, &err) < 0) {
		json_decref(answer);
		return asked_fail(self->name, &err);
	}
	if (a.value[ARG_PROOF] && prove(&a, answer, &err) < 0) {
		json_decref(answer);
		return cli_fail("subject --proof", &err);
	}
	json_object_del(answer, "found");
	name_at_vendors(answer, a.value[ARG_DIR], a.operand[0]);
	if (a.value[ARG_JSON])
		ask_print(answer);
	else
		print(answer);
	json_decref(answer);
	return found ? EXIT_DONE : EXIT_NO;
}

const struct command cmd_subject = {
	"subject", "which vendors have a person's data",
	"usage: weir subject [KIND:]ID [--vendor VENDOR] [--proof FOLDER [--known FILE]]\n"
	"       weir subject restrict|release ([KIND:]ID | --users FILE [--id COLUMN]) --why TEXT\n"
	"       weir subject erase ([KIND:]ID | --users FILE [--id COLUMN]) --why TEXT [--force]\n"
	"       (each with [--dir FOLDER] [--json])\n"
	"\n"
	"ID is the identifier as your own systems send it.  KIND is user, device, email, phone, account or other; without\n"
	"it each is looked for, user first.  The answer names the subject by the ledger's own pseudonym.\n"
	"\n"
	"  --vendor  only that vendor\n"
	"  --proof   also makes FOLDER with the answer and what others need to check it (weir audit verify FOLDER): on which closed days\n"
	"            a vendor got something of the person, and that on all others it got nothing that was recorded.  Of an identifier that\n"
	"            was never seen nothing can be proved.  --known: also that the log goes on from the checkpoint in FILE\n"
	"\n"
	"  restrict  the person is to be erased; names the vendors to ask, and by which name they know them\n"
	"  release   isn't, after all\n"
	"  erase     takes the person out of the ledger's files, once every vendor has attested to have deleted what it got\n"
	"            (`weir ledger deleted`); --force: all the same.  It can't be taken back\n"
	"\n"
	"Exit status: 0 seen, done; 1 never seen, a vendor hasn't attested; 2 wrong use; 3 the ledger is damaged, own fault.\n",
	run,
};
