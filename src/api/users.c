/* Local accounts of the console: rows of the registry, and the argon2id hashes of their passwords. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "api/api.h"
#include "store/store.h"

_Static_assert(USER_HASH_MAX == crypto_pwhash_STRBYTES, "libsodium's own size");

bool user_name_ok(const char *name)
{
	size_t n = strlen(name);
	return n >= 1 && n <= USER_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == n && name[0] != '-';
}

int user_hash_make(const char *password, char hash[static USER_HASH_MAX], struct err *err)
{
	size_t n = strlen(password);
	if (n < PASSWORD_MIN || n > PASSWORD_MAX)
		return err_set(err, ERR_INPUT, "a password has %d to %d bytes", PASSWORD_MIN, PASSWORD_MAX);
	if (crypto_pwhash_str_alg(hash, password, n, crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
				  crypto_pwhash_ALG_ARGON2ID13) != 0)
		return err_set(err, ERR_LIMIT, "not enough memory to hash a password");
	return 0;
}

bool user_hash_fits(const char hash[static USER_HASH_MAX], const char *password)
{
	return crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
}

/* Of a password that nobody knows. */
static const char nobody[] = "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

bool user_hash_find(struct registry *r, const char *name, char hash[static USER_HASH_MAX])
{
	struct rows rows;
	struct err err;
	bool found = false;
	snprintf(hash, USER_HASH_MAX, "%s", nobody);
	if (store_rows(registry_store(r), &rows, &err, "SELECT hash FROM account WHERE name = ?", "s", name) == 0 &&
	    rows_next(&rows, &err) == 1) {
		snprintf(hash, USER_HASH_MAX, "%s", rows_text(&rows, 0));
		found = true;
	}
	rows_end(&rows);
	return found;
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static const char *name_of(const json_t *request, struct err *err)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	if (name && user_name_ok(name))
		return name;
	err_set(err, ERR_INPUT, "a user's name has 1 to %d of the characters a-z 0-9 . _ -", USER_NAME_MAX);
	return NULL;
}

/* Only what this program makes: argon2id of at least the cost that we ask for. */
static bool hash_ok(const char *hash)
{
	char copy[USER_HASH_MAX] = {0};
	if (!hash || strlen(hash) >= USER_HASH_MAX || strncmp(hash, "$argon2id$", 10) != 0)
		return false;
	snprintf(copy, sizeof copy, "%s", hash);
	return crypto_pwhash_str_needs_rehash(copy, crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0;
}

static int change(struct registry *r, const char *name, const char *hash, const char *who, int64_t at, struct err *err)
{
	struct store *s = registry_store(r);
	const char *kind = hash ? "user-set" : "user-removed";
	if (store_begin(s, err) < 0)
		return -1;
	int rc = hash ? store_run(s, err, "INSERT INTO account (name, hash, at, by) VALUES (?,?,?,?) ON CONFLICT (name) DO UPDATE SET "
					  "hash = excluded.hash, at = excluded.at, by = excluded.by", "ssis", name, hash, at, who)
		      : store_run(s, err, "DELETE FROM account WHERE name = ?", "s", name);
	if (rc == 0 && !hash && store_changed(s) == 0)
		rc = err_set(err, ERR_NOTFOUND, "no user %s", name);
	if (rc == 0)
		rc = registry_note(r, "", kind, who, name, at, json_pack("{s:s}", "user", name), NULL, err);
	struct err ended;
	int closed = store_end(s, rc == 0, rc == 0 ? err : &ended);
	return rc == 0 ? closed : -1;
}

static int add(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *name = name_of(request, err), *hash = json_string_value(json_object_get(request, "hash"));
	if (!name)
		return -1;
	if (!hash_ok(hash))
		return err_set(err, ERR_INPUT, "not an argon2id hash of this program");
	json_object_set_new(answer, "user", json_string(name));
	return change(r, name, hash, who, at, err);
}

static int remove_user(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *name = name_of(request, err);
	if (!name)
		return -1;
	json_object_set_new(answer, "user", json_string(name));
	return change(r, name, NULL, who, at, err);
}

static int list(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	struct rows rows;
	json_t *users = json_array();
	int got = 0;
	(void)request;
	(void)who;
	(void)at;
	json_object_set_new(answer, "users", users);
	int rc = store_rows(registry_store(r), &rows, err, "SELECT name, at, by FROM account ORDER BY name", "");
	while (rc == 0 && (got = rows_next(&rows, err)) == 1)
		json_array_append_new(users, json_pack("{s:s, s:I, s:s}", "name", rows_text(&rows, 0), "at", (json_int_t)rows_int(&rows, 1),
						       "by", rows_text(&rows, 2)));
	rows_end(&rows);
	return rc < 0 || got < 0 ? -1 : 0;
}

const struct registry_word api_words[] = {{"user-add", add}, {"user-list", list}, {"user-remove", remove_user}, {NULL, NULL}};
