/*
 * c2sp.org/tlog-witness, the asking side: POST add-checkpoint
 *
 *   old SIZE                  the size that the witness signed last
 *   BASE64 of a hash          the consistency proof from there, a line each
 *   (blank)
 *   the signed checkpoint
 *
 * is answered 200 with signature lines, or 409 with the size that the witness does know.
 */
#include <inttypes.h>
#include <string.h>

#include "tlog/tlog.h"

void tlog_witness_request(uint64_t old, const struct tlog_path *proof, struct span note, struct buf *out)
{
	char text[48];
	buf_addf(out, "old %" PRIu64 "\n", old);
	for (size_t i = 0; i < proof->n; i++) {
		base64_encode(proof->v[i].b, TLOG_HASH, text);
		buf_addf(out, "%s\n", text);
	}
	buf_addc(out, '\n');
	buf_add(out, note.at, note.len);
}

int tlog_witness_size(const char *p, size_t n, uint64_t *size, struct err *err)
{
	*size = 0;
	if (n && p[n - 1] == '\n')
		n--;
	bool good = n > 0 && n <= 18;
	for (size_t i = 0; i < n && good; i++) {
		good = p[i] >= '0' && p[i] <= '9';
		*size = *size * 10 + (uint64_t)(p[i] - '0');
	}
	return good ? 0 : err_set(err, ERR_SYNTAX, "the witness's answer isn't a size");
}

/* Lines in other names are its own affair, and left out. */
int tlog_witness_answer(struct span note, const char *p, size_t n, const struct tlog_key *witness, uint64_t *at, struct buf *out,
			struct err *err)
{
	struct buf all;
	struct tlog_note parsed;
	buf_init(&all, TLOG_NOTE_MAX);
	buf_add(&all, note.at, note.len);
	buf_add(&all, p, n);
	int r = all.over ? err_set(err, ERR_LIMIT, "the witness's answer is too long")
			 : tlog_note_parse((const char *)all.data, all.len, &parsed, err);
	if (r == 0) {
		r = tlog_note_check(&parsed, witness, at, err);
		if (r == 0)
			r = err_set(err, ERR_CRYPTO, "the answer isn't signed by %s", witness->name);
	}
	if (r == 1) {
		buf_add(out, note.at, note.len);
		for (size_t i = 0; i < parsed.n; i++)
			if (parsed.v[i].line.at >= (const char *)all.data + note.len && span_eq(parsed.v[i].name, witness->name) &&
			    memcmp(parsed.v[i].id, witness->id, sizeof witness->id) == 0)
				buf_add(out, parsed.v[i].line.at, parsed.v[i].line.len);
		r = 0;
	}
	buf_release(&all);
	return r;
}
