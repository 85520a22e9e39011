/* The database's migrations.  Rows are only ever added; a released one is never edited. */
#include "registry/private.h"

const struct store_migration registry_migrations[] = {
	{"registry",
	 "CREATE TABLE vendor ("
	 "  vendor TEXT PRIMARY KEY,"
	 "  name TEXT NOT NULL,"
	 "  life INTEGER NOT NULL DEFAULT 0 CHECK (life BETWEEN 0 AND 2),"
	 "  version INTEGER NOT NULL DEFAULT 0,"	/* approved; 0: none */
	 "  ask_person INTEGER NOT NULL DEFAULT 0 CHECK (ask_person BETWEEN 0 AND 3),"
	 "  ask_rule INTEGER NOT NULL DEFAULT 0 CHECK (ask_rule BETWEEN 0 AND 3),"
	 "  ask_incident INTEGER NOT NULL DEFAULT 0 CHECK (ask_incident BETWEEN 0 AND 3),"
	 "  serial INTEGER NOT NULL DEFAULT 0,"
	 "  plan_sha256 BLOB,"
	 "  not_after INTEGER,"				/* NULL: none */
	 "  at INTEGER NOT NULL"
	 ") STRICT;"
	 "CREATE TABLE contract ("
	 "  vendor TEXT NOT NULL REFERENCES vendor(vendor),"
	 "  version INTEGER NOT NULL CHECK (version >= 1),"
	 "  digest BLOB NOT NULL CHECK (length(digest) = 32),"
	 "  json TEXT NOT NULL,"
	 "  at INTEGER NOT NULL,"
	 "  by TEXT NOT NULL,"
	 "  PRIMARY KEY (vendor, version)"
	 ") STRICT;"
	 "CREATE TABLE event ("
	 "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
	 "  at INTEGER NOT NULL,"
	 "  who TEXT NOT NULL,"
	 "  kind TEXT NOT NULL,"
	 "  vendor TEXT NOT NULL,"
	 "  version INTEGER NOT NULL DEFAULT 0,"
	 "  why TEXT NOT NULL,"
	 "  detail TEXT NOT NULL"
	 ") STRICT;"
	 "CREATE INDEX event_vendor ON event (vendor, seq);"
	 "CREATE TABLE waiver ("
	 "  event INTEGER NOT NULL REFERENCES event(seq),"
	 "  vendor TEXT NOT NULL,"
	 "  version INTEGER NOT NULL,"
	 "  requirement TEXT NOT NULL CHECK (requirement IN ('assessment', 'posture')),"
	 "  until INTEGER NOT NULL,"
	 "  PRIMARY KEY (event, requirement)"
	 ") STRICT;"
	 "CREATE TABLE outbox ("
	 "  seq INTEGER PRIMARY KEY REFERENCES event(seq),"
	 "  leaf INTEGER"				/* place in the transparency log; NULL: not there yet */
	 ") STRICT;"
	 "CREATE INDEX outbox_open ON outbox (seq) WHERE leaf IS NULL;"
	 "CREATE TRIGGER event_stays BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;"
	 "CREATE TRIGGER event_remains BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;"
	 "CREATE TRIGGER contract_stays BEFORE UPDATE ON contract BEGIN SELECT RAISE(ABORT, 'a version never changes'); END;"
	 "CREATE TRIGGER contract_remains BEFORE DELETE ON contract BEGIN SELECT RAISE(ABORT, 'a version never goes'); END;"
	 "CREATE TRIGGER outbox_once BEFORE UPDATE ON outbox WHEN OLD.leaf IS NOT NULL"
	 "  BEGIN SELECT RAISE(ABORT, 'this event is in the log already'); END;"},
	/* Of the plan in force; -1: not known yet. */
	{"plan-flow", "ALTER TABLE vendor ADD COLUMN plan_flow INTEGER NOT NULL DEFAULT -1 CHECK (plan_flow BETWEEN -1 AND 3);"},
};
const size_t registry_migrations_len = sizeof registry_migrations / sizeof *registry_migrations;
