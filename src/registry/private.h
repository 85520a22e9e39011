/* Shared by the files of this folder: the handle, the migrations, one event into the tables. */
#ifndef REGISTRY_PRIVATE_H
#define REGISTRY_PRIVATE_H

#include "registry/registry.h"
#include "store/store.h"

struct registry {
	struct store *store;
};

extern const struct store_migration registry_migrations[];
extern const size_t registry_migrations_len;

struct new_event {
	int64_t at;
	const char *who, *kind, *vendor, *why;
	int64_t version;
	json_t *detail;		/* taken over */
};
/* Inside a transaction; with its outbox row. */
int event_add(struct registry *r, const struct new_event *e, uint64_t *seq, struct err *err) REGISTRY_CHECKED;

#endif
