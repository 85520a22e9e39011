/* Every kernel gives the same answer; what passes can be unescaped within its own length. */
#include <stdlib.h>
#include <string.h>

#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = calloc(1, n + JSON_PAD), *plain = malloc(n + 1);
	memcpy(text, data, n);
	struct err first = {0};
	int want = 0;
	for (enum json_kernel k = JSON_PLAIN; k <= JSON_AVX2; k++) {
		struct err err = {0};
		if (!json_kernel_force(k))
			continue;
		int got = json_check(text, n, NULL, &err);
		if (k == JSON_PLAIN) {
			want = got;
			first = err;
		}
		must(got == want && err.off == first.off && err.code == first.code);
	}
	if (want == 0 && n > 2 && text[0] == '"' && text[n - 1] == '"')
		must(json_unescape_lossy(text + 1, n - 2, plain) <= n - 2);
	free(plain);
	free(text);
	return 0;
}
