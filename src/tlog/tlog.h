/*
 * The transparency log: an append-only Merkle tree with signed checkpoints, in the formats of C2SP, so that anybody
 * with the public key verifies it with other people's tools.
 *
 *   hashing      RFC 6962 2.1 (leaf 0x00, node 0x01); proofs RFC 9162 2.1.3 and 2.1.4
 *   folder       c2sp.org/tlog-tiles: checkpoint, tile/L/N[.p/W], tile/entries/N[.p/W]; of partial tiles those of the
 *                newest checkpoint (any narrower one is a prefix: tlog_tile_read cuts it)
 *   checkpoint   c2sp.org/tlog-checkpoint in a c2sp.org/signed-note; cosignatures c2sp.org/tlog-cosignature (type 4)
 *   proof        c2sp.org/tlog-proof
 *
 * merkle.c, note.c and proof.c are pure: bytes in, bytes or a decision out.  store.c is the folder; it goes through
 * struct fio.  check.c reads a whole folder and names what is damaged.  Nothing here knows a clock or a socket.
 */
#ifndef TLOG_TLOG_H
#define TLOG_TLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/fio.h"

#define TLOG_CHECKED __attribute__((warn_unused_result))

enum {
	TLOG_HASH = 32,
	TLOG_TILE = 256,	/* hashes of a tile, entries of a bundle */
	TLOG_ENTRY_MAX = 65535,	/* the bundle's u16 */
	TLOG_PATH_MAX = 96,	/* "tile/entries/x018/x446/..." of any u64, with .p/255 */
	TLOG_PROOF_MAX = 64,	/* hashes of a proof: twice this for consistency never happens below 2^63 */
	TLOG_NOTE_MAX = 64 << 10,
	TLOG_NAME_MAX = 200,	/* a key's name: an origin */
	TLOG_KEY_TEXT = TLOG_NAME_MAX + 64,
	TLOG_SIGNATURES_MAX = 64,
};

struct tlog_hash {
	uint8_t b[TLOG_HASH];
};

/* ---- tree (merkle.c) ---------------------------------------------------------------------------------------------- */

void tlog_leaf(const void *entry, size_t n, struct tlog_hash *out);
void tlog_node(const struct tlog_hash *left, const struct tlog_hash *right, struct tlog_hash *out);
/* Of n subtree hashes of one height; n 0: of the empty tree. */
void tlog_root_of(const struct tlog_hash *v, size_t n, struct tlog_hash *out);

/* Hash of the complete subtree of 2^height leaves that starts at leaf index * 2^height. */
struct tlog_source {
	int (*read)(void *arg, unsigned height, uint64_t index, struct tlog_hash *out, struct err *err);
	void *arg;
};
int tlog_root(const struct tlog_source *s, uint64_t size, struct tlog_hash *out, struct err *err) TLOG_CHECKED;

struct tlog_path {
	struct tlog_hash v[TLOG_PROOF_MAX];
	size_t n;
};
/* ERR_INPUT: index >= size; old > size. */
int tlog_prove_inclusion(const struct tlog_source *s, uint64_t index, uint64_t size, struct tlog_path *out, struct err *err) TLOG_CHECKED;
int tlog_prove_consistency(const struct tlog_source *s, uint64_t old, uint64_t size, struct tlog_path *out, struct err *err) TLOG_CHECKED;
/* RFC 9162 2.1.3.2 and 2.1.4.2.  ERR_CRYPTO: it proves nothing.  A consistency proof from size 0 is an error: it would say nothing. */
int tlog_check_inclusion(const struct tlog_hash *leaf, uint64_t index, uint64_t size, const struct tlog_hash *proof, size_t n,
			 const struct tlog_hash *root, struct err *err) TLOG_CHECKED;
int tlog_check_consistency(uint64_t old, const struct tlog_hash *old_root, uint64_t size, const struct tlog_hash *root,
			   const struct tlog_hash *proof, size_t n, struct err *err) TLOG_CHECKED;

/* ---- signed notes (note.c) ---------------------------------------------------------------------------------------- */

enum tlog_sig_type { TLOG_ED25519 = 1, TLOG_COSIGNATURE = 4 };	/* types that are known; others are passed over */

struct tlog_key {
	char name[TLOG_NAME_MAX + 1];
	uint8_t type, id[4], public_key[32];
};
/* The name holds no space, no plus, no control character; ERR_INPUT. */
int tlog_key_make(const char *name, enum tlog_sig_type type, const uint8_t public_key[static 32], struct tlog_key *out,
		  struct err *err) TLOG_CHECKED;
