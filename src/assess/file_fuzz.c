/* Answer files: whatever comes, either diagnostics or answers that the format can say; never both, never a crash. */
#include <stdint.h>

#include "assess/assess.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct diags d;
	struct buf out;
	diags_init(&d, "answers.yaml");
	buf_init(&out, 0);
	json_t *a = assess_file_read((const char *)data, n, &d);
	must((a != NULL) == (d.errors == 0));
	diags_print(&d, &out);
	json_decref(a);
	buf_release(&out);
	diags_release(&d);
	return 0;
}
