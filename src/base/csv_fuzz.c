/* The table reader: cells stay inside the text, every row ends, and what it reads comes back when it is written and read again. */
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"

static void write_cell(struct buf *out, const struct buf *cell, bool last)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < cell->len; i++) {
		if (cell->data[i] == '"')
			buf_addc(out, '"');
		buf_addc(out, (char)cell->data[i]);
	}
	buf_adds(out, last ? "\"\r\n" : "\",");
}

/* False: a quote is open.  Cells are also added to `all`, each with its length in front. */
static bool read_all(const char *text, size_t n, struct buf *written, struct buf *all)
{
	struct buf cell;
	struct csv c = csv_of(text, n);
	bool whole = true;
	buf_init(&cell, 0);
	while (whole && csv_row(&c))
		for (enum csv_cell step = CSV_MORE; step == CSV_MORE;) {
			const char *before = c.at;
			step = csv_cell(&c, &cell);
			if (c.at < before || c.at > c.end)
				abort();
			whole = step != CSV_OPEN;
			if (!whole)
				break;
			if (written)
				write_cell(written, &cell, step == CSV_LAST);
			buf_addf(all, "%zu:%d:", cell.len, step);
			buf_add(all, cell.data, cell.len);
		}
	buf_release(&cell);
	return whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf written, once, twice;
	buf_init(&written, 0);
	buf_init(&once, 0);
	buf_init(&twice, 0);
	if (read_all((const char *)data, n, &written, &once)) {
		if (!read_all(written.len ? (const char *)written.data : "", written.len, NULL, &twice) || once.len != twice.len ||
		    (once.len && memcmp(once.data, twice.data, once.len) != 0))
			abort();
	}
	buf_release(&written);
	buf_release(&once);
	buf_release(&twice);
	return 0;
}
