/* weir.yaml: defaults, every kind of value, every kind of mistake with its place; finding the folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/config.h"

static void defaults(void **state)
{
	(void)state;
	struct config c;
	struct diags d;
	diags_init(&d, "weir.yaml");
	config_parse("weir: 1\n", 8, &c, &d);
	assert_int_equal(d.n, 0);
	assert_string_equal(c.gate_listen, "127.0.0.1:7080");
	assert_string_equal(c.api_listen, "127.0.0.1:7081");
	assert_null(c.tls_cert);
	assert_int_equal(c.gate_loops, 1);
	assert_int_equal(c.segment_bytes, 16 << 20);
	assert_int_equal(c.reserve_bytes, 64 << 20);
	assert_int_equal(c.body_bytes, 20 << 20);
	assert_int_equal(c.memory_bytes, 256 << 20);
	assert_int_equal(c.connections, 10000);
	assert_int_equal(c.forget_seconds, 600);
	assert_int_equal(c.dead_days, 7);
	config_release(&c);
	config_release(&c);
	diags_release(&d);
}

static void values(void **state)
{
	(void)state;
	static const char text[] = "weir: 1\n"
				   "gate:\n"
				   "  listen: '[::1]:0'\n"
				   "  hosts: {m.example.org: mixpanel, s.example.org: segment}\n"
				   "  tls: {cert: keys/c.pem, key: keys/k.pem}\n"
				   "  loops: 4\n"
				   "api: {listen: localhost:9000}\n"
				   "log: {segment: 1MiB, seconds: 5}\n"
				   "limits: {reserve: 1GiB, body: 2097152, connections: 50}\n";
	struct config c;
	struct diags d;
	diags_init(&d, "weir.yaml");
	config_parse(text, strlen(text), &c, &d);
	assert_int_equal(d.n, 0);
	assert_string_equal(c.gate_listen, "[::1]:0");
	assert_string_equal(c.api_listen, "localhost:9000");
	assert_int_equal(c.hosts_len, 2);
	assert_string_equal(c.hosts[1].host, "s.example.org");
	assert_string_equal(c.hosts[1].vendor, "segment");
	assert_string_equal(c.tls_key, "keys/k.pem");
	assert_int_equal(c.gate_loops, 4);
	assert_int_equal(c.segment_bytes, 1 << 20);
	assert_int_equal(c.segment_seconds, 5);
	assert_int_equal(c.reserve_bytes, 1 << 30);
	assert_int_equal(c.body_bytes, 2097152);
	assert_int_equal(c.connections, 50);
	config_release(&c);
	diags_release(&d);
}

static void mistakes(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"", "f:1:1: error: the file is empty [yaml]\n"},
		{"weir: 1\n\xff\n", "f:2:1: error: not UTF-8 [utf8]\n"},
		{"- 1\n", "f:1:1: error: weir.yaml is a map of settings [wrong_shape]\n"},
		{"gate: {}\n", "f:1:1: error: `weir: 1` must be there [missing_key]\n"},
		{"weir: 2\n", "f:1:7: error: this Weir reads version 1 [format_version]\n"},
		{"weir: 1\ngate: {lisen: a:1}\n", "f:2:8: error: gate.lisen isn't a setting (did you mean listen?) [unknown_key]\n"},
		{"weir: 1\nlimit: {body: 1MiB}\n", "f:2:1: error: limit isn't a setting (did you mean limits?) [unknown_key]\n"},
		{"weir: 1\ngate: 7080\n", "f:2:7: error: gate is a map of settings [wrong_shape]\n"},
		{"weir: 1\ngate: {listen: 7080}\n", "f:2:16: error: gate.listen is HOST:PORT, such as 127.0.0.1:7080 [bad_address]\n"},
		{"weir: 1\ngate: {listen: 'h:65536'}\n", "f:2:16: error: gate.listen is HOST:PORT, such as 127.0.0.1:7080 [bad_address]\n"},
		{"weir: 1\ngate: {listen: [a]}\n", "f:2:16: error: gate.listen is one value [wrong_shape]\n"},
		{"weir: 1\ngate: {hosts: [a]}\n", "f:2:15: error: gate.hosts is a map of host names to vendors [wrong_shape]\n"},
		{"weir: 1\ngate: {hosts: {A.b: mixpanel}}\n", "f:2:16: error: a host name is lower-case letters, digits, - and . [bad_host]\n"},
		{"weir: 1\ngate: {hosts: {a.b: Mix}}\n", "f:2:21: error: a vendor's name is [a-z0-9-]{1,63} [bad_name]\n"},
		{"weir: 1\nlimits: {body: 1MB}\n", "f:2:16: error: limits.body is a size such as 64MiB [bad_size]\n"},
		{"weir: 1\nlimits: {forget: 601}\n", "f:2:18: error: limits.forget is a whole number from 1 to 600 [bad_value]\n"},
		{"weir: 1\nlimits: {connections: -1}\n", "f:2:23: error: limits.connections is a whole number from 1 to 1000000 [bad_value]\n"},
		{"weir: 1\ngate: {tls: {cert: c}}\n", "f:1:1: error: gate.tls needs both cert and key [tls_pair]\n"},
		{"weir: 1\ngate: {tls: {cert: '', key: k}}\n",
		 "f:1:1: error: gate.tls needs both cert and key [tls_pair]\nf:2:20: error: gate.tls.cert is the name of a file [bad_value]\n"},
		{"weir: 1\nweir: 1\n", "f:2:1: error: weir stands twice [duplicate_key]\n"},
		{"weir: 1\napi: &x {listen: a:1}\n", "f:2:6: error: anchors aren't read: write the value where it belongs [yaml_anchor]\n"},
		{"weir: 1\napi: !!map {listen: a:1}\n", "f:2:6: error: tags aren't read: leave it out [yaml_tag]\n"},
		{"weir: 1\n---\nweir: 1\n", "f:2:1: error: a second document: one file holds one [yaml_documents]\n"},
		{"weir: 1\n? [a]\n: b\n", "f:2:3: error: a key must be plain text [yaml_key]\n"},
		{"weir: 1\ngate: {\n", "f:3:1: error: not YAML: while parsing a flow node, did not find expected node content [yaml]\n"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config c;
		struct diags d;
		struct buf out;
		diags_init(&d, "f");
		buf_init(&out, 0);
		config_parse(rows[i].text, strlen(rows[i].text), &c, &d);
		diags_print(&d, &out);
		assert_string_equal(out.data ? (char *)out.data : "", rows[i].want);
		buf_release(&out);
		config_release(&c);
		diags_release(&d);
	}
}

static void limits(void **state)
{
	(void)state;
	struct buf b;
	struct config c;
	struct diags d;
	buf_init(&b, 0);
	buf_adds(&b, "weir: 1\nx: ");
	for (int i = 0; i < 40; i++)
		buf_addc(&b, '[');
	for (int i = 0; i < 40; i++)
		buf_addc(&b, ']');
	diags_init(&d, "f");
	config_parse((char *)b.data, b.len, &c, &d);
	assert_true(d.errors >= 1);
	assert_string_equal(d.v[d.n - 1].code, "limit");
	config_release(&c);
	diags_release(&d);
	buf_reset(&b);
	for (int i = 0; i < 5000; i++)
		buf_addf(&b, "k%d: 1\n", i);
	diags_init(&d, "f");
	config_parse((char *)b.data, b.len, &c, &d);
	assert_string_equal(d.v[d.n - 1].code, "limit");
	config_release(&c);
	diags_release(&d);
	buf_release(&b);
}

static void help(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 0);
	config_help(&b);
	assert_non_null(strstr((char *)b.data, "gate.listen"));
	assert_non_null(strstr((char *)b.data, "{127.0.0.1:7081}"));
	assert_non_null(strstr((char *)b.data, "{256MiB}"));
	buf_release(&b);
}

static void folder(void **state)
{
	(void)state;
	char dir[] = "/tmp/weir-config-XXXXXX", *path = NULL, here[4096];
	struct err err;
	assert_non_null(mkdtemp(dir));
	assert_non_null(getcwd(here, sizeof here));
	unsetenv("WEIR_DIR");
	assert_int_equal(folder_find(dir, &path, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	char *file = NULL, *sub = NULL;
	assert_true(asprintf(&file, "%s/weir.yaml", dir) > 0 && asprintf(&sub, "%s/contracts", dir) > 0);
	int fd = open(file, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(mkdir(sub, 0700), 0);
	assert_int_equal(folder_find(dir, &path, &err), 0);
	assert_string_equal(path, dir);
	free(path);
	assert_int_equal(chdir(sub), 0);	/* the nearest parent */
	assert_int_equal(folder_find(NULL, &path, &err), 0);
	assert_string_equal(path, dir);
	free(path);
	setenv("WEIR_DIR", "/nonexistent", 1);	/* said and wrong: no looking further */
	assert_int_equal(folder_find(NULL, &path, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	setenv("WEIR_DIR", dir, 1);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(folder_find(NULL, &path, &err), 0);
	free(path);
	unsetenv("WEIR_DIR");
	if (access("/weir.yaml", F_OK) != 0)
		assert_int_equal(folder_find(NULL, &path, &err), -1);
	assert_int_equal(chdir(here), 0);
	unlink(file);
	rmdir(sub);
	rmdir(dir);
	free(file);
	free(sub);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults), cmocka_unit_test(values), cmocka_unit_test(mistakes),
		cmocka_unit_test(limits),   cmocka_unit_test(help),   cmocka_unit_test(folder),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
