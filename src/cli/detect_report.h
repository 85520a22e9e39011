/* What `weir detect` prints, in one of four forms.  Values are printed only when asked for. */
#ifndef CLI_DETECT_REPORT_H
#define CLI_DETECT_REPORT_H

#include "base/buf.h"
#include "detect/detect.h"

enum detect_form { FORM_TEXT, FORM_JSON, FORM_PRETTY, FORM_SARIF };

struct detect_report {
	enum detect_form form;
	bool show;
	bool colour;		/* FORM_PRETTY */
	size_t found;
	struct buf out;
	char last_file[256];	/* FORM_PRETTY: whose heading was printed */
	uint64_t rules;		/* FORM_SARIF: types met */
	const char **own;	/* and names of own detectors, which outlive the report */
	size_t own_len;
};

/* One hit; start and end count from the line's first byte. */
struct detect_place {
	const char *file;
	const char *pointer;	/* RFC 6901, "" for plain text */
	size_t line, start, end;
	const char *line_text;	/* the whole line, for context; line_len bytes */
	size_t line_len;
};

void detect_report_begin(struct detect_report *r);
void detect_report_hit(struct detect_report *r, const struct detect_place *p, const struct detect_hit *h);
void detect_report_end(struct detect_report *r);
void detect_report_flush(struct detect_report *r);

#endif
