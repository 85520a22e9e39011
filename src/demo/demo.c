/* The story, act by act.  Each act runs this program's own commands and measures what comes of them. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "crypt/crypt.h"
#include "demo/act.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int n)
{
	(void)n;
	interrupted = 1;
}

bool demo_interrupted(void)
{
	return interrupted;
}

/* ---- telling ---------------------------------------------------------------------------------------------------- */

void say_line(const struct demo *d, enum tone tone, const char *fmt, ...)
{
	static const char *const tones[] = {"", "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[36m"};
	va_list ap;
	if (d->o->json)
		return;
	if (d->o->colour)
		fputs(tones[tone], stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fputs(d->o->colour && tone != PLAIN ? "\033[0m\n" : "\n", stdout);
	fflush(stdout);
}

void say_act(const struct demo *d, const char *title)
{
	say_line(d, PLAIN, "%s", "");
	say_line(d, BOLD, "── %s ──────────────────────────────────────────────", title);
	rest_ms(d, 700);
}

void rest_ms(const struct demo *d, int64_t ms)
{
	int64_t until = clock_mono_ms() + (d->o->headless ? 0 : ms);
	while (!interrupted && clock_mono_ms() < until)
		usleep(20000);
}

void wait_ms(int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;
	while (!interrupted && clock_mono_ms() < until)
		usleep(5000);
}

const char *figure(int64_t n, char out[static FIGURE_MAX])
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRId64, n), at = 0;
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = 0;
	return out;
}

/* Shows the command and runs it. */
int do_weir(struct demo *d, const char *const *args, const char *input, bool shown, struct run *r, struct err *err)
{
	if (shown && !d->o->json) {
		struct buf b;
		buf_init(&b, 0);
		for (size_t i = 0; args[i]; i++)
			if (strcmp(args[i], "--json") != 0)
				buf_addf(&b, strchr(args[i], ' ') ? " \"%s\"" : " %s", args[i]);
		say_line(d, CYAN, "$ weir%.*s", (int)b.len, (const char *)b.data);
		buf_release(&b);
		rest_ms(d, 400);
	}
	if (run_weir(d->dir, args, input, r, err) < 0)
		return -1;
	if (r->status == 0)
		return 0;
	char *line = r->err && *r->err ? r->err : r->out;
	err_set(err, ERR_BUG, "weir %s exits with %d: %.*s", args[0], r->status, (int)strcspn(line, "\n"), line);
	run_release(r);
	return -1;
}

int do_quietly(struct demo *d, const char *const *args, const char *input, struct err *err)
{
	struct run r;
	if (do_weir(d, args, input, false, &r, err) < 0)
		return -1;
	run_release(&r);
	return 0;
}

/* ---- the stage -------------------------------------------------------------------------------------------------- */

int write_text(const char *path, const char *text, size_t n, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "%s", path);
	int r = write(fd, text, n) == (ssize_t)n ? 0 : err_sys(err, "%s", path);
	close(fd);
	return r;
}

static int write_contract(struct demo *d, struct err *err)
{
	static const char mark[] = "UPSTREAM";
	const char *text = d->o->contract.at, *at = strstr(text, mark);
	must(at);
	char *whole = xasprintf("%.*s%s%s", (int)(at - text), text, d->vendor.url, at + sizeof mark - 1);
	char *path = xasprintf("%s/contracts/analytics.yaml", d->dir), *old = xasprintf("%s/contracts/mixpanel.yaml", d->dir);
	int r = write_text(path, whole, strlen(whole), err);
	unlink(old);
	free(old);
	free(path);
	free(whole);
	return r;
}

static int add_user(struct demo *d, struct err *err)
{
	uint8_t random[8];
	crypt_random(random, sizeof random);
	base32_encode(random, sizeof random, d->password);
	char *input = xasprintf("%s\n", d->password);
	int r = do_quietly(d, (const char *const[]){"user", "add", "demo", NULL}, input, err);
	free(input);
	return r;
}

