/*
 * The gate's start, its channel and its end.
 *
 * Order of the start: keys and settings, TLS, the sandbox, `plans` to the keeper; when every plan has come and courier and
 * keeper have said what they passed, the log (recovery) and the loops, so that a restart makes callers wait in the kernel's
 * queue rather than refusing them; if one of them stays silent they begin anyway, and answer "retry" without plans.
 */
#include "gate/gate.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/say.h"
#include "gate/inside.h"

enum { LEARN_MS = 5000, TICK_MS = 100, WAIT_MS = 20, ASK_AGAIN_MS = 1000, SERVE_ANYWAY_MS = 5000, GRACE_MS = 4000 };

/* ---- loops ---------------------------------------------------------------------------------------------------- */

static void copy_stats(struct loop *l)
{
	struct http_stats s = http_server_stats(l->server);
	atomic_store_explicit(&l->stats.accepted, s.accepted, memory_order_relaxed);
	atomic_store_explicit(&l->stats.requests, s.requests, memory_order_relaxed);
	atomic_store_explicit(&l->stats.syntax, s.refused_syntax, memory_order_relaxed);
	atomic_store_explicit(&l->stats.limit, s.refused_limit, memory_order_relaxed);
	atomic_store_explicit(&l->stats.timeouts, s.timeouts, memory_order_relaxed);
	atomic_store_explicit(&l->stats.open, s.open, memory_order_relaxed);
	atomic_store_explicit(&l->stats.held, s.body_bytes_held, memory_order_relaxed);
}

static void on_loop_tick(uv_timer_t *t)
{
	copy_stats(t->data);
}

static void on_server_done(void *arg)
{
	struct loop *l = arg;
	copy_stats(l);
	gate_commit_flush(l);
	http_server_free(&l->server);
	uv_close((uv_handle_t *)&l->tick, NULL);
	uv_close((uv_handle_t *)&l->polled, NULL);
	uv_close((uv_handle_t *)&l->polling, NULL);
	uv_close((uv_handle_t *)&l->look, NULL);
	pthread_mutex_lock(&l->lock);
	l->ended = true;
	uv_close((uv_handle_t *)&l->wake, NULL);
	pthread_mutex_unlock(&l->lock);
}

static void on_wake(uv_async_t *a)
{
	struct loop *l = a->data;
	pthread_mutex_lock(&l->lock);
	struct parcel *list = l->back;
	l->back = NULL;
	l->back_last = &l->back;
	bool stop = l->stop;
	l->stop = false;
	pthread_mutex_unlock(&l->lock);
	for (struct parcel *next; list; list = next) {
		next = list->next;
		gate_request_done(list);
	}
	if (stop)
		http_server_stop(l->server, GRACE_MS, on_server_done, l);
}

static void on_polled(uv_check_t *h)
{
	struct loop *l = h->data;
	if (!l->gathering)
		gate_commit_flush(l);
	l->gathering = false;
}

static void on_look(uv_idle_t *h)	/* only there so that the poll doesn't wait */
{
	(void)h;
}

static void on_polling(uv_prepare_t *h)
{
	struct loop *l = h->data;
	if (l->gathered)
		uv_idle_start(&l->look, on_look);
	else
		uv_idle_stop(&l->look);
}

static void *run_loop(void *arg)
{
	struct loop *l = arg;
	uv_run(&l->uv, UV_RUN_DEFAULT);
	if (atomic_fetch_sub(&l->gate->loops_left, 1) == 1)
		uv_async_send(&l->gate->stopped);
	return NULL;
}

static int prepare_loop(struct gate *g, struct loop *l, struct err *err)
{
	uv_loop_init(&l->uv);
	uv_async_init(&l->uv, &l->wake, on_wake);
	uv_timer_init(&l->uv, &l->tick);
	uv_check_init(&l->uv, &l->polled);
	uv_prepare_init(&l->uv, &l->polling);
	uv_idle_init(&l->uv, &l->look);
	l->wake.data = l->tick.data = l->polled.data = l->polling.data = l;
	l->back_last = &l->back;
	l->gathered_last = &l->gathered;
	pthread_mutex_init(&l->lock, NULL);
	gate_loop_init(l);
	if (http_server_new(&l->uv, g->listen, g->tls, &g->limits, gate_route, l, &l->server, err) != 0)
		return -1;
	http_server_on_refusal(l->server, gate_refusal);
	uv_timer_start(&l->tick, on_loop_tick, TICK_MS, TICK_MS);
	uv_check_start(&l->polled, on_polled);
	uv_prepare_start(&l->polling, on_polling);
	return 0;
}

