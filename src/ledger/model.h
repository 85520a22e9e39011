/*
 * For the ledger's tests: a naive model of it, a row of random operations that both are put through, and answers compared.
 */
#ifndef LEDGER_MODEL_H
#define LEDGER_MODEL_H

#include "ledger/ledger_rig.h"

enum { MASKS = 40, PARTS = 1200, ERASURES = 600, COUNTRIES = 3 };
extern const char *const countries[COUNTRIES];	/* "unknown" is the first */

struct cell {
	uint64_t fields;	/* of paths */
	bool deleted;
};

struct model {
	int64_t day[PARTS];	/* of a part: each is what came for a day until it was closed */
	uint32_t generation[PARTS];
	bool open[PARTS];
	uint64_t events[PARTS][VENDORS];
	bool any[PARTS][VENDORS];
	struct cell cell[PARTS][VENDORS][PEOPLE];
	int parts;
	bool same[PEOPLE][PEOPLE], belongs[PEOPLE][PEOPLE];
	int64_t arrived[PARTS][VENDORS];	/* before it; 0: nothing noted */
	uint32_t person[PEOPLE];	/* whose each identifier is; model_people */
	bool known[PEOPLE], restricted[PEOPLE], erased[PEOPLE];
	bool country[PEOPLE][COUNTRIES];	/* ever seen */
	struct {
		int64_t at;
		uint32_t people[VENDORS], unattested[VENDORS];
	} erasure[ERASURES];
	int erasures;
	int64_t all_deleted[VENDORS];	/* when it last attested to have deleted everybody */
};

int model_part(struct model *m, int64_t day);	/* the open one of that day */
/* country: NULL or "": not known */
void model_expose(struct model *m, int64_t day, int vendor, uint32_t who, uint64_t fields, const char *country);
void model_delete_all(struct model *m, int64_t day, int vendor);
void model_close(struct model *m, int64_t before);	/* days before it */
void model_people(struct model *m);
/* What an erasure of this person would count. */
void model_held(const struct model *m, uint32_t who, int64_t today, bool held[static VENDORS], bool unattested[static VENDORS]);
void model_erase(struct model *m, uint32_t who, int64_t today);

/* Each asks the ledger and compares. */
void check_blast(struct rig *r, const struct model *m, int vendor, int64_t since, int64_t until, int64_t today);
void check_fields(struct rig *r, const struct model *m, int vendor, const char *what, const char *name, int64_t today);	/* "category" or "field" */
void check_jurisdiction(struct rig *r, const struct model *m, int vendor, int country, int64_t today);
void check_subject(struct rig *r, const struct model *m, uint32_t who, int64_t today);
void check_holdings(struct rig *r, const struct model *m, int vendor, int64_t today);

struct play {
	struct rig *r;		/* NULL: the model alone */
	struct model *m;
	uint64_t source;
	uint32_t records;
	int64_t today;
	int done;		/* operations */
	uint64_t random;	/* what the next one is made of */
	uint64_t restarts;
	bool again;		/* the next may have been done already, wholly or in part, by somebody who was killed */
	const struct leaf_info (*leaves)[SERIALS];
	int mail;		/* the path of what is recorded */
	uint8_t masks[VENDORS][SERIALS][MASKS][8];
	struct {
		uint64_t source;
		int vendor, serial;
		int64_t day;
		struct shown shown;
	} old[64];
};
void play_begin(struct play *p, struct rig *r, uint64_t seed);
void play_one(struct play *p);	/* the next operation; the same ones for a seed */
void play_look(struct play *p);	/* some answers, compared */
void play_look_at_all(struct play *p);
void play_end(struct play *p);

#endif
