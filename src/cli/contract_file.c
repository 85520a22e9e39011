#include "cli/contract_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codes.h"
#include "base/yamldoc.h"
#include "cli/cli.h"

void contract_file_complain(void *arg, const struct diags *d)
{
	struct buf b;
	(void)arg;
	buf_init(&b, 0);
	diags_print(d, &b);
	if (b.len)
		fwrite(b.data, 1, b.len, stderr);
	buf_release(&b);
}

/* contracts/acme.yaml: contracts/../detectors/NAME.yaml, without the detour where it is plain. */
static char *path_of(const char *contract, const char *name)
{
	const char *slash = strrchr(contract, '/');
	if (strcmp(contract, "-") == 0)
		return xasprintf("detectors/%s.yaml", name);
	if (!slash)
		return xasprintf("../detectors/%s.yaml", name);
	const char *above = slash;
	while (above > contract && above[-1] != '/')
		above--;
	size_t last = (size_t)(slash - above);
	bool plain = last > 0 && strncmp(above, ".", last) != 0 && strncmp(above, "..", last) != 0;
	if (plain)
		return xasprintf("%.*sdetectors/%s.yaml", (int)(above - contract), contract, name);
	return xasprintf("%.*s/../detectors/%s.yaml", (int)(slash - contract), contract, name);
}

static void add_file(struct contract *c, size_t i, const char *contract, struct diags *d,
		     void (*said)(void *arg, const struct diags *of_detectors), void *arg)
{
	const struct detector_file *f = &c->detector_files[i];
	char *path = path_of(contract, f->name.at);
	struct detect_rules *rules = NULL;
	struct buf text;
	struct diags own;
	struct err err;
	buf_init(&text, 0);
	diags_init(&own, path);
	if (cli_read(path, YAML_BYTES_MAX, &text, &err) < 0)
		diags_add(d, DIAG_ERROR, f->line, f->col, CODE(bad_detectors), "%s", err.msg);
	else if (!(rules = detect_rules_read((const char *)text.data, text.len, &own)))
		diags_add(d, DIAG_ERROR, f->line, f->col, CODE(bad_detectors), "%s: %zu mistake%s", path, own.errors, own.errors == 1 ? "" : "s");
	else
		contract_detectors_add(c, i, rules, d);
	if (own.n)
		said(arg, &own);
	detect_rules_free(&rules);
	diags_release(&own);
	buf_release(&text);
	free(path);
}

/* What can't be read back as canonical JSON can't be approved. */
static void check_size(const struct contract *c, struct diags *d)
{
	struct buf b;
	buf_init(&b, 0);
	contract_to_json(c, &b);
	if (b.len > YAML_BYTES_MAX)
		diags_add(d, DIAG_ERROR, 1, 1, CODE(limit), "with its detectors larger than %d bytes", YAML_BYTES_MAX);
	buf_release(&b);
}

struct contract *contract_file_parse(const char *path, const char *text, size_t n, struct diags *d,
				     void (*said)(void *arg, const struct diags *of_detectors), void *arg)
{
	struct contract *c = contract_parse(text, n, d);
	if (!c || c->detector_files_len == 0)
		return c;
	for (size_t i = 0; i < c->detector_files_len; i++)
		add_file(c, i, path, d, said, arg);
	if (!d->errors)
		check_size(c, d);
	diags_sort(d);
	if (d->errors)
		contract_free(&c);
	return c;
}
