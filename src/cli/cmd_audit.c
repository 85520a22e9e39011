/* `weir audit`: the regular look at a vendor, and its report. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "cli/ask.h"
#include "cli/audit_log.h"
#include "cli/audit_witness.h"

enum { PDF_SECONDS = 60 };

static const char *text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));
	return s ? s : "";
}

static void day_of(const json_t *v, char out[static 11])
{
	strcpy(out, "-");
	if (json_is_integer(v))
		clock_format_day(json_integer_value(v), out);
}

/* ---- printing ------------------------------------------------------------------------------------------------------ */

static void print_plan(const json_t *answer)
{
	const json_t *list = json_object_get(answer, "vendors");
	printf("%-20s %-7s %-11s %-11s %s\n", "VENDOR", "TIER", "LAST", "DUE", "");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);
		char last[11], due[11];
		day_of(json_object_get(v, "last"), last);
		day_of(json_object_get(v, "due"), due);
		printf("%-20s %-7s %-11s %-11s %s\n", text(v, "vendor"), text(v, "tier"), last, due,
		       json_is_true(json_object_get(v, "overdue")) ? "overdue" : "");
	}
}

static void print_report(const json_t *r)
{
	const json_t *observed = json_object_get(r, "observed"), *list = json_object_get(r, "findings");
	char at[11], next[11];
	day_of(json_object_get(r, "at"), at);
	day_of(json_object_get(r, "next"), next);
	printf("%s, audited on %s by %s; tier %s, next by %s\n", text(r, "vendor"), at, text(r, "by"), text(r, "tier"), next);
	printf("  flow %s; %lld people, %lld events in the ledger\n", text(r, "flow"), (long long)json_integer_value(json_object_get(observed, "people")),
	       (long long)json_integer_value(json_object_get(observed, "events")));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *f = json_array_get(list, i);
		printf("  %-7s %s\n", text(f, "severity"), text(f, "text"));
	}
}

/* ---- files --------------------------------------------------------------------------------------------------------- */

static int write_html(const char *path, const json_t *report, struct err *err)
{
	struct buf b;
	buf_init(&b, 0);
	audit_html(report, &b);
	FILE *f = fopen(path, "wbe");
	bool ok = f && fwrite(b.data, 1, b.len, f) == b.len;
	if (f)
		ok &= fclose(f) == 0;
	buf_release(&b);
	return ok ? 0 : err_sys(err, "%s", path);
}