static char *read_file(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
	if (fd >= 0)
		close(fd);
	return n > 0 ? xstrndup(text, (size_t)n) : NULL;
}

static bool is_ready(struct demo *d)
{
	char *path = xasprintf("%s/run/ready.json", d->dir), *text = read_file(path);
	json_t *j = text ? json_loads(text, 0, NULL) : NULL;
	const char *gate = json_string_value(json_object_get(j, "gate")), *api = json_string_value(json_object_get(j, "api"));
	if (gate && api) {
		d->gate = xstrndup(gate, strlen(gate));
		d->api = xstrndup(api, strcspn(api + 7, "/") + 7);
	}
	json_decref(j);
	free(text);
	free(path);
	return d->api != NULL;
}

static int serve(struct demo *d, struct err *err)
{
	enum { READY_MS = 15000 };
	char *log = xasprintf("%s/run/serve.log", d->dir);
	const char *args[] = {"serve", "--gate", "127.0.0.1:0", "--api", d->o->api, NULL};
	int r = run_start(d->dir, args, log, &d->serve, err);
	for (int64_t until = clock_mono_ms() + READY_MS; r == 0 && !is_ready(d);) {
		if (waitpid(d->serve, NULL, WNOHANG) != 0) {
			d->serve = 0;
			r = err_set(err, ERR_IO, "weir serve ended at once; %s says why", log);
		} else if (clock_mono_ms() > until || interrupted) {
			r = err_set(err, ERR_IO, "weir serve wasn't ready in time");
		} else {
			usleep(20000);
		}
	}
	free(log);
	return r;
}

static int folder(struct demo *d, struct err *err)
{
	const char *tmp = getenv("TMPDIR");
	char *made = xasprintf("%s/weir-demo-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!d->o->keep && !mkdtemp(made)) {
		free(made);
		return err_sys(err, "temporary folder");
	}
	d->top = d->o->keep ? xstrdup(d->o->keep) : xstrdup(made);
	free(made);
	if (d->o->keep && mkdir(d->top, 0700) < 0)
		return err_sys(err, "%s", d->top);
	d->dir = xasprintf("%s/weir", d->top);
	struct run r;
	const char *args[] = {"init", d->dir, NULL};
	if (run_weir(NULL, args, NULL, &r, err) < 0)
		return -1;
	int status = r.status;
	run_release(&r);
	return status == 0 ? 0 : err_set(err, ERR_IO, "weir init exits with %d", status);
}

