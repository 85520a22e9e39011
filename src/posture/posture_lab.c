/* Judges captures: one as JSON a line in (capture_read.h), one report a line out.  tests/e2e_posture drives it. */
#include <stdio.h>
#include <stdlib.h>

#include "posture/capture_read.h"
#include "posture/report.h"

static void judge(const json_t *j)
{
	struct arena a;
	struct posture_capture c;
	struct posture_report r;
	arena_init(&a, 0);
	capture_read(j, &a, &c);
	posture_judge(&c, &r);
	json_t *out = posture_report_json(c.host, &c, &r);
	char *line = json_dumps(out, JSON_COMPACT);
	puts(line);
	fflush(stdout);
	free(line);
	json_decref(out);
	arena_release(&a);
}

int main(void)
{
	json_error_t e;
	for (json_t *j; (j = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, &e)); json_decref(j))
		judge(j);
	return 0;
}