/* A verifier key, "name+id+base64"; ERR_INPUT for a type that isn't known. */
int tlog_key_parse(const char *text, size_t n, struct tlog_key *out, struct err *err) TLOG_CHECKED;
void tlog_key_print(const struct tlog_key *k, char out[static TLOG_KEY_TEXT]);

struct tlog_signature {
	struct span name, line;	/* line: whole, with its newline */
	uint8_t id[4];
	struct span text;	/* base64 */
};
struct tlog_note {	/* all of it points into what was parsed */
	struct span text;	/* what is signed, with its newline */
	struct tlog_signature v[TLOG_SIGNATURES_MAX];
	size_t n;
};
int tlog_note_parse(const char *p, size_t n, struct tlog_note *out, struct err *err) TLOG_CHECKED;
/*
 * 1: k signed it (at: when a cosignature says it did, else 0; may be NULL); 0: k did not; -1 ERR_CRYPTO: a signature in
 * k's name is bad.
 */
int tlog_note_check(const struct tlog_note *note, const struct tlog_key *k, uint64_t *at, struct err *err) TLOG_CHECKED;
/* A signature line of k over text, appended to out; at: for cosignatures. */
void tlog_note_sign(struct span text, const struct tlog_key *k, const uint8_t secret[static 64], uint64_t at, struct buf *out);

/* ---- checkpoints -------------------------------------------------------------------------------------------------- */

struct tlog_checkpoint {
	struct span origin;	/* points into the text */
	uint64_t size;
	struct tlog_hash root;
	struct span more;	/* extension lines */
};
int tlog_checkpoint_parse(struct span text, struct tlog_checkpoint *out, struct err *err) TLOG_CHECKED;
void tlog_checkpoint_print(const struct tlog_checkpoint *c, struct buf *out);	/* without a signature */
/* Parses the note and requires k's signature and k's name as the origin.  ERR_SYNTAX, ERR_CRYPTO. */
int tlog_checkpoint_open(const char *p, size_t n, const struct tlog_key *k, struct tlog_note *note, struct tlog_checkpoint *out,
			 struct err *err) TLOG_CHECKED;

/* ---- proof files (proof.c) ---------------------------------------------------------------------------------------- */

struct tlog_proof {
	uint64_t index;
	struct tlog_path path;
	struct span extra;	/* decoded bytes aren't needed by us: as base64 */
	struct span checkpoint;	/* the signed note, to the end */
};
int tlog_proof_parse(const char *p, size_t n, struct tlog_proof *out, struct err *err) TLOG_CHECKED;
void tlog_proof_print(const struct tlog_proof *p, struct buf *out);
/* The entry is in the log that k signs: everything, from the file and the key alone. */
int tlog_proof_check(const char *p, size_t n, const void *entry, size_t entry_n, const struct tlog_key *k, struct err *err) TLOG_CHECKED;

/*
 * The body of tlog_witness_request in a file: the log's first `old` entries are as somebody saw them.  The checkpoint is checked by
 * the caller.
 */
struct tlog_consistency {
	uint64_t old;
	struct tlog_path path;
	struct span checkpoint;
};
int tlog_consistency_parse(const char *p, size_t n, struct tlog_consistency *out, struct err *err) TLOG_CHECKED;

/* ---- others who saw it (witness.c, timestamp.c) ----------------------------------------------------------------------- */

/* Body of a witness's add-checkpoint: it signed the log at size `old` last, and proof leads from there to the note. */
void tlog_witness_request(uint64_t old, const struct tlog_path *proof, struct span note, struct buf *out);
/* Of its answer 409: the size that it does know. */
int tlog_witness_size(const char *p, size_t n, uint64_t *size, struct err *err) TLOG_CHECKED;
/* Of its answer 200: the note with the witness's signature, which was checked; at: when it signed. */
int tlog_witness_answer(struct span note, const char *p, size_t n, const struct tlog_key *witness, uint64_t *at, struct buf *out,
			struct err *err) TLOG_CHECKED;

/* RFC 3161 over SHA-256 of the note: the query; and the answer, against certificates in PEM. */
int tlog_timestamp_request(struct span note, struct buf *out, struct err *err) TLOG_CHECKED;
int tlog_timestamp_check(const uint8_t *p, size_t n, struct span note, struct span roots, int64_t *at, struct err *err) TLOG_CHECKED;

/* ---- the folder (store.c) ----------------------------------------------------------------------------------------- */

/* "tile/0/x001/067.p/8"; level TLOG_ENTRIES: an entry bundle; width 0 or 256: a full one. */
enum { TLOG_ENTRIES = 64 };
void tlog_tile_path(unsigned level, uint64_t n, unsigned width, char out[static TLOG_PATH_MAX]);
/* False when path isn't the one spelling of a tile. */
bool tlog_tile_parse(struct span path, unsigned *level, uint64_t *n, unsigned *width);

