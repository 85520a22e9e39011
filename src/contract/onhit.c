/* What becomes of a value in which the detectors find something, as contracts write it: a word, or {mask: N}. */
#include <jansson.h>

#include "base/err.h"
#include "contract/read.h"

enum { MASK_TAIL_MAX = 4 };	/* as much of a card as may be shown; more would be a way to let values out */

static const char *const words[] = {
	[HIT_REDACT] = "redact", [HIT_MASK] = "mask", [HIT_PSEUDONYM] = "pseudonym",
	[HIT_DROP] = "drop", [HIT_DROP_EVENT] = "drop_event", [HIT_REFUSE] = "refuse", [HIT_ACTIONS] = NULL};

const char *on_hit_word(enum hit_action what)
{
	return words[what];
}

static void read_mask(struct reader *r, const struct ynode *v, struct on_hit *out)
{
	int64_t n = 0;
	if (v->type != YN_SCALAR || v->quoted || !word_int(v->text, 0, MASK_TAIL_MAX, &n))
		FAULT(r, v, bad_argument, "mask takes how many of the last characters of a hit stay, 0 to %d", MASK_TAIL_MAX);
	*out = (struct on_hit){HIT_MASK, (uint8_t)n};
}

bool read_on_hit(struct reader *r, const struct ynode *v, struct on_hit *out)
{
	if (v->type == YN_MAP && v->n == 1 && !v->first->bad && span_eq(v->first->key->text, "mask")) {
		read_mask(r, v->first, out);
		return true;
	}
	int i = v->type == YN_SCALAR ? word_index(v->text, words) : -1;
	if (i == HIT_MASK) {
		FAULT(r, v, bad_argument, "mask needs an argument");
		diags_hint(r->d, "write on_hit: {mask: 4}");
	} else if (i < 0) {
		const struct ynode *at = v->type == YN_MAP && v->first ? v->first->key : v;
		FAULT(r, at, unknown_word, "on_hit takes redact, {mask: N}, pseudonym, drop, drop_event or refuse");
		if (at->type == YN_SCALAR)
			hint_nearest(r, at->text, words);
	} else {
		*out = (struct on_hit){.what = (enum hit_action)i};
	}
	return i >= 0 && i != HIT_MASK;
}

struct json_t *on_hit_json(struct on_hit h)
{
	return h.what == HIT_MASK ? json_pack("{s:i}", "mask", h.keep) : json_string(words[h.what]);
}

void on_hit_text(struct on_hit h, struct buf *out)
{
	buf_adds(out, words[h.what]);
	if (h.what == HIT_MASK)
		buf_addf(out, ": %u", h.keep);
}
