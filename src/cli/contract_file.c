#include "cli/contract_file.h"

#include <dirent.h>
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

/* ---- files that no contract names ------------------------------------------------------------------------------- */

int contract_file_is_yaml(const struct dirent *e)
{
	const char *dot = strrchr(e->d_name, '.');
	return e->d_name[0] != '.' && dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* Of its YAML files; none when it isn't there. */
static char **yaml_names(const char *folder, size_t *len)
{
	struct dirent **e = NULL;
	int n = scandir(folder, &e, contract_file_is_yaml, alphasort);
	char **names = xcalloc((n > 0 ? (size_t)n : 0) + 1, sizeof *names);
	*len = 0;
	for (int i = 0; i < n; i++) {
		names[(*len)++] = xstrdup(e[i]->d_name);
		free(e[i]);
	}
	free(e);
	return names;
}

static void names_free(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* Takes what this contract names out of the list; false: it can't be read. */
static bool strike(const char *path, char **files, size_t n)
{
	struct contract *c = NULL;
	struct diags d;
	struct buf text;
	struct err err;
	buf_init(&text, 0);
	diags_init(&d, path);
	if (cli_read(path, YAML_BYTES_MAX, &text, &err) == 0)
		c = contract_parse((const char *)text.data, text.len, &d);
	for (size_t i = 0; c && i < c->detector_files_len; i++)
		for (size_t k = 0; k < n; k++) {
			struct span name = c->detector_files[i].name;
			if (files[k] && strlen(files[k]) == name.len + 5 && memcmp(files[k], name.at, name.len) == 0 && strcmp(files[k] + name.len, ".yaml") == 0) {
				free(files[k]);
				files[k] = NULL;
			}
		}
	bool read = c != NULL;
	contract_free(&c);
	diags_release(&d);
	buf_release(&text);
	return read;
}

static void warn(const char *folder, const char *file, void (*said)(void *arg, const struct diags *of_detectors), void *arg)
{
	char *path = xasprintf("%s/%s", folder, file);
	struct diags d;
	diags_init(&d, path);
	diags_add(&d, DIAG_WARNING, 1, 1, CODE(advice), "no contract names this file (detectors: [NAME]), so nothing looks for what it describes");
	said(arg, &d);
	diags_release(&d);
	free(path);
}

void contract_folder_unnamed(const char *folder, void (*said)(void *arg, const struct diags *of_detectors), void *arg)
{
	char *inside = xasprintf("%s/x", folder), *detectors = path_of(inside, "");
	size_t n, contracts_len, len = strlen(detectors);
	bool sure = true;
	detectors[len - strlen("/.yaml")] = 0;
	char **files = yaml_names(detectors, &n), **contracts = n ? yaml_names(folder, &contracts_len) : NULL;
	for (size_t i = 0; n && i < contracts_len && sure; i++) {
		char *path = xasprintf("%s/%s", folder, contracts[i]);
		sure = strike(path, files, n);
		free(path);
	}
	for (size_t i = 0; i < n && sure; i++)
		if (files[i])
			warn(detectors, files[i], said, arg);
	if (contracts)
		names_free(contracts, contracts_len);
	names_free(files, n);
	free(detectors);
	free(inside);
}

void contract_file_unnamed(const char *path, void (*said)(void *arg, const struct diags *of_detectors), void *arg)
{
	const char *slash = strrchr(path, '/');
	if (strcmp(path, "-") == 0)
		return;
	char *folder = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
	contract_folder_unnamed(folder, said, arg);
	free(folder);
}
