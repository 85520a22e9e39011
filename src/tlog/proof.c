/*
 * c2sp.org/tlog-proof: a file that proves, with nothing else but the entry and the log's key, that an entry is in a log.
 *
 *   c2sp.org/tlog-proof@v1
 *   extra BASE64              (optional; kept, of no meaning here)
 *   index N
 *   BASE64 of a hash          a line each, leaf to root
 *   (blank)
 *   the signed checkpoint
 */
#include <inttypes.h>
#include <string.h>

#include "tlog/tlog.h"

static const char head[] = "c2sp.org/tlog-proof@v1";
enum { HASH_TEXT = 44 };

static bool next_line(const char **at, const char *end, struct span *line)
{
	const char *stop = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;
	if (!stop)
		return false;
	*line = (struct span){*at, (size_t)(stop - *at)};
	*at = stop + 1;
	return true;
}

static bool take_number(struct span line, const char *word, uint64_t *out)
{
	const size_t w = strlen(word);
	*out = 0;
	if (line.len <= w || line.len > w + 19 || memcmp(line.at, word, w) != 0 || (line.at[w] == '0' && line.len > w + 1))
		return false;
	for (size_t i = w; i < line.len; i++) {
		if (line.at[i] < '0' || line.at[i] > '9')
			return false;
		*out = *out * 10 + (uint64_t)(line.at[i] - '0');
	}
	return *out <= INT64_MAX;
}

static bool take_hash(struct span line, struct tlog_hash *out)
{
	uint8_t bytes[3 * HASH_TEXT / 4 + 3];
	char again[HASH_TEXT + 1];
	if (line.len != HASH_TEXT || base64_decode(line.at, line.len, bytes) != TLOG_HASH)
		return false;
	base64_encode(bytes, TLOG_HASH, again);
	if (memcmp(again, line.at, HASH_TEXT) != 0)
		return false;
	memcpy(out->b, bytes, TLOG_HASH);
	return true;
}

/* Hashes to a blank line, then the signed checkpoint. */
static int take_path(const char *p, const char *at, const char *end, struct tlog_path *path, struct span *checkpoint, struct err *err)
{
	struct span line = {at, 1};
	while (next_line(&at, end, &line) && line.len) {
		if (path->n == TLOG_PROOF_MAX || !take_hash(line, &path->v[path->n]))
			return err_at(err, ERR_SYNTAX, (size_t)(line.at - p), "not a hash of the proof");
		path->n++;
	}
	if (line.len || at == end)
		return err_set(err, ERR_SYNTAX, "the proof has no checkpoint");
	*checkpoint = (struct span){at, (size_t)(end - at)};
	return 0;
}

int tlog_proof_parse(const char *p, size_t n, struct tlog_proof *out, struct err *err)
{
	const char *at = p, *end = p + n;
	struct span line;
	*out = (struct tlog_proof){0};
	if (n > TLOG_NOTE_MAX)
		return err_set(err, ERR_LIMIT, "a proof has at most %d bytes", TLOG_NOTE_MAX);
	if (!next_line(&at, end, &line) || !span_eq(line, head))
		return err_at(err, ERR_SYNTAX, 0, "not a proof: its first line isn't %s", head);
	if (!next_line(&at, end, &line))
		return err_set(err, ERR_SYNTAX, "the proof ends early");
	if (line.len > 6 && memcmp(line.at, "extra ", 6) == 0) {
		out->extra = (struct span){line.at + 6, line.len - 6};
		if (!next_line(&at, end, &line))
			return err_set(err, ERR_SYNTAX, "the proof ends early");
	}
	if (!take_number(line, "index ", &out->index))
		return err_at(err, ERR_SYNTAX, (size_t)(line.at - p), "the proof's index isn't a number");
	return take_path(p, at, end, &out->path, &out->checkpoint, err);
}

int tlog_consistency_parse(const char *p, size_t n, struct tlog_consistency *out, struct err *err)
{
	const char *at = p, *end = p + n;
	struct span line;
	*out = (struct tlog_consistency){0};
	if (n > TLOG_NOTE_MAX)
		return err_set(err, ERR_LIMIT, "a proof has at most %d bytes", TLOG_NOTE_MAX);
	if (!next_line(&at, end, &line) || !take_number(line, "old ", &out->old))
		return err_at(err, ERR_SYNTAX, 0, "not a proof of consistency: its first line isn't `old N`");
	return take_path(p, at, end, &out->path, &out->checkpoint, err);
}

void tlog_proof_print(const struct tlog_proof *p, struct buf *out)
{
	char text[HASH_TEXT + 1];
	buf_addf(out, "%s\n", head);
	if (p->extra.len) {
		buf_adds(out, "extra ");
		buf_add(out, p->extra.at, p->extra.len);
		buf_addc(out, '\n');
	}
	buf_addf(out, "index %" PRIu64 "\n", p->index);
	for (size_t i = 0; i < p->path.n; i++) {
		base64_encode(p->path.v[i].b, TLOG_HASH, text);
		buf_addf(out, "%s\n", text);
	}
	buf_addc(out, '\n');
	buf_add(out, p->checkpoint.at, p->checkpoint.len);
}

int tlog_proof_check(const char *p, size_t n, const void *entry, size_t entry_n, const struct tlog_key *k, struct err *err)
{
	struct tlog_proof proof;
	struct tlog_note note;
	struct tlog_checkpoint c;
	struct tlog_hash leaf;
	if (tlog_proof_parse(p, n, &proof, err) < 0)
		return -1;
	if (tlog_checkpoint_open(proof.checkpoint.at, proof.checkpoint.len, k, &note, &c, err) < 0)
		return -1;
	tlog_leaf(entry, entry_n, &leaf);
	return tlog_check_inclusion(&leaf, proof.index, c.size, proof.path.v, proof.path.n, &c.root, err);
}
