/*
 * Any bytes as a contract file.  What is accepted survives its canonical form, and is the same as its own successor.
 * Seeds: src/contract/samples, catalog/starter; dictionary: contract.dict beside this file.
 */
#include <stdlib.h>

#include "contract/contract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void reads_back(const struct contract *c)
{
	struct buf one, two;
	struct err err;
	buf_init(&one, 0);
	buf_init(&two, 0);
	contract_to_json(c, &one);
	struct contract *again = contract_from_json((const char *)one.data, one.len, &err);
	must(again);
	contract_to_json(again, &two);
	must(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
	struct contract_changes ch;
	contract_diff(c, again, &ch);
	must(ch.n == 0);
	contract_changes_release(&ch);
	contract_free(&again);
	buf_release(&one);
	buf_release(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct diags d;
	struct buf out;
	struct err err;
	buf_init(&out, 0);
	diags_init(&d, "f");
	struct contract *c = contract_parse((const char *)data, n, &d);
	must(!c == (d.errors > 0));
	diags_print(&d, &out);
	diags_print_json(&d, &out);
	if (c)
		reads_back(c);
	contract_free(&c);
	c = contract_from_json((const char *)data, n, &err);
	if (c)
		reads_back(c);
	contract_free(&c);
	diags_release(&d);
	buf_release(&out);
	return 0;
}