static int start_loops(struct gate *g, struct err *err)
{
	unsigned n = (unsigned)child_int(g->child, "gate_loops", 1);
	n = n < 1 ? 1 : n > LOOPS_MAX ? LOOPS_MAX : n;
	g->loops = xcalloc(n, sizeof(*g->loops));
	atomic_store(&g->loops_left, n);
	for (unsigned i = 0; i < n; i++) {
		g->loops[i].gate = g;
		g->loops[i].number = i;
		if (prepare_loop(g, &g->loops[i], err) != 0)
			return -1;
	}
	g->loops_len = n;	/* before the first request, for the committer wakes them */
	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&g->loops[i].thread, NULL, run_loop, &g->loops[i]) != 0)
			return err_set(err, ERR_IO, "no thread for a loop");
	return 0;
}

/* ---- messages ------------------------------------------------------------------------------------------------- */

static void send_out(struct gate *g, enum role to, const char *verb, json_t *body)
{
	struct err err;
	if (channel_send(g->child->channel, to, verb, body, NULL, 0, &err) != 0)
		say(SAY_ERROR, "message-lost", "verb", S(verb), "why", S(err.msg), NULL);
}

static json_t *id_of(const struct message *m)
{
	json_t *id = json_object_get(m->body, "id");
	return id ? json_incref(id) : json_null();
}

static void plan_done(struct gate *g, json_t *answer, const struct err *why)
{
	json_object_set_new(answer, "ok", json_boolean(!why));
	json_object_set_new(answer, "why", json_string(why ? why->msg : ""));
	if (g->stopping)
		json_decref(answer);
	else
		send_out(g, ROLE_KEEPER, "plan-done", answer);
}

static void on_plan(struct gate *g, struct message *m)
{
	const char *vendor = json_string_value(json_object_get(m->body, "vendor"));
	json_t *serial = json_object_get(m->body, "serial");
	gate_plan_load(g, m->body, json_pack("{s:o, s:s, s:O?}", "id", id_of(m), "vendor", vendor ? vendor : "", "serial", serial), plan_done);
}

static bool readers_known(const struct gate *g)
{
	return atomic_load(&g->courier->known) && atomic_load(&g->keeper->known);
}

static void serve(struct gate *g)
{
	struct err err;
	if (g->ready || g->stopping)
		return;
	g->ready = true;
	if (gate_commit_start(g, &err) != 0 || start_loops(g, &err) != 0 || child_ready(g->child, &err) != 0) {
		say(SAY_ERROR, "gate-start", "why", S(err.msg), NULL);
		exit(1);
	}
}

static void on_plans_end(struct gate *g, struct message *m)
{
	(void)m;
	atomic_store(&g->plans_known, true);
	if (readers_known(g))
		serve(g);
}

static void on_secrets(struct gate *g, struct message *m)
{
	gate_tokens_load(g, m->body);
}

static void on_metrics(struct gate *g, struct message *m)
{
	struct buf b;
	buf_init(&b, 0);
	gate_metrics_text(g, &b);
	send_out(g, m->from, "metrics-text", json_pack("{s:o, s:s#}", "id", id_of(m), "text", b.data, (int)b.len));
	buf_release(&b);
}

static const char *const closed_names[] = {
	[PASSES] = "passes", [CLOSED_NO_PLAN] = "no-plan", [CLOSED_NOT_APPROVED] = "not-approved",
	[CLOSED_SUSPENDED] = "suspended", [CLOSED_QUARANTINED] = "quarantined", [CLOSED_RESTRICTED] = "restricted",
};

/* Why nothing at all is taken now, in words for a person; NULL: events are taken. */
static const char *refuses(const struct gate *g)
{
	uint64_t left;
	if (!atomic_load(&g->plans_known))
		return "the keeper has not named the plans yet";
	if (!g->ready)
		return readers_known(g) ? "the log is not open yet" : "courier or keeper has not said what it read";
	if (atomic_load_explicit(&g->committer.stats.failing, memory_order_relaxed))
		return "the last write to the log failed";
	if (g->io->free_bytes(g->io->ctx, g->log_dir, &left) == 0 && left < g->log_limits.reserve_bytes)
		return "the disk is full";
	return NULL;
}

