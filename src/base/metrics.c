#include "base/metrics.h"

#include <inttypes.h>

void metrics_head(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_single(struct buf *b, const char *name, const char *type, const char *help, uint64_t v)
{
	metrics_head(b, name, type, help);
	buf_addf(b, "%s %" PRIu64 "\n", name, v);
}
