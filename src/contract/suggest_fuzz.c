/* Whatever was captured: what is suggested is a contract that the checker takes. */
#include <stdio.h>

#include "contract/contract.h"
#include "contract/suggest.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct suggest_counts counts;
	struct buf yaml;
	struct err err;
	buf_init(&yaml, 0);
	if (contract_suggest(adapter_find("mixpanel"), (const char *)p, n, &yaml, &counts, &err) == 0) {
		struct diags d;
		diags_init(&d, "suggested.yaml");
		struct contract *c = contract_parse((const char *)yaml.data, yaml.len, &d);
		if (!c) {
			struct buf out;
			buf_init(&out, 0);
			diags_print(&d, &out);
			fwrite(out.data, 1, out.len, stderr);
			fwrite(yaml.data, 1, yaml.len, stderr);
			must(c != NULL);
		}
		contract_free(&c);
		diags_release(&d);
	}
	buf_release(&yaml);
	return 0;
}
