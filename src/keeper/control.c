#include "keeper/control.h"

#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int control_parse(const char *line, size_t n, json_t **out, struct err *err)
{
	json_error_t why;
	*out = json_loadb(line, n, JSON_REJECT_DUPLICATES, &why);
	if (!*out)
		return err_set(err, ERR_SYNTAX, "the request isn't a JSON object in one line");
	if (json_is_object(*out))
		return 0;
	json_decref(*out);
	*out = NULL;
	return err_set(err, ERR_SYNTAX, "the request isn't a JSON object");
}

char *control_line(const json_t *j, size_t *n)
{
	char *text = json_dumps(j, JSON_COMPACT);
	must(text);
	*n = strlen(text) + 1;
	text = xrealloc(text, *n + 1);
	text[*n - 1] = '\n';
	text[*n] = 0;
	return text;
}

bool control_gone(int fd)
{
	struct pollfd p = {.fd = fd};
	return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;	/* both ways: one that only stopped writing waits */
}

void control_greet(int fd)
{
	(void)!send(fd, "\n", 1, MSG_DONTWAIT | MSG_NOSIGNAL);	/* a caller who has gone is noticed later */
}

json_t *control_refusal(const struct err *err)
{
	json_t *j = json_pack("{s:b, s:s, s:s}", "ok", 0, "code", err_code_name(err->code), "error", err->msg);
	return j ? j : json_pack("{s:b, s:s, s:s}", "ok", 0, "code", err_code_name(err->code), "error", "(not text)");
}

int control_check(const json_t *answer, struct err *err)
{
	if (json_is_true(json_object_get(answer, "ok")))
		return 0;
	const char *name = json_string_value(json_object_get(answer, "code"));
	const char *msg = json_string_value(json_object_get(answer, "error"));
	enum err_code code = ERR_BUG;
	for (enum err_code i = ERR_SYNTAX; name && i <= ERR_BUG; i++)
		if (strcmp(err_code_name(i), name) == 0)
			code = i;
	return err_set(err, code, "%s", msg ? msg : "the answer says neither yes nor no");
}

/* ---- users ------------------------------------------------------------------------------------------------------ */

struct users {
	size_t n;
	struct {
		unsigned uid;
		char *name;
	} *v;
};

struct users *users_load(void)
{
	struct users *u = xcalloc(1, sizeof *u);
	setpwent();
	for (struct passwd *p; (p = getpwent());) {
		u->v = xrealloc(u->v, (u->n + 1) * sizeof *u->v);
		u->v[u->n].uid = p->pw_uid;
		u->v[u->n++].name = xstrdup(p->pw_name);
	}
	endpwent();
	return u;
}

void users_free(struct users **u)
{
	if (!*u)
		return;
	for (size_t i = 0; i < (*u)->n; i++)
		free((*u)->v[i].name);
	free((*u)->v);
	free(*u);
	*u = NULL;
}

void users_name(const struct users *u, unsigned uid, char *out, size_t n)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->v[i].uid == uid) {
			snprintf(out, n, "%s", u->v[i].name);
			return;
		}
	snprintf(out, n, "uid %u", uid);
}

int control_peer(int fd, const struct users *u, char *out, size_t n, struct err *err)
{
	struct ucred cred;
	socklen_t len = sizeof cred;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return err_sys(err, "who asks");
	users_name(u, cred.uid, out, n);
	return 0;
}
