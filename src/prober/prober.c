/* The process: takes one message for each probe, runs it on a worker thread, answers with the report. */
#include "prober/prober.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/say.h"
#include "supervisor/child.h"

enum { EXIT_FAILED = 3, AT_ONCE = 16 };

static struct prober {
	struct child *c;
	uv_loop_t loop;
	struct channel_watch watch;
	struct probe_roots *roots;
	struct err no_roots;	/* why, when roots is NULL */
	size_t running;
	uint64_t done, refused;
	int64_t last_at;	/* seconds: the end of the last probe */
} prober;

struct job {
	uv_work_t work;
	struct probe_target target;
	enum role from;
	json_t *body;		/* the question */
	json_t *report;
};

static void answer(enum role to, const json_t *question, json_t *report, const char *why)
{
	struct err err;
	json_t *body = json_pack("{s:O*, s:O*, s:o*, s:s*}", "id", json_object_get(question, "id"), "vendor", json_object_get(question, "vendor"),
				 "report", report, "why", why);
	if (channel_send(prober.c->channel, to, "probed", body, NULL, 0, &err) < 0)
		say(SAY_ERROR, "send-failed", "verb", S("probed"), "why", S(err.msg), NULL);
}

static void work(uv_work_t *w)
{
	struct job *j = w->data;
	struct probe p;
	probe_run(&j->target, prober.roots, clock_now(), &p);
	j->report = probe_report(&j->target, &p);
	probe_release(&p);
}

static void done(uv_work_t *w, int status)
{
	struct job *j = w->data;
	prober.running--;
	prober.done++;
	prober.last_at = clock_now();
	answer(j->from, j->body, j->report, status < 0 ? "cancelled" : NULL);
	json_decref(j->body);
	free(j);
}

static enum posture_profile profile_of(const json_t *body)
{
	const char *s = json_string_value(json_object_get(body, "profile"));
	return s && strcmp(s, posture_profile_names[PROFILE_WEB]) == 0 ? PROFILE_WEB : PROFILE_API;
}

static void on_probe(struct message *m)
{
	const char *url = json_string_value(json_object_get(m->body, "url"));
	struct err err;
	struct job *j = xcalloc(1, sizeof *j);
	if (prober.running >= AT_ONCE || !prober.roots) {
		prober.refused++;
		answer(m->from, m->body, NULL, prober.roots ? "too many probes at once" : prober.no_roots.msg);
		free(j);
		return;
	}
	if (probe_target_parse(url ? url : "", &j->target, &err) < 0) {
		answer(m->from, m->body, NULL, err.msg);
		free(j);
		return;
	}
	j->target.profile = profile_of(m->body);
	j->from = m->from;
	j->body = json_incref(m->body);
	j->work.data = j;
	prober.running++;
	uv_queue_work(&prober.loop, &j->work, work, done);
}

static void say_back(const struct message *m, const char *verb, json_t *body)
{
	struct err err;
	json_object_set(body, "id", json_object_get(m->body, "id"));
	if (channel_send(prober.c->channel, m->from, verb, body, NULL, 0, &err) < 0)
		say(SAY_ERROR, "send-failed", "verb", S(verb), "why", S(err.msg), NULL);
}

static void on_status(const struct message *m)
{
	say_back(m, "status-is", json_pack("{s:I, s:I, s:I, s:s?}", "running", (json_int_t)prober.running, "runs", (json_int_t)prober.done,
					   "last_at", (json_int_t)prober.last_at, "why", prober.roots ? NULL : prober.no_roots.msg));
}

static void on_metrics(const struct message *m)
{
	struct buf b;
	buf_init(&b, 0);
	metrics_head(&b, "weir_probes_total", "counter", "Looks at a host from outside, by whether they ended in a report.");
	buf_addf(&b, "weir_probes_total{result=\"done\"} %llu\nweir_probes_total{result=\"refused\"} %llu\n",
		 (unsigned long long)prober.done, (unsigned long long)prober.refused);
	metrics_single(&b, "weir_probes_running", "gauge", "Looks that are under way.", prober.running);
	metrics_single(&b, "weir_probe_last_seconds", "gauge", "When the last look ended, Unix time; 0: none since the start.",
		       (uint64_t)prober.last_at);
	say_back(m, "metrics-text", json_pack("{s:s}", "text", (const char *)b.data));
	buf_release(&b);
}

static void on_message(struct message *m, void *arg)
{
	(void)arg;
	if (strcmp(m->verb, "probe") == 0) {
		on_probe(m);
	} else if (strcmp(m->verb, "status") == 0) {
		on_status(m);
	} else if (strcmp(m->verb, "metrics") == 0) {
		on_metrics(m);
	} else if (strcmp(m->verb, "stop") == 0) {
		/* A probe is nothing that must be finished. */
		uv_stop(&prober.loop);
	}
}

static int begin(struct child *c, struct err *err)
{
	prober.c = c;
	if (uv_loop_init(&prober.loop) < 0)
		return err_set(err, ERR_IO, "no event loop");
	if (probe_init(err) < 0)
		return -1;
	/* Without roots nothing can be judged; the rest of Weir serves all the same. */
	if (probe_roots_load(child_str(c, "posture_roots", NULL), &prober.roots, &prober.no_roots) < 0)
		say(SAY_ERROR, "posture-roots", "why", S(prober.no_roots.msg), NULL);
	if (child_confine(c, err) < 0)
		return -1;
	if (channel_watch_start(&prober.loop, &prober.watch, c->channel, on_message, NULL, err) < 0)
		return -1;
	return child_ready(c, err);
}

int prober_run(struct child *c)
{
	struct err err;
	if (begin(c, &err) < 0) {
		say(SAY_ERROR, "start-failed", "why", S(err.msg), NULL);
		return EXIT_FAILED;
	}
	uv_run(&prober.loop, UV_RUN_DEFAULT);
	return 0;	/* process_main ends us with _exit: threads that still probe go with it */
}