static void on_status(struct gate *g, struct message *m)
{
	gate_learn_send(g);	/* whoever asks for more than this finds it there */
	json_t *list = json_array();
	int64_t now_s = clock_now();
	for (size_t i = 0; i < g->vendors_len; i++) {
		struct vendor *v = g->vendors[i];	/* parts are changed by this thread only */
		json_array_append_new(list, json_pack("{s:s, s:I, s:s, s:b, s:s}", "vendor", v->name, "serial",
						      (json_int_t)(v->plan ? v->plan->file.serial : 0), "state",
						      closed_names[v->plan ? v->plan->closed : CLOSED_NO_PLAN], "sources",
						      v->tokens != NULL, "does", gate_vendor_does(g, v, now_s)));
	}
	send_out(g, m->from, "status-is", json_pack("{s:o, s:o, s:s?, s:I}", "id", id_of(m), "vendors", list, "refuses", refuses(g), "log_bytes",
						    (json_int_t)atomic_load(&g->committer.stats.log_bytes)));
}

static void end_main(struct gate *g)
{
	channel_watch_stop(&g->channel);
	uv_close((uv_handle_t *)&g->timer, NULL);
	uv_close((uv_handle_t *)&g->learn, NULL);
	uv_close((uv_handle_t *)&g->stopped, NULL);
}

static void on_stop(struct gate *g, struct message *m)
{
	(void)m;
	if (g->stopping)
		return;
	g->stopping = true;
	if (!g->loops_len)
		end_main(g);
	for (unsigned i = 0; i < g->loops_len; i++) {
		pthread_mutex_lock(&g->loops[i].lock);
		g->loops[i].stop = true;
		uv_async_send(&g->loops[i].wake);
		pthread_mutex_unlock(&g->loops[i].lock);
	}
}

static void on_loops_ended(uv_async_t *a)
{
	struct gate *g = a->data;
	for (unsigned i = 0; i < g->loops_len; i++)
		pthread_join(g->loops[i].thread, NULL);
	gate_learn_send(g);
	end_main(g);
}

static const struct {
	const char *verb;
	void (*handle)(struct gate *g, struct message *m);
} verbs[] = {
	{"plan", on_plan}, {"plans-end", on_plans_end}, {"secrets", on_secrets}, {"metrics", on_metrics}, {"status", on_status},
	{"stop", on_stop},
};

static void on_message(struct message *m, void *arg)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verbs[i].verb, m->verb) == 0) {
			verbs[i].handle(arg, m);
			return;
		}
	say(SAY_WARN, "message-unknown", "verb", S(m->verb), NULL);
}

/* Until the plans are known: asks again (a keeper that died had our question), and serves anyway in the end. */
static void on_tick(uv_timer_t *t)
{
	struct gate *g = t->data;
	bool plans = atomic_load(&g->plans_known);
	if (plans && g->ready) {
		uv_timer_stop(t);
		return;
	}
	g->waited_ms += WAIT_MS;
	if (!plans && g->waited_ms % ASK_AGAIN_MS == 0)
		send_out(g, ROLE_KEEPER, "plans", NULL);
	if (g->waited_ms >= SERVE_ANYWAY_MS || (plans && readers_known(g)))
		serve(g);
}

static void on_learn(uv_timer_t *t)
{
	gate_learn_send(t->data);
}

/* ---- start ---------------------------------------------------------------------------------------------------- */

static int read_keys(struct gate *g, struct err *err)
{
	struct child *c = g->child;
	if (child_key(c, "vendor_root", g->vendor_root, sizeof(g->vendor_root), err) != 0 ||
	    child_key(c, "subject", g->subject_key, sizeof(g->subject_key), err) != 0 ||
	    child_key(c, "courier_public", g->courier_public, sizeof(g->courier_public), err) != 0 ||
	    child_key(c, "plan_public", g->plan_public, sizeof(g->plan_public), err) != 0)
		return -1;
	return 0;
}

