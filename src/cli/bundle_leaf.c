/* What bundle_make.c and bundle_check.c share: leaves of the log, and the words for a reader. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/bundle.h"

const char bundle_readme[] =
	"What this is\n"
	"\n"
	"  answer.json      what Weir answered, in one spelling (members sorted, no spaces): whose data a vendor has, in counts, or which\n"
	"                   vendors have one person's data.  Days are UTC\n"
	"  checkpoint       the signed state of the transparency log that everything below is proved under\n"
	"  key.vkey         the key that it is signed with; get it from its owner by another way than this folder\n"
	"  entry-N.json     entry N of the log, byte for byte; entry-N.proof: its proof (c2sp.org/tlog-proof)\n"
	"                     state  how much there was when the answer was given: so many closed days, the root over the dictionary\n"
	"                            of identifiers, and the SHA-256 of answer.json\n"
	"                     day    a closed day of the ledger: SHA-256 of its file, of the file's head, Merkle root over its containers.\n"
	"                            All of them, `number` 1 to the state's `days`: none is left out\n"
	"                     batch  the newest exposures that were logged before the answer\n"
	"                     event  what was decided about a vendor: when, of which kind, and a salted hash of the rest\n"
	"  contract-VENDOR-N.json  version N of a contract, canonical (RFC 8785); its SHA-256 is the digest in answer.json\n"
	"  consistency-N.proof     that the log's first N entries, as somebody saw them (witness, timestamp, an older checkpoint), are the\n"
	"                   first of this log: `old N`, the RFC 6962 consistency path, the checkpoint (the body of c2sp.org/tlog-witness)\n"
	"  witness/, timestamp/, known  what others signed or had seen, where there is any\n"
	"  subject-HEX.json, day-DAY.json  of a question about a person: see below\n"
	"\n"
	"How to check it\n"
	"\n"
	"  weir audit verify FOLDER --key KEY       all of it, needs nothing but this folder and the key\n"
	"  weir audit verify --proof entry-N.proof --entry entry-N.json --key KEY      one entry\n"
	"  sha256sum answer.json contract-*.json\n"
	"  With other tools: a proof is the lines `index N`, then the RFC 6962 inclusion path in base64, then the checkpoint, a\n"
	"  signed note (c2sp.org/signed-note, Ed25519).  In Go: golang.org/x/mod/sumdb/note opens the checkpoint with the key,\n"
	"  golang.org/x/mod/sumdb/tlog's CheckRecord takes the path, the index, the size and root of the checkpoint, and\n"
	"  RecordHash of the entry.  A timestamp: openssl ts -verify -data timestamp/checkpoint -in timestamp/answer.tsr -CAfile CA\n"
	"\n"
	"One person, and what a vendor did not get\n"
	"\n"
	"  subject-HEX.json  the identifier HEX is number `id`: `keys` is a leaf of the dictionary (64 identifiers of 16 bytes each, in\n"
	"    base64), and `path` leads from SHA-256(0x00, leaf), leaf number id / 64 of as many as the state's `subjects` need, to its `dict`\n"
	"  day-DAY.json  `head` is the beginning of that day's file, and its SHA-256 is the `head` of the day's entry.  Little-endian: at 24\n"
	"    how many sets (u32), at 28 how many containers, at 48 the root; from 96 each set: u8 kind (1 by the gate, 2 recorded by other\n"
	"    ways, 3 attested to be deleted), u8, u16 length of the vendor's name, u16 fields, the name, for each field u16 length, path,\n"
	"    u16 length, category; u64 events.  A container: u32 number of its set, u16 chunk, u8 form, u8 0, u32 n, u32 checksum, then\n"
	"    by form: 1 n numbers u16; 2 a bitset of 8192 bytes; 3 n pairs u16 first, u16 length - 1.  It says which of the identifiers\n"
	"    chunk * 65536 to chunk * 65536 + 65535 are in that set; its path leads from SHA-256(0x00, container) to the root.\n"
	"    An identifier is not in a set when the container lacks its bit, or when there is no container: they stand by set, then chunk,\n"
	"    and the two between which it would stand are neighbours (or the first, or the last)\n"
	"\n"
	"What it proves, and what it doesn't\n"
	"\n"
	"  That these days, exposures and decisions were in the log when the checkpoint was signed, and that this answer was given on top of\n"
	"  them.  Whoever holds the ledger can show the days' files: their SHA-256 stands in the entries, and the counts can be made again\n"
	"  from them; the counts are computed, not proved.  Of a person: on which closed days a vendor got something, and on which it\n"
	"  didn't, as far as it was recorded; that containers stand in order, and that no identifier has two numbers, is seen by whoever\n"
	"  reads the files themselves.  What is recorded of a day that isn't closed yet is in a batch: that it was recorded is proved, that\n"
	"  something was not isn't before the day is closed.\n"
	"  Nobody can prove that an identifier which was never recorded wasn't sent.  Without a witness or a timestamp, nothing is proved\n"
	"  against whoever holds the signing key.\n";

static bool number_of(const json_t *leaf, const char *name, uint64_t *out)
{
	const json_t *v = json_object_get(leaf, name);
	*out = (uint64_t)json_integer_value(v);
	return json_is_integer(v) && json_integer_value(v) >= 0;
}

static bool hash_of(const json_t *leaf, const char *name, uint8_t out[static 32])
{
	const char *s = json_string_value(json_object_get(leaf, name));
	return s && hex_decode(s, strlen(s), out, 32);
}

static bool is_leaf(const json_t *leaf, const char *what)
{
	const char *s = json_string_value(json_object_get(leaf, "weir"));
	return s && strcmp(s, what) == 0;
}

void bundle_day_name(const char *day, uint64_t generation, char out[static 24])
{
	if (generation == 1)
		snprintf(out, 24, "%.10s", day);
	else
		snprintf(out, 24, "%.10s.%u", day, (unsigned)generation);
}

bool bundle_day_of(const json_t *leaf, uint64_t index, struct bundle_day *out)
{
	const char *day = json_string_value(json_object_get(leaf, "day"));
	uint64_t generation;
	*out = (struct bundle_day){.index = index};
	if (!is_leaf(leaf, "day") || !day || strlen(day) != 10 || strchr(day, '/') || !number_of(leaf, "generation", &generation) || generation > 65535 ||
	    !number_of(leaf, "number", &out->number) || !hash_of(leaf, "head", out->head) || !hash_of(leaf, "root", out->root) ||
	    !hash_of(leaf, "sha256", out->sha256))
		return false;
	bundle_day_name(day, generation, out->name);
	return out->number > 0;
}

bool bundle_state_of(const json_t *leaf, uint64_t index, struct bundle_state *out)
{
	uint64_t subjects;
	*out = (struct bundle_state){.index = index};
	if (!is_leaf(leaf, "state") || !number_of(leaf, "days", &out->days) || !number_of(leaf, "subjects", &subjects) || subjects > UINT32_MAX ||
	    !hash_of(leaf, "dict", out->dict) || !hash_of(leaf, "answer", out->answer))
		return false;
	out->subjects = (uint32_t)subjects;
	return true;
}
