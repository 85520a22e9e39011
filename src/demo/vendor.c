/* The stand-in vendor: takes everything, keeps nothing, and counts in shared memory what personal data it saw. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "demo/private.h"
#include "http/http.h"

static void handle(struct http_request *rq, void *arg)
{
	static const struct http_header h[] = {{SPAN("Content-Type"), SPAN("text/plain")}};
	struct vendor *v = arg;
	scan_add(v->seen, rq->body);
	http_reply(rq, &(const struct http_answer){.status = 200, .headers = h, .headers_len = 1, .body = SPAN("1")});	/* Mixpanel's yes */
}

static _Noreturn void serve(struct vendor *v, int fd)
{
	uv_loop_t loop;
	struct http_server *server;
	struct err err;
	const struct http_limits limits = {.body_bytes = 64u << 20};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN);	/* the demo ends it */
	if (uv_loop_init(&loop) < 0 || http_server_new(&loop, fd, NULL, &limits, handle, v, &server, &err) < 0)
		_exit(3);
	uv_run(&loop, UV_RUN_DEFAULT);
	_exit(0);
}

int vendor_start(struct vendor *v, struct err *err)
{
	char bound[64];
	int fd;
	v->seen = mmap(NULL, sizeof *v->seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (v->seen == MAP_FAILED)
		return err_sys(err, "shared memory");
	if (http_listen("127.0.0.1:0", &fd, bound, err) < 0)
		return -1;
	snprintf(v->url, sizeof v->url, "http://%s", bound);
	v->pid = fork();
	if (v->pid == 0)
		serve(v, fd);
	close(fd);
	return v->pid < 0 ? err_sys(err, "stand-in vendor") : 0;
}
