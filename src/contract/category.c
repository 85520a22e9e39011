/*
 * What a value is after its action, as a category: a bucket, a host or a pseudonym isn't what it was made of, and whoever
 * must tell people what was lost has to say what really left.
 *
 * Where Fideslang has a key for it, that key; else the field's own key with a word behind it ("user.contact.email.domain"),
 * so that a question for the whole (user.contact.email) still finds it: too much rather than too little.
 */
#include <string.h>

#include "base/diag.h"
#include "contract/program.h"
#include "contract/read.h"

/* A decimal place of a degree is 11 km, a second 1.1 km; Fideslang calls a place imprecise from 500 m. */
enum { IMPRECISE_DECIMALS = 2 };

static bool under(struct span category, struct span prefix)
{
	return category.len >= prefix.len && memcmp(category.at, prefix.at, prefix.len) == 0 &&
	       (category.len == prefix.len || category.at[prefix.len] == '.');
}

static const char *word_behind(const struct rule *r)
{
	static const char *const words[ACTIONS] = {
		[ACT_DOMAIN] = "domain", [ACT_IP] = "network", [ACT_BUCKET] = "range", [ACT_MASK] = "masked", [ACT_URL] = "origin",
	};
	return r->action == ACT_URL && (r->url_path || r->query_len) ? NULL : words[r->action];
}

void category_left(const struct act *a, struct buf *out)
{
	const struct rule *r = a->rule;
	const struct span pseudonym = SPAN("user.unique_id.pseudonymous"), imprecise = SPAN("user.location.imprecise");
	struct span c = SPAN("");
	if (r && r->category.len)
		c = r->category;
	else if (a->slot && a->slot->category)
		c = (struct span){a->slot->category, strlen(a->slot->category)};
	if (r ? r->action == ACT_PSEUDONYM
	      : a->role == SLOT_ID && (a->identity == IDENTITY_PSEUDONYM || a->identity == IDENTITY_DAILY))
		c = pseudonym;
	else if (r && r->action == ACT_CONST)	/* the contract's own text */
		c = (struct span)SPAN("");
	else if (r && r->action == ACT_ROUND && r->decimals <= IMPRECISE_DECIMALS && under(c, (struct span)SPAN("user.location")))
		c = imprecise;
	if (!c.len && a->detect && a->on_hit_own && a->on_hit.what == HIT_PSEUDONYM)	/* nobody said what else is there */
		c = pseudonym;
	buf_add(out, c.at, c.len);
	if (c.len && r && word_behind(r))
		buf_addf(out, ".%s", word_behind(r));
}

bool category_reduced(struct span category)
{
	static const struct span words[] = {SPAN(".domain"), SPAN(".network"), SPAN(".range"), SPAN(".masked"), SPAN(".origin")};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (category.len > words[i].len && memcmp(category.at + category.len - words[i].len, words[i].at, words[i].len) == 0)
			return true;
	return false;
}

const char *category_nearest(const char *text, bool *same)
{
	size_t n = 0;
	while (contract_categories[n])
		n++;
	*same = false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(contract_categories[i], text) == 0) {
			*same = true;
			return contract_categories[i];
		}
	return diag_nearest(text, strlen(text), contract_categories, n);
}