static const char *find_browser(void)
{
	static const char *const places[] = {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* No network, no profile of the user; silent. */
static void browse(const char *browser, const char *profile, const char *html, const char *pdf)
{
	char *to = xasprintf("--print-to-pdf=%s", pdf), *data = xasprintf("--user-data-dir=%s", profile), *url = xasprintf("file://%s", html);
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	alarm(PDF_SECONDS);	/* stays over exec */
	if (getuid() == 0)	/* Chromium refuses its own sandbox to root; the page is ours and has no script */
		execl(browser, browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", "--host-resolver-rules=MAP * ~NOTFOUND", data, to,
		      url, (char *)NULL);
	else
		execl(browser, browser, "--headless", "--disable-gpu", "--no-pdf-header-footer", "--host-resolver-rules=MAP * ~NOTFOUND", data, to, url,
		      (char *)NULL);
	_exit(127);
}

static void remove_tree(const char *dir)
{
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", "--", dir, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static int print_pdf(const char *browser, const char *dir, const char *pdf, const json_t *report, struct err *err)
{
	char *html = xasprintf("%s/report.html", dir), *profile = xasprintf("%s/profile", dir), *out = xasprintf("%s/report.pdf", dir);
	int status = 0, r = write_html(html, report, err);
	pid_t pid = r == 0 ? fork() : -1;
	if (pid == 0)
		browse(browser, profile, html, out);
	if (r == 0 && (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0))
		r = err_set(err, ERR_IO, "%s made no PDF; --html FILE writes the page", browser);
	struct buf b;
	buf_init(&b, 0);
	if (r == 0)
		r = cli_read(out, 64 << 20, &b, err);
	if (r == 0 && (b.len < 5 || memcmp(b.data, "%PDF-", 5) != 0))
		r = err_set(err, ERR_IO, "%s made no PDF; --html FILE writes the page", browser);
	FILE *f = r == 0 ? fopen(pdf, "wbe") : NULL;
	if (r == 0 && (!f || fwrite(b.data, 1, b.len, f) != b.len))
		r = err_sys(err, "%s", pdf);
	if (f && fclose(f) != 0 && r == 0)
		r = err_sys(err, "%s", pdf);
	buf_release(&b);
	free(html);
	free(profile);
	free(out);
	return r;
}

static int write_pdf(const char *pdf, const json_t *report, struct err *err)
{
	const char *browser = find_browser();
	char dir[] = "/tmp/weir-audit-XXXXXX";
	if (!browser)
		return err_set(err, ERR_IO, "a PDF is printed by Chromium, and there is none; --html FILE writes the page");
	if (!mkdtemp(dir))
		return err_sys(err, "%s", dir);
	int r = print_pdf(browser, dir, pdf, report, err);
	remove_tree(dir);
	return r;
}

/* ---- words --------------------------------------------------------------------------------------------------------- */

/* Asked before the audit is made: one that is kept but can't be written down would have to be made again. */
static int can_write(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	if (access(path, F_OK) == 0)
		return access(path, W_OK) == 0 ? 0 : err_sys(err, "%s", path);
	char *folder = !slash ? xstrdup(".") : slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
	int r = access(folder, W_OK | X_OK) == 0 ? 0 : err_sys(err, "%s", path);
	free(folder);
	return r;
}

static int show(const struct args *a, const char *what, json_t *request, void (*print)(const json_t *answer))
{
	struct err err;
	json_t *answer;
	if ((a->value[AUDIT_HTML] && can_write(a->value[AUDIT_HTML], &err) < 0) ||
	    (a->value[AUDIT_PDF] && can_write(a->value[AUDIT_PDF], &err) < 0)) {
		json_decref(request);
		return cli_fail(what, &err);
	}
	if (ask(a->value[ARG_DIR], request, &answer, &err) < 0)
		return cli_fail(what, &err);
	int r = 0;
	if (a->value[AUDIT_HTML])
		r = write_html(a->value[AUDIT_HTML], answer, &err);
	if (r == 0 && a->value[AUDIT_PDF])
		r = write_pdf(a->value[AUDIT_PDF], answer, &err);
	if (r == 0 && a->value[ARG_JSON])
		ask_print(answer);
	else if (r == 0)
		print(answer);
	json_decref(answer);
	return r < 0 ? cli_fail(what, &err) : EXIT_DONE;
}

static int plan(const struct command *self, const struct args *a)
{
	(void)self;
	return show(a, "audit plan", json_pack("{s:s}", "do", "audit-plan"), print_plan);
}

static int run_one(const struct command *self, const struct args *a)
{
	const char *why = a->value[AUDIT_WHY];
	(void)self;
	return show(a, "audit run", json_pack("{s:s, s:s, s:s}", "do", "audit-run", "vendor", a->operand[0], "why", why ? why : ""), print_report);
}

static int report(const struct command *self, const struct args *a)
{
	(void)self;
	return show(a, "audit report", json_pack("{s:s, s:s}", "do", "audit-report", "vendor", a->operand[0]), print_report);
}

static const struct opt opts[] = {
	ARGS_COMMON, {"--why", 0, true, AUDIT_WHY}, {"--html", 0, true, AUDIT_HTML}, {"--pdf", 0, true, AUDIT_PDF},
	{"--vkey", 0, false, AUDIT_VKEY}, {"--key", 0, true, AUDIT_KEY}, {"--log", 0, true, AUDIT_LOG},
	{"--remember", 0, true, AUDIT_REMEMBER}, {"--proof", 0, true, AUDIT_PROOF}, {"--entry", 0, true, AUDIT_ENTRY},
	{"--event", 0, true, AUDIT_EVENT}, {"--witness", 0, true, AUDIT_WITNESS}, {"--ca", 0, true, AUDIT_CA},
};

#define K(key) (1u << (key))
static const struct word words[] = {
	{"plan", 0, 0, "no vendor", 0, plan},
	{"run", 1, 1, "VENDOR", K(AUDIT_WHY) | K(AUDIT_HTML) | K(AUDIT_PDF), run_one},
	{"report", 1, 1, "VENDOR", K(AUDIT_HTML) | K(AUDIT_PDF), report},
	{"checkpoint", 0, 0, "nothing", K(AUDIT_VKEY), audit_checkpoint},
	{"prove", 0, 1, "ENTRY", K(AUDIT_EVENT) | K(AUDIT_ENTRY) | K(AUDIT_WITNESS), audit_prove},
	{"verify", 0, 1, "a BUNDLE",
	 K(AUDIT_KEY) | K(AUDIT_LOG) | K(AUDIT_REMEMBER) | K(AUDIT_PROOF) | K(AUDIT_ENTRY) | K(AUDIT_WITNESS) | K(AUDIT_CA), audit_verify},
	{"witness", 1, 1, "URL", K(AUDIT_WITNESS), audit_witness},
	{"timestamp", 1, 1, "URL", K(AUDIT_CA), audit_timestamp},
};

static int run(const struct command *self, int argc, char **argv)
{
	return args_words(self, argc, argv, opts, sizeof opts / sizeof *opts, words, sizeof words / sizeof *words);
}

const struct command cmd_audit = {
	"audit", "look at a vendor regularly; prove that records stayed as they were",
	"usage: weir audit plan\n"
	"       weir audit run VENDOR [--why TEXT] [--html FILE] [--pdf FILE]\n"
	"       weir audit report VENDOR [--html FILE] [--pdf FILE]\n"
	"       weir audit checkpoint [--vkey]\n"
	"       weir audit prove (ENTRY | --event NUMBER) [--entry FILE] [--witness KEY]\n"
	"       weir audit verify [--log FOLDER --key KEY] [--remember FILE] [--witness KEY]... [--ca FILE]\n"
	"       weir audit verify --proof FILE --entry FILE --key KEY [--witness KEY]\n"
	"       weir audit verify BUNDLE --key KEY [--remember FILE] [--witness KEY]... [--ca FILE]\n"
	"       weir audit witness URL --witness KEY\n"
	"       weir audit timestamp URL --ca FILE\n"
	"       (each with [--dir FOLDER] [--json])\n"
	"\n"
	"  plan    every approved vendor: its tier, the last audit, when the next is due\n"
	"  run     declared against observed, clauses, evidence due; the result is kept, and its digest is an event\n"
	"  report  the newest result again\n"
	"  checkpoint  the signed state of the transparency log; --vkey: the key that others check it with\n"
	"  prove   a file that proves an entry (an event of `vendor show` by its number) to whoever has that key; --entry\n"
	"          writes the entry itself\n"
	"  verify  reads the log and everything it says against what Weir recorded; names each damaged file and bytes.\n"
	"          --log: a copy of a log's folder.  --remember: also against the state that FILE holds from the last time\n"
	"          (a log that was rolled back or forked is refused), and FILE then holds this one.  --witness, --ca: what\n"
	"          these have signed must be there, and the log still hold it.  BUNDLE: what `weir blast --proof` or `weir\n"
	"          subject --proof` wrote; needs nothing else, and says what it proves\n"
	"  witness, timestamp  have a witness (c2sp.org/tlog-witness) or an RFC 3161 authority sign the newest checkpoint, and\n"
	"          keep it; run them regularly\n"
	"\n"
	"A tier comes from what may leave: high is audited every 180 days, medium every 365, low every 730, counted from the\n"
	"last audit.  A report holds places, categories and counts, no personal data.  A PDF is printed by Chromium.\n"
	"\n"
	"Exit status: 0 done; 1 verify: damage, a log that was rolled back or forked, a proof that proves nothing; 2 wrong use,\n"
	"no such vendor, never audited; 3 no PDF, or own fault.\n",
	run,
};