struct tlog;
struct tlog_place {
	const struct fio *io;
	int dir;			/* state/tlog */
	struct tlog_key key;		/* the origin is its name */
	const uint8_t *secret;		/* NULL: read only.  Borrowed for as long as the log is open */
};
/*
 * A folder without checkpoint and without tile/ is a new log: with a secret its empty checkpoint is signed and stored.
 * The right edge is read and its root compared with the checkpoint: ERR_CORRUPT or ERR_CRYPTO when they differ (damage,
 * or a folder from a backup), and then nothing is appended.
 */
int tlog_open(const struct tlog_place *p, struct tlog **out, struct err *err) TLOG_CHECKED;
void tlog_close(struct tlog **l);

uint64_t tlog_size(const struct tlog *l);
/* The signed note of the newest checkpoint; until the next append. */
struct span tlog_checkpoint_note(const struct tlog *l);
void tlog_checkpoint_now(const struct tlog *l, struct tlog_checkpoint *out);
struct tlog_source tlog_source(struct tlog *l);
/* size: as a checkpoint said it; what lies behind it is not looked at. */
int tlog_proof_make(struct tlog *l, uint64_t index, struct buf *out, struct err *err) TLOG_CHECKED;
/* The same under an older checkpoint of this log, with whatever signatures its note has. */
int tlog_proof_under(struct tlog *l, uint64_t index, struct span note, struct buf *out, struct err *err) TLOG_CHECKED;

/*
 * Adds entries, durably, and signs a checkpoint over them: bundle, tiles, then checkpoint, each synced before the next
 * depends on it.  first: index of the first of them.  On -1 the log is as before (or, after a sync that failed, closed
 * for good until it is opened again: ERR_IO each time).
 */
int tlog_append(struct tlog *l, const struct span *entries, size_t n, uint64_t *first, struct err *err) TLOG_CHECKED;
/* Adds cosignature lines to the stored checkpoint, if they are over the newest one and new; each was checked by the caller. */
int tlog_cosign(struct tlog *l, struct span text, struct span lines, struct err *err) TLOG_CHECKED;

/* An entry by its index; appended to out.  Its hash is compared with the tree's: ERR_CORRUPT. */
int tlog_entry(struct tlog *l, uint64_t index, struct buf *out, struct err *err) TLOG_CHECKED;
/* Newest first, from below `before`, until each() returns false. */
int tlog_entries_back(struct tlog *l, uint64_t before, bool (*each)(void *arg, uint64_t index, struct span entry), void *arg,
		      struct err *err) TLOG_CHECKED;

/*
 * A tile as a reader over HTTP asks for it: exactly width hashes or entries, cut from a wider one where the folder has
 * that.  Needs no open log.  ERR_NOTFOUND.
 */
int tlog_tile_read(const struct fio *io, int dir, unsigned level, uint64_t n, unsigned width, struct buf *out, struct err *err) TLOG_CHECKED;
/* A whole small file of the folder. */
int tlog_file_read(const struct fio *io, int dir, const char *path, size_t max, struct buf *out, struct err *err) TLOG_CHECKED;

/* ---- checking a whole folder (check.c) ---------------------------------------------------------------------------- */

struct tlog_damage {
	const char *file;	/* beneath the folder */
	uint64_t from, to;	/* bytes, half open; to UINT64_MAX: to its end */
	const char *why;
};
struct tlog_checked {
	uint64_t size, entries, tiles;	/* looked at */
	size_t damages, strays;		/* strays: left by a crash, not part of the log */
	struct tlog_hash root;
};
/*
 * Reads every file there is.  each_damage is called for each place that isn't what the signed tree says; each_entry
 * (may be NULL) for each good entry, in order.  -1 only when the folder can't be read; damage is counted.
 */
int tlog_check(const struct fio *io, int dir, const struct tlog_key *k, void (*each_damage)(void *arg, const struct tlog_damage *d),
	       void (*each_entry)(void *arg, uint64_t index, struct span entry), void *arg, struct tlog_checked *out,
	       struct err *err) TLOG_CHECKED;

/*
 * Is `now` a later state of the log that `then` is a checkpoint of?  Both are signed notes of k; s holds now's tree.
 * ERR_DENIED: rolled back (now is smaller), or forked (another root, or no consistency).
 */
int tlog_compare(struct span then, struct span now, const struct tlog_key *k, const struct tlog_source *s, struct err *err) TLOG_CHECKED;

#endif