static void read_settings(struct gate *g)
{
	struct child *c = g->child;
	g->limits.body_bytes = (uint64_t)child_int(c, "body_bytes", 20 << 20);
	g->limits.memory_bytes = (uint64_t)child_int(c, "memory_bytes", 256 << 20);
	g->limits.connections = (uint32_t)child_int(c, "connections", 10000);
	g->log_limits.segment_bytes = (uint64_t)child_int(c, "segment_bytes", 16 << 20);
	g->log_limits.segment_us = child_int(c, "segment_seconds", 60) * 1000000;
	g->log_limits.reserve_bytes = (uint64_t)child_int(c, "reserve_bytes", 64 << 20);
	json_t *hosts = json_object_get(json_object_get(c->boot, "settings"), "hosts"), *row;
	size_t i, n = json_array_size(hosts);
	g->host_names = xcalloc(n + 1, sizeof(*g->host_names));
	g->host_vendors = xcalloc(n + 1, sizeof(*g->host_vendors));
	json_array_foreach(hosts, i, row) {
		const char *host = json_string_value(json_object_get(row, "host"));
		const char *vendor = json_string_value(json_object_get(row, "vendor"));
		if (!host || !vendor)
			continue;
		g->host_names[g->hosts_len] = xstrdup(host);
		g->host_vendors[g->hosts_len++] = xstrdup(vendor);
	}
}

static int read_tls(struct gate *g, struct err *err)
{
	const char *cert = child_str(g->child, "tls_cert", NULL), *key = child_str(g->child, "tls_key", NULL);
	if (!cert || !key)
		return 0;
	return http_tls_new((struct span){cert, strlen(cert)}, (struct span){key, strlen(key)}, &g->tls, err);
}

static int map_shared(struct gate *g, struct err *err)
{
	struct child *c = g->child;
	g->listen = child_fd(c, "listen");
	g->log_dir = child_fd(c, "log");
	g->plan_dir = child_fd(c, "plan");
	if (g->listen < 0 || g->log_dir < 0 || g->plan_dir < 0)
		return err_set(err, ERR_IO, "a descriptor is missing from the boot message");
	g->mark = shared_map(child_fd(c, "mark"), true, err);
	g->courier = g->mark ? shared_map(child_fd(c, "courier_mark"), false, err) : NULL;
	g->keeper = g->courier ? shared_map(child_fd(c, "keeper_mark"), false, err) : NULL;
	return g->keeper ? 0 : -1;
}

static int start(struct gate *g, struct err *err)
{
	g->io = &fio_os;
	pthread_mutex_init(&g->lock, NULL);
	if (crypt_init(err) != 0 || read_keys(g, err) != 0 || map_shared(g, err) != 0 || read_tls(g, err) != 0)
		return -1;
	read_settings(g);
	(void)detect_rules_ready();	/* without it, contracts with detectors of their own stay closed */
	if (child_confine(g->child, err) != 0)
		return -1;
	uv_loop_init(&g->main);
	uv_timer_init(&g->main, &g->timer);
	uv_timer_init(&g->main, &g->learn);
	uv_async_init(&g->main, &g->stopped, on_loops_ended);
	g->timer.data = g->learn.data = g->stopped.data = g;
	if (channel_watch_start(&g->main, &g->channel, g->child->channel, on_message, g, err) != 0)
		return -1;
	send_out(g, ROLE_KEEPER, "plans", NULL);
	uv_timer_start(&g->timer, on_tick, WAIT_MS, WAIT_MS);
	uv_timer_start(&g->learn, on_learn, LEARN_MS, LEARN_MS);
	return 0;
}

static void release(struct gate *g)
{
	gate_commit_stop(g);
	for (unsigned i = 0; i < g->loops_len; i++) {
		gate_loop_release(&g->loops[i]);
		uv_loop_close(&g->loops[i].uv);
	}
	free(g->loops);
	uv_loop_close(&g->main);
	http_tls_free(&g->tls);
	for (size_t i = 0; i < g->hosts_len; i++) {
		free(g->host_names[i]);
		free(g->host_vendors[i]);
	}
	free(g->host_names);
	free(g->host_vendors);
	gate_plans_release(g);
	crypt_wipe(g->vendor_root, sizeof(g->vendor_root));
	crypt_wipe(g->subject_key, sizeof(g->subject_key));
}

int gate_run(struct child *c)
{
	struct gate g = {.child = c};
	struct err err;
	if (start(&g, &err) != 0) {
		say(SAY_ERROR, "gate-start", "why", S(err.msg), NULL);
		return 1;
	}
	uv_run(&g.main, UV_RUN_DEFAULT);
	release(&g);
	return 0;
}
