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
	{"incidents",
	 "CREATE TABLE incident ("
	 "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	 "  vendor TEXT NOT NULL REFERENCES vendor(vendor),"
	 "  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),"
	 "  source TEXT NOT NULL,"			/* person, peer, canary */
	 "  at INTEGER NOT NULL,"
	 "  by TEXT NOT NULL,"
	 "  why TEXT NOT NULL,"
	 "  cut_off INTEGER NOT NULL DEFAULT 0 CHECK (cut_off IN (0, 1)),"
	 "  since TEXT,"
	 "  until TEXT,"
	 "  tlp TEXT,"					/* of the bundle it came from */
	 "  severity TEXT,"				/* inputs that a person confirmed, JSON */
	 "  severity_by TEXT,"
	 "  severity_why TEXT,"
	 "  severity_at INTEGER"
	 ") STRICT;"
	 "CREATE INDEX incident_vendor ON incident (vendor, id);"
	 "CREATE TABLE incident_anchor ("
	 "  incident INTEGER NOT NULL REFERENCES incident(id),"
	 "  anchor TEXT NOT NULL,"
	 "  at INTEGER NOT NULL,"
	 "  by TEXT NOT NULL,"
	 "  why TEXT NOT NULL,"
	 "  PRIMARY KEY (incident, anchor)"
	 ") STRICT;"
	 "CREATE TABLE incident_scope ("
	 "  incident INTEGER NOT NULL REFERENCES incident(id),"
	 "  n INTEGER NOT NULL,"
	 "  at INTEGER NOT NULL,"
	 "  by TEXT NOT NULL,"
	 "  why TEXT NOT NULL,"
	 "  request TEXT NOT NULL,"			/* of the ledger; JSON */
	 "  answer TEXT NOT NULL,"			/* counts only */
	 "  digest BLOB NOT NULL CHECK (length(digest) = 32),"
	 "  newly INTEGER,"				/* people who were in no earlier version; NULL: not known */
	 "  dropped INTEGER,"				/* people of the version before who are not in this one */
	 "  PRIMARY KEY (incident, n)"
	 ") STRICT;"
	 "CREATE TRIGGER scope_stays BEFORE UPDATE ON incident_scope BEGIN SELECT RAISE(ABORT, 'a snapshot never changes'); END;"
	 "CREATE TABLE incident_message ("
	 "  incident INTEGER NOT NULL REFERENCES incident(id),"
	 "  n INTEGER NOT NULL,"
	 "  received INTEGER NOT NULL,"
	 "  sender TEXT NOT NULL,"
	 "  summary TEXT NOT NULL,"
	 "  sha256 BLOB NOT NULL CHECK (length(sha256) = 32),"	/* of the text; the text itself isn't kept */
	 "  by TEXT NOT NULL,"
	 "  at INTEGER NOT NULL,"
	 "  PRIMARY KEY (incident, n)"
	 ") STRICT;"
	 "CREATE TABLE incident_mark ("
	 "  incident INTEGER NOT NULL REFERENCES incident(id),"
	 "  deadline TEXT NOT NULL,"
	 "  filed INTEGER,"
	 "  suspended_until INTEGER,"
	 "  not_applicable TEXT,"
	 "  proof TEXT NOT NULL,"
	 "  by TEXT NOT NULL,"
	 "  at INTEGER NOT NULL,"
	 "  PRIMARY KEY (incident, deadline)"
	 ") STRICT;"
	 "CREATE TABLE notice_draft ("
	 "  incident INTEGER NOT NULL REFERENCES incident(id),"
	 "  n INTEGER NOT NULL,"
	 "  kind TEXT NOT NULL CHECK (kind IN ('people', 'authority')),"
	 "  lang TEXT NOT NULL,"
	 "  text TEXT NOT NULL,"
	 "  missing TEXT NOT NULL,"			/* JSON array of elements without text */
	 "  digest BLOB NOT NULL CHECK (length(digest) = 32),"
	 "  by TEXT NOT NULL,"
	 "  at INTEGER NOT NULL,"
	 "  PRIMARY KEY (incident, n)"
	 ") STRICT;"
	 "CREATE TABLE notice_campaign ("
	 "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	 "  incident INTEGER NOT NULL REFERENCES incident(id),"
	 "  digest BLOB NOT NULL CHECK (length(digest) = 32),"	/* of the texts and the audience */
	 "  letters INTEGER NOT NULL,"
	 "  by TEXT NOT NULL,"
	 "  at INTEGER NOT NULL,"
	 "  released_by TEXT,"
	 "  released_at INTEGER,"
	 "  UNIQUE (incident, digest)"
	 ") STRICT;"
	 "CREATE TABLE notice_letter ("
	 "  incident INTEGER NOT NULL REFERENCES incident(id),"
	 "  person TEXT NOT NULL,"			/* keyed pseudonym of the recipient; no address is kept */
	 "  campaign INTEGER NOT NULL REFERENCES notice_campaign(id),"	/* the newest that wrote to them */
	 "  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),"
	 "  tries INTEGER NOT NULL DEFAULT 0,"
	 "  code INTEGER NOT NULL DEFAULT 0,"		/* of the mail server's newest reply */
	 "  mailer TEXT NOT NULL DEFAULT '',"		/* the run that is sending */
	 "  at INTEGER NOT NULL,"
	 "  PRIMARY KEY (incident, person)"
	 ") STRICT;"
	 "CREATE TABLE share_bundle ("
	 "  sha256 BLOB PRIMARY KEY CHECK (length(sha256) = 32),"
	 "  incident INTEGER REFERENCES incident(id),"	/* NULL: stored, no vendor of ours */
	 "  way TEXT NOT NULL CHECK (way IN ('export', 'import')),"
	 "  tlp TEXT NOT NULL,"
	 "  by TEXT NOT NULL,"
	 "  at INTEGER NOT NULL"
	 ") STRICT;"},
	{"account",
	 "CREATE TABLE account ("			/* who may look at the console */
	 "  name TEXT PRIMARY KEY,"
	 "  hash TEXT NOT NULL,"			/* argon2id, libsodium's form */
	 "  at INTEGER NOT NULL,"
	 "  by TEXT NOT NULL"
	 ") STRICT;"},
	{"posture",
	 "CREATE TABLE posture_grade ("			/* a row a probe that saw something */
	 "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	 "  vendor TEXT NOT NULL REFERENCES vendor(vendor),"
	 "  host TEXT NOT NULL,"
	 "  target TEXT NOT NULL,"
	 "  profile TEXT NOT NULL CHECK (profile IN ('web', 'api')),"
	 "  pack TEXT NOT NULL,"			/* of rules */
	 "  grade TEXT NOT NULL,"
	 "  score INTEGER NOT NULL,"
	 "  coverage INTEGER NOT NULL,"			/* percent of the rules that were answered */
	 "  at INTEGER NOT NULL"
	 ") STRICT;"
	 "CREATE INDEX posture_grade_vendor ON posture_grade (vendor, at, id);"
	 "CREATE TABLE posture_result ("		/* of the newest */
	 "  vendor TEXT NOT NULL REFERENCES vendor(vendor),"
	 "  host TEXT NOT NULL,"
	 "  rule TEXT NOT NULL,"
	 "  version INTEGER NOT NULL,"
	 "  outcome TEXT,"				/* NULL: unknown */
	 "  verdict TEXT NOT NULL CHECK (verdict IN ('pass', 'warn', 'fail', 'unknown')),"
	 "  evidence TEXT NOT NULL,"
	 "  at INTEGER NOT NULL,"
	 "  n INTEGER NOT NULL,"			/* place in the report */
	 "  PRIMARY KEY (vendor, host, rule)"
	 ") STRICT;"
	 "CREATE INDEX posture_result_host ON posture_result (host, rule);"
	 "CREATE TABLE posture_probe ("
	 "  vendor TEXT PRIMARY KEY REFERENCES vendor(vendor),"
	 "  at INTEGER NOT NULL"			/* also in vain */
	 ") STRICT;"},
};
const size_t registry_migrations_len = sizeof registry_migrations / sizeof *registry_migrations;
