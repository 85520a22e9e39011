#include "gate/gate_rig.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIELDS "properties.plan: keep\n  properties.note: keep\n  properties.n: keep\n"

static const char contract_text[] =
	"weir: 1\nvendor: %s\nname: Mixpanel, Inc.\ncountry: US\nrole: processor\nservice: analytics\ndata_regions: [US]\n"
	"delivery:\n  adapter: mixpanel\n  upstream: https://api.mixpanel.com\n  credential: env:MIXPANEL_TOKEN\n  quota: 2GiB\n"
	"sources:\n  - {name: web, token: env:WEB_TOKEN}\nversion: 1\npurpose: product-analytics\nbasis: consent\n"
	"mode: %s\nconsent: {refuse_when: [sec-gpc]}\nidentity: pseudonym\nlinks: %s\nevents: [signup]\nfields:\n"
	"  event: keep\n  " FIELDS "%s";

static void *page(int *fd)
{
	*fd = memfd_create("page", MFD_CLOEXEC);
	must(ftruncate(*fd, SHARED_BYTES) == 0);
	void *p = mmap(NULL, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	must(p != MAP_FAILED);
	return p;
}

static int folder(struct rig *r, const char *name)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	must(mkdir(path, 0700) == 0);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void rig_make(struct rig *r)
{
	struct err err;
	*r = (struct rig){.dir = "/tmp/gate-test-XXXXXX", .loops = 1, .segment_seconds = 60, .body_bytes = 1 << 20, .serial = 1};
	must(mkdtemp(r->dir));
	r->log_dir = folder(r, "log");
	r->plan_dir = folder(r, "plan");
	r->mark = page(&r->fds[0]);
	r->courier = page(&r->fds[1]);
	r->keeper = page(&r->fds[2]);
	atomic_store(&r->courier->known, 1);
	atomic_store(&r->keeper->known, 1);
	must(crypt_init(&err) == 0);
	crypt_random(r->root, 32);
	crypt_random(r->subject, 32);
	seal_keypair(r->courier_pk, r->courier_sk);
	sign_keypair(r->plan_pk, r->plan_sk);
	must(http_listen("127.0.0.1:0", &r->listen, r->bound, &err) == 0);
	r->port = (unsigned)atoi(strrchr(r->bound, ':') + 1);
}

static json_t *hex(const void *p, size_t n)
{
	char out[2 * 64 + 1];
	hex_encode(p, n, out);
	return json_string(out);
}

void rig_send(struct rig *r, enum role from, const char *verb, json_t *body, const int *fds, size_t n)
{
	struct packet p;
	struct err err;
	must(packet_make(ROLE_GATE, verb, body, fds, n, &p, &err) == 0);
	p.head.from = (uint8_t)from;
	must(packet_send(r->channel, &p) == 1);
	packet_release(&p);
}

json_t *rig_expect(struct rig *r, const char *verb)
{
	for (;;) {
		struct pollfd f = {.fd = r->channel, .events = POLLIN};
		struct message m;
		struct err err;
		must(poll(&f, 1, 8000) == 1);
		must(channel_receive(r->channel, &m, &err) == 1);
		json_t *body = m.body ? json_incref(m.body) : json_object();
		bool found = strcmp(m.verb, verb) == 0;
		message_release(&m);
		if (found)
			return body;
		json_decref(body);
	}
}

static void boot(struct rig *r)
{
	int fds[] = {r->listen, r->log_dir, r->plan_dir, r->fds[0], r->fds[1], r->fds[2]};
	json_t *hosts = r->host ? json_pack("[{s:s, s:s}]", "host", "mp.example.com", "vendor", "mixpanel") : json_array();
	rig_send(r, ROLE_SUPERVISOR, "boot",
		    json_pack("{s:s, s:[s,s,s,s,s,s], s:{s:I, s:I, s:I, s:I, s:o}, s:{s:o, s:o, s:o, s:o}}", "role", "gate", "fds", "listen",
			      "log", "plan", "mark", "courier_mark", "keeper_mark", "settings", "gate_loops", (json_int_t)r->loops,
			      "segment_seconds", (json_int_t)r->segment_seconds, "reserve_bytes", (json_int_t)r->reserve_bytes,
			      "body_bytes", (json_int_t)r->body_bytes, "hosts", hosts, "keys", "vendor_root", hex(r->root, 32),
			      "subject", hex(r->subject, 32), "courier_public", hex(r->courier_pk, 32), "plan_public",
			      hex(r->plan_pk, 32)),
		    fds, 6);
}

void rig_fork(struct rig *r)
{
	struct err err;
	int pair[2];
	must(ipc_pair(pair, &err) == 0);
	fflush(NULL);
	r->pid = fork();
	if (r->pid == 0) {
		struct child c;
		int quiet = open("/dev/null", O_WRONLY);
		if (!getenv("GATE_TEST_SAY"))
			dup2(quiet, 2);
		if (dup2(pair[1], 3) == 3 && child_begin(ROLE_GATE, &c, &err) == 0)
			_exit(gate_run(&c));
		_exit(99);
	}
	close(pair[1]);
	r->channel = pair[0];
	boot(r);
}

void rig_plans_end(struct rig *r)
{
	json_decref(rig_expect(r, "plans"));
	rig_send(r, ROLE_KEEPER, "plans-end", json_object(), NULL, 0);
	json_decref(rig_expect(r, "ready"));
}

void rig_secrets(struct rig *r, const char *vendor)
{
	rig_send(r, ROLE_SUPERVISOR, "secrets", json_pack("{s:s, s:[{s:s, s:s}]}", "vendor", vendor, "tokens", "name", "web", "token",
							     "web-token"), NULL, 0);
}

static struct contract *parse(const struct plan_wish *w)
{
	struct buf text, out;
	struct diags d;
	buf_init(&text, 0);
	buf_init(&out, 0);
	buf_addf(&text, contract_text, w->vendor, w->mode ? w->mode : "enforce", w->deny_links ? "deny" : "allow", w->more ? w->more : "");
	diags_init(&d, "test.yaml");
	struct contract *c = contract_parse((char *)text.data, text.len, &d);
	if (!c) {
		diags_print(&d, &out);
		fprintf(stderr, "%s", (char *)out.data);
		must(c != NULL);
	}
	if (w->own) {
		struct detect_rules *rules = detect_rules_read(w->own, strlen(w->own), &d);
		must(rules);
		contract_detectors_add(c, 0, rules, &d);
		detect_rules_free(&rules);
	}
	diags_release(&d);
	buf_release(&text);
	return c;
}

uint64_t rig_plan_sent(struct rig *r, struct plan_wish w)
{
	struct buf bytes;
	struct err err;
	if (!w.vendor)
		w.vendor = "mixpanel";
	struct plan_file f = {.serial = r->serial++, .approved = !w.unapproved, .flow = w.flow, .at = 1,
			      .not_after = w.not_after ? w.not_after : INT64_MAX, .by = xstrdup("test"), .contract = parse(&w)};
	snprintf(f.vendor, sizeof(f.vendor), "%s", w.vendor);
	buf_init(&bytes, 0);
	plan_file_make(&f, r->plan_sk, &bytes);
	if (w.forged)
		bytes.data[bytes.len / 3] ^= 1;
	must(plan_file_write(&fio_os, r->plan_dir, w.vendor, &bytes, &err) == 0);
	buf_release(&bytes);
	rig_send(r, ROLE_KEEPER, "plan", json_pack("{s:i, s:s, s:I, s:o, s:s}", "id", 7, "vendor", w.vendor, "serial",
						      (json_int_t)f.serial, "sha256", hex(f.sha256, 32), "flow", flow_names[w.flow]),
		    NULL, 0);
	uint64_t serial = f.serial;
	plan_file_release(&f);
	return serial;
}

bool rig_plan(struct rig *r, struct plan_wish w)
{
	rig_plan_sent(r, w);
	json_t *done = rig_expect(r, "plan-done");
	must(json_integer_value(json_object_get(done, "id")) == 7);
	bool ok = json_is_true(json_object_get(done, "ok"));
	json_decref(done);
	return ok;
}

void rig_start(struct rig *r)
{
	rig_fork(r);
	rig_secrets(r, "mixpanel");
	must(rig_plan(r, (struct plan_wish){0}));
	rig_plans_end(r);
}

void rig_stop(struct rig *r)
{
	int status = -1;
	rig_send(r, ROLE_SUPERVISOR, "stop", json_object(), NULL, 0);
	must(waitpid(r->pid, &status, 0) == r->pid);
	must(WIFEXITED(status));
	must(WEXITSTATUS(status) == 0);
	close(r->channel);
}

void rig_kill(struct rig *r)
{
	kill(r->pid, SIGKILL);
	waitpid(r->pid, NULL, 0);
	close(r->channel);
}

void rig_free(struct rig *r)
{
	char cmd[128];
	snprintf(cmd, sizeof(cmd), "rm -rf %s", r->dir);
	must(system(cmd) == 0);
	close(r->log_dir);
	close(r->plan_dir);
	close(r->listen);
	munmap(r->mark, SHARED_BYTES);
	munmap(r->courier, SHARED_BYTES);
	munmap(r->keeper, SHARED_BYTES);
	for (int i = 0; i < 3; i++)
		close(r->fds[i]);
}
