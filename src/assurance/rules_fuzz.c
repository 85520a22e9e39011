/* Rules files: diagnostics or rules, never both, never a crash. */
#include <stdint.h>

#include "assurance/assurance.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct diags d;
	struct assurance_rules rules;
	diags_init(&d, "assurance.yaml");
	int r = assurance_parse((const char *)data, n, &rules, &d);
	must((r == 0) == (d.errors == 0));
	for (size_t i = 0; r == 0 && i < rules.n; i++)
		must(rules.v[i].name[0] && rules.v[i].set && rules.v[i].then > FLOW_OPEN);
	if (r == 0)
		assurance_rules_release(&rules);
	diags_release(&d);
	return 0;
}
