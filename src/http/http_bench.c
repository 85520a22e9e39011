/* usage: http_bench ADDR: answers every request with {"status":1}, for wrk and http-strict.py; ends on SIGINT, SIGTERM. */
#include <stdio.h>
#include <stdlib.h>

#include "http/http.h"

static struct http_server *server;

static void handler(struct http_request *rq, void *arg)
{
	static const struct http_header type = {SPAN("Content-Type"), SPAN("application/json")};
	(void)arg;
	http_reply(rq, &(struct http_answer){.status = 200, .headers = &type, .headers_len = 1, .body = SPAN("{\"status\":1}")});
}

static void done(void *arg)
{
	struct http_stats s = http_server_stats(server);
	printf("%lu requests on %lu connections\n", (unsigned long)s.requests, (unsigned long)s.accepted);
	http_server_free(&server);
	uv_stop(arg);
}

static void on_signal(uv_signal_t *s, int number)
{
	(void)number;
	uv_signal_stop(s);
	http_server_stop(server, 1000, done, s->loop);
}

int main(int argc, char **argv)
{
	struct err err;
	char bound[64];
	int fd;
	uv_loop_t *loop = uv_default_loop();
	uv_signal_t ends[2];
	if (argc != 2 || http_listen(argv[1], &fd, bound, &err) != 0 ||
	    http_server_new(loop, fd, NULL, NULL, handler, NULL, &server, &err) != 0) {
		fprintf(stderr, "http_bench: %s\n", argc == 2 ? err.msg : "one address, please");
		return 2;
	}
	for (int i = 0; i < 2; i++) {
		uv_signal_init(loop, &ends[i]);
		uv_signal_start(&ends[i], on_signal, i ? SIGTERM : SIGINT);
	}
	printf("%s\n", bound);
	fflush(stdout);
	uv_run(loop, UV_RUN_DEFAULT);
	return 0;
}