static int set_up(struct demo *d, struct err *err)
{
	struct run r = {0};
	say_line(d, DIM, "Setting up: a folder, keys, a stand-in vendor, six processes …");
	if (folder(d, err) < 0 || vendor_start(&d->vendor, err) < 0 || write_contract(d, err) < 0)
		return -1;
	if (do_quietly(d, (const char *const[]){"apply", "--yes", NULL}, NULL, err) < 0)
		return -1;
	if (do_weir(d, (const char *const[]){"approve", "analytics@1", "--why", "reviewed: no name, no address, no place", NULL}, NULL, true, &r, err) < 0)
		return -1;
	run_release(&r);
	if (add_user(d, err) < 0 || mail_set_up(d, err) < 0 || serve(d, err) < 0)
		return -1;
	d->host = xstrndup(d->gate + 7, strcspn(d->gate + 7, ":"));
	d->port = xstrndup(d->gate + 7 + strlen(d->host) + 1, strcspn(d->gate + 7 + strlen(d->host) + 1, "/"));
	say_line(d, PLAIN, "Watch it at %s   (name: demo, password: %s)", d->api, d->password);
	rest_ms(d, 2000);
	return 0;
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

static void end_process(pid_t *pid, int sig, int64_t ms)
{
	if (*pid <= 0)
		return;
	kill(*pid, sig);
	for (int64_t until = clock_mono_ms() + ms; waitpid(*pid, NULL, WNOHANG) == 0; usleep(10000))
		if (clock_mono_ms() > until) {
			kill(*pid, SIGKILL);
			waitpid(*pid, NULL, 0);
			break;
		}
	*pid = 0;
}

static void clean_up(struct demo *d)
{
	sender_stop(&d->sender);
	end_process(&d->serve, SIGTERM, 15000);
	end_process(&d->vendor.pid, SIGKILL, 1000);
	mail_stop(d);
	if (d->top && !d->o->keep && strstr(d->top, "/weir-demo-")) {
		const char *args[] = {"rm", "-rf", "--", d->top, NULL};
		pid_t pid = fork();
		if (pid == 0) {
			execv("/bin/rm", (char *const *)(uintptr_t)args);
			_exit(127);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
	char **owned[] = {&d->top, &d->dir, &d->gate, &d->api, &d->host, &d->port};
	for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
		free(*owned[i]);
	json_decref(d->figures);
}

/* What must hold for the story to be true; the first that doesn't is named. */
static bool holds(struct demo *d)
{
	const struct {
		bool ok;
		const char *what;
	} rows[] = {
		{atomic_load(&d->sender.done) == d->o->people, "not everybody's events were taken"},
		{d->arrived == d->expected, "the vendor didn't get exactly the objects that were kept"},
		{atomic_load(&d->vendor.seen->n[SEEN_EMAIL]) == 0, "an e-mail address reached the vendor"},
		{atomic_load(&d->vendor.seen->n[SEEN_NAME]) == 0, "a name reached the vendor"},
		{d->bytes_after == 0, "bytes reached the vendor behind the cut-off"},
		{d->refused_after > 0, "nothing was refused behind the cut-off"},
		{d->counted < 0 || d->counted == (int64_t)d->o->people, "the ledger counts other people than were sent"},
		{d->letters < 0 || d->letters == d->affected, "not everybody affected got a letter"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!rows[i].ok) {
			fprintf(stderr, "weir: demo: %s\n", rows[i].what);
			return false;
		}
	return true;
}

static void finish(struct demo *d, double seconds)
{
	json_object_set_new(d->figures, "seconds", json_real((double)(int64_t)(seconds * 10 + 0.5) / 10));
	if (d->o->json) {
		char *line = json_dumps(d->figures, JSON_COMPACT | JSON_REAL_PRECISION(6));
		puts(line);
		free(line);
		return;
	}
	say_line(d, PLAIN, "%s", "");
	say_line(d, DIM, "%.0f seconds; every figure above was measured in this run.", seconds);
	if (d->o->headless)
		return;
	say_line(d, BOLD, "The page stays at %s (demo / %s). Ctrl-C ends it%s.", d->api, d->password,
		 d->o->keep ? "" : " and removes the folder");
	say_line(d, DIM, "Look around:  weir blast --vendor analytics --dir %s", d->dir);
	while (!interrupted)
		usleep(100000);
}

static int play(struct demo *d, struct err *err)
{
	static int (*const acts[])(struct demo *d, struct err *err) = {set_up, act_traffic, act_breach, act_count, act_papers, act_letters};
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
		if (interrupted)
			return err_set(err, ERR_AGAIN, "interrupted");
		if (acts[i](d, err) < 0)
			return -1;
	}
	return 0;
}

int demo_run(const struct demo_options *o, struct err *err)
{
	static struct demo d;
	int64_t began = clock_mono_ms();
	struct sigaction act = {.sa_handler = on_signal};
	d.o = o;
	d.figures = json_object();
	d.counted = d.affected = d.letters = -1;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (crypt_init(err) < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return -1;
	say_line(&d, BOLD, "November 2025, once more: an analytics vendor is breached. This time there is a weir in front of it.");
	say_line(&d, DIM, "A replay with %u synthetic people on this machine. Nothing leaves it.", o->people);
	int r = play(&d, err);
	if (r == 0) {
		bool ok = holds(&d);
		json_object_set_new(d.figures, "ok", json_boolean(ok));
		finish(&d, (double)(clock_mono_ms() - began) / 1000);
		r = ok ? 0 : 1;
	} else if (interrupted) {
		r = 1;
	}
	clean_up(&d);
	return r;
}
