/*
 * The adapter knows the hosts that an SDK's host option doesn't capture (facts A12: side channels).  With the vendor's
 * own host they are what must not be reachable from browsers and services; the courier alone needs the upstream.
 */
#include "cli/firewall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "config/config.h"
#include "contract/contract.h"

enum { YAML_MAX = 1 << 20 };

/* "https://api.example.com:8443/x" -> host "api.example.com", port 8443; a default port when there is none. */
static void split(struct span url, char host[static 256], int *port)
{
	char text[512];
	snprintf(text, sizeof text, "%.*s", (int)(url.len < 511 ? url.len : 511), url.at);
	char *at = strstr(text, "://");
	*port = strncmp(text, "http:", 5) == 0 ? 80 : 443;
	at = at ? at + 3 : text;
	at[strcspn(at, "/?#")] = 0;
	char *colon = *at == '[' ? strchr(at, ']') : at;
	colon = colon ? strchr(colon, ':') : NULL;
	if (colon) {
		*port = atoi(colon + 1);
		*colon = 0;
	}
	snprintf(host, 256, "%.255s", at);
}

/* Where pages reach the gate for this vendor: a host of weir.yaml, else the gate's own address. */
static void gate_origin(const char *given, const char *vendor, char out[static 512])
{
	struct config c;
	struct diags d;
	struct buf b;
	struct err err;
	char *dir = NULL;
	config_defaults(&c);
	diags_init(&d, "weir.yaml");
	buf_init(&b, 0);
	if (folder_find(given, &dir, &err) == 0) {
		char *path = xasprintf("%s/weir.yaml", dir);
		if (cli_read(path, YAML_MAX, &b, &err) == 0)
			config_parse((const char *)b.data, b.len, &c, &d);
		free(path);
	}
	const char *scheme = c.tls_cert ? "https" : "http";
	snprintf(out, 512, "%s://%s", scheme, c.gate_listen);
	for (size_t i = 0; i < c.hosts_len; i++)
		if (strcmp(c.hosts[i].vendor, vendor) == 0)
			snprintf(out, 512, "https://%s", c.hosts[i].host);
	free(dir);
	buf_release(&b);
	diags_release(&d);
	config_release(&c);
}

static json_t *make(const char *dir, const char *vendor, const struct contract *c)
{
	char host[256], own[256], origin[512];
	int port, own_port;
	split(c->upstream, host, &port);
	split((struct span){c->adapter->upstream, strlen(c->adapter->upstream)}, own, &own_port);
	gate_origin(dir, vendor, origin);
	json_t *block = json_array();
	json_array_append_new(block, json_string(host));
	if (strcmp(host, own) != 0)
		json_array_append_new(block, json_string(own));
	for (const char *const *s = c->adapter->side_channels; s && *s; s++)
		json_array_append_new(block, json_string(*s));
	return json_pack("{s:s, s:[{s:s, s:i}], s:o, s:o}", "vendor", vendor, "courier", "host", host, "port", port, "block", block, "csp",
			 json_sprintf("connect-src 'self' %s", origin));
}

static void print(const json_t *j)
{
	size_t i;
	json_t *v;
	printf("# %s: so that nothing goes around Weir\n\n# from the machine that runs Weir, let through:\n",
	       json_string_value(json_object_get(j, "vendor")));
	json_array_foreach(json_object_get(j, "courier"), i, v)
		printf("%s:%d\n", json_string_value(json_object_get(v, "host")), (int)json_integer_value(json_object_get(v, "port")));
	puts("\n# from everywhere else, block:");
	json_array_foreach(json_object_get(j, "block"), i, v) puts(json_string_value(v));
	printf("\n# pages: a Content-Security-Policy that names the gate and not the vendor\n%s\n",
	       json_string_value(json_object_get(j, "csp")));
}

int firewall_print(const char *dir, const char *vendor, int json)
{
	struct err err;
	json_t *answer;
	if (ask(dir, json_pack("{s:s, s:s, s:i}", "do", "contract", "vendor", vendor, "version", 0), &answer, &err) < 0)
		return cli_fail("vendor firewall", &err);
	const json_t *text = json_object_get(answer, "json");
	struct contract *c = contract_from_json(json_string_value(text), json_string_length(text), &err);
	if (!c) {
		json_decref(answer);
		return cli_fail("vendor firewall", &err);
	}
	json_t *j = make(dir, vendor, c);
	if (json)
		ask_print(j);
	else
		print(j);
	json_decref(j);
	contract_free(&c);
	json_decref(answer);
	return EXIT_DONE;
}
