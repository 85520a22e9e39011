#include "cli/vendor_id.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/keys.h"
#include "plan/plan.h"

static const char device_prefix[] = "$device:";	/* Mixpanel's; it stays in front (adapter.h, slot.prefix) */

static int open_in(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	return fd;
}

static bool identity_now(const char *dir, int keys, const char *vendor, enum identity *out)
{
	uint8_t public_key[KEY_FILE_BYTES_MAX];
	struct plan_file f;
	struct err err;
	int plans = open_in(dir, "state/plan");
	bool got = plans >= 0 && key_file_read(keys, KEY_SIGNING_PUBLIC, public_key, &err) == 0 &&
		   plan_file_read(&fio_os, plans, vendor, public_key, NULL, &f, &err) == 0;
	if (plans >= 0)
		close(plans);
	if (!got)
		return false;
	*out = f.flow == FLOW_RESTRICTED && f.contract->restricted ? f.contract->restricted_identity : f.contract->identity;
	plan_file_release(&f);
	return true;
}

static json_t *pseudonym(int keys, const char *vendor, const char *kind, const char *prefix, const char *value)
{
	uint8_t root[KEY_FILE_BYTES_MAX], key[KEY_BYTES];
	char name[PSEUDONYM_LEN + 1];
	struct err err;
	json_t *out = NULL;
	if (key_file_read(keys, KEY_VENDOR_ROOT, root, &err) < 0)
		return NULL;
	crypt_vendor_key(root, vendor, 0, key);
	struct pseudo *p = pseudo_new(key, 0);
	if (pseudo_id(p, kind, value, strlen(value), NULL, name))
		out = json_sprintf("%s%s", prefix, name);
	pseudo_free(&p);
	crypt_wipe(root, sizeof root);
	crypt_wipe(key, sizeof key);
	return out;
}

static json_t *name_of(const char *dir, int keys, const char *vendor, const char *kind, const char *id)
{
	enum identity identity;
	const size_t n = strlen(kind);
	bool device = strncmp(id, device_prefix, sizeof device_prefix - 1) == 0;
	const char *value = device ? id + sizeof device_prefix - 1 : strncmp(id, kind, n) == 0 && id[n] == ':' ? id + n + 1 : id;
	if (!identity_now(dir, keys, vendor, &identity))
		return NULL;
	if (identity == IDENTITY_KEEP)
		return json_string(device ? id : value);
	return identity == IDENTITY_PSEUDONYM ? pseudonym(keys, vendor, kind, device ? device_prefix : "", value) : NULL;
}

json_t *vendor_id(const char *given, const char *vendor, const char *kind, const char *id)
{
	struct err err;
	json_t *out = NULL;
	char *dir = NULL;
	if (crypt_init(&err) == 0 && folder_find(given, &dir, &err) == 0) {
		int keys = open_in(dir, "keys");
		if (keys >= 0) {
			out = name_of(dir, keys, vendor, kind, id);
			close(keys);
		}
	}
	free(dir);
	return out ? out : json_null();
}
