/*
 * The control socket's protocol, as steward, keeper and commands speak it: one JSON object a line each way.
 *   request  {"do": WORD, ...}
 *   answer   {"ok": true, ...}   or   {"ok": false, "code": ERR_CODE_NAME, "error": "one line for a person"}
 * Before its answer each process that takes a request up sends an empty line (the steward, and behind it the keeper where
 * the request is for it), so that a caller knows within a moment who doesn't answer.
 * Who asks is the operating-system user of the connection (SO_PEERCRED), never a member of the request.
 */
#ifndef KEEPER_CONTROL_H
#define KEEPER_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { CONTROL_REQUEST_MAX = 16 << 20, CONTROL_ANSWER_MAX = 64 << 20, CONTROL_DECISION_MAX = 64 << 10 };

/* A request or answer from its line; ERR_SYNTAX, ERR_LIMIT. */
int control_parse(const char *line, size_t n, json_t **out, struct err *err) __attribute__((warn_unused_result));
/* One line with its newline; NULL never. */
char *control_line(const json_t *j, size_t *n);

/* The caller has hung up, perhaps told that nobody answers: what they asked is not done behind their back. */
bool control_gone(int fd);
/* The empty line. */
void control_greet(int fd);

json_t *control_refusal(const struct err *err);
/* 0 and nothing when the answer is ok; else err as the other side had it, -1. */
int control_check(const json_t *answer, struct err *err) __attribute__((warn_unused_result));

/*
 * Names of users, read before the sandbox closes /etc/passwd.  An unknown one is "uid N".
 */
struct users;
struct users *users_load(void);
void users_free(struct users **u);
void users_name(const struct users *u, unsigned uid, char *out, size_t n);
/* The user at the other end. */
int control_peer(int fd, const struct users *u, char *out, size_t n, struct err *err) __attribute__((warn_unused_result));

#endif
