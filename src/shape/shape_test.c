/* What is counted of objects, what never stands in it, and that it stays small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "shape/form.h"
#include "shape/look.h"

enum { JSON_PAD = 64 };

static struct detect_rules *rules;	/* besides, unless NULL */
static struct detect_room *room;

static void observe_as(struct shape_table *t, unsigned source, const char *json)
{
	const struct shape_where w = {.source = source, .name = "event", .rules = rules, .room = room};
	struct buf b;
	buf_init(&b, 0);
	buf_addf(&b, "[0,%s]", json);
	size_t n = b.len;
	buf_add(&b, (char[JSON_PAD]){0}, JSON_PAD);
	shape_observe(t, &w, (const char *)b.data, n, 3);
	buf_release(&b);
}

static void observe(struct shape_table *t, const char *json)
{
	observe_as(t, 0, json);
}

/* "source event path counts" a line, as a file would have it. */
static void add_row(void *arg, const struct shape_row *r)
{
	json_t *j = shape_to_json(&r->counts);
	char *text = json_dumps(j, JSON_COMPACT);
	buf_addf(arg, "%u|%s|%s|%s\n", r->source, r->event, r->path, text);
	free(text);
	json_decref(j);
}

static char *take(struct shape_table *t)
{
	static struct buf b;
	buf_reset(&b);
	buf_adds(&b, "");
	shape_take(t, add_row, &b);
	return (char *)b.data;
}

static void has(const char *text, const char *line)
{
	if (!text || !strstr(text, line))
		fail_msg("%s isn't in\n%s", line, text ? text : "");
}

static void counts(void **state)
{
	struct shape_table *t = shape_table_new(1);
	(void)state;
	observe(t, "{\"event\":\"signup\",\"properties\":{\"plan\":\"gold\",\"seats\":3,\"beta\":true,\"gone\":null,\"items\":[{\"sku\":\"A\"},{\"sku\":\"B\"}],\"Plan Name\":\"x y\"}}");
	observe(t, "{\"properties\":{\"plan\":\"free\",\"seats\":2.5,\"mail\":\"ann@example.com\"},\"event\":\"signup\"}");
	observe_as(t, 3, "{\"event\":\"other\",\"properties\":{\"plan\":7}}");
	char *s = take(t);
	has(s, "0|signup||{\"n\":2,\"t\":[0,0,0,0,0,2],");
	has(s, "0|signup|properties.plan|{\"n\":2,\"t\":[2],\"l\":[0,2],\"k\":[0,0,0,0,0,0,0,2],\"d\":2}");
	has(s, "0|signup|properties.seats|{\"n\":2,\"t\":[0,2],\"l\":[],\"k\":[0,0,0,0,0,0,0,0,0,0,1,1],\"d\":2}");
	has(s, "0|signup|properties.beta|{\"n\":1,\"t\":[0,0,1]");
	has(s, "0|signup|properties.gone|{\"n\":1,\"t\":[0,0,0,1]");
	has(s, "0|signup|properties.items|{\"n\":1,\"t\":[0,0,0,0,1]");
	has(s, "0|signup|properties.items[].sku|{\"n\":1,\"t\":[2]");
	has(s, "0|signup|properties[\"Plan Name\"]|{\"n\":1");
	has(s, "0|signup|properties.mail|{\"n\":1,\"t\":[1],\"l\":[0,0,1],\"k\":[0,0,0,0,0,0,0,0,0,1],\"d\":1,\"f\":{\"email\":[1,1]}}");
	has(s, "3|other|properties.plan|{\"n\":1,\"t\":[0,1]");
	assert_string_equal(take(t), "");	/* taken is taken */
	observe(t, "{\"event\":\"signup\",\"properties\":{\"plan\":\"pro\"}}");
	has(take(t), "0|signup|properties.plan|{\"n\":1,\"t\":[1],\"l\":[0,1],\"k\":[0,0,0,0,0,0,0,1],\"d\":3}");
	shape_clear(t);
	observe(t, "{\"event\":\"signup\",\"properties\":{\"plan\":\"pro\"}}");
	has(take(t), "0|signup|properties.plan|{\"n\":1,\"t\":[1],\"l\":[0,1],\"k\":[0,0,0,0,0,0,0,1],\"d\":1}");
	shape_table_free(&t);
}

static void names_of_objects(void **state)
{
	struct shape_table *t = shape_table_new(1);
	const struct shape_where deep = {.kind = 2, .name = "a.b"};
	static const char text[256] = "{\"x\":[1,{\"a\":2}],\"a\":{\"c\":1,\"b\":\"inner\"}}";
	(void)state;
	shape_observe(t, &deep, text, strlen(text), 0);
	has(take(t), "0|inner|a.b|");
	observe(t, "{\"event\":17}");
	observe(t, "{\"event\":\"Invoice of bob@example.com\"}");
	observe(t, "{\"\\u0065vent\":\"x\"}");	/* a key in disguise names nothing, and counts as itself */
	observe(t, "{}");
	char *s = take(t);
	has(s, "0|||{\"n\":3");
	has(s, "0|*||{\"n\":1");
	has(s, "0||event|{\"n\":2,\"t\":[1,1]");
	assert_null(strstr(s, "bob"));
	shape_table_free(&t);
}

static void looks(void **state)
{
	static const struct {
		const char *text;
		enum shape_look look;
	} rows[] = {
		{"", LOOK_EMPTY}, {"018f6e5c-2f3a-7c1e-9b1d-3a5f7e9c0b2d", LOOK_UUID}, {"2026-11-17", LOOK_TIME}, {"2026-11-17T10:00:00Z", LOOK_TIME},
		{"17.11.2026", LOOK_TIME}, {"10:45", LOOK_TIME}, {"https://example.com/x", LOOK_URL}, {"android-app://com.x", LOOK_URL},
		{"5f1d7e9c0b2d3a5f", LOOK_HEX}, {"da39a3ee5e6b4b0d3255bfef95601890afd80709", LOOK_HEX}, {"0044 17", LOOK_OTHER}, {"1.2.3", LOOK_DIGITS},
		{"12345", LOOK_DIGITS}, {"01J9ZQ3K5T8X2V4B6N0M1C7D9F", LOOK_TOKEN}, {"gold", LOOK_WORD}, {"free-trial_2", LOOK_WORD}, {"New York", LOOK_WORD},
		{"please call me back soon", LOOK_PROSE}, {"{\"a\":1}", LOOK_OTHER}, {"deadbeef", LOOK_WORD}, {"2026-11-17nothing", LOOK_OTHER},
	};
	static const struct {
		const char *text;
		enum shape_look look;
	} numbers[] = {{"0", LOOK_WHOLE}, {"-17", LOOK_WHOLE}, {"1.5", LOOK_FRACTION}, {"1e9", LOOK_FRACTION}, {"1763370000", LOOK_TIME},
		       {"1763370000.25", LOOK_TIME}, {"1763370000123", LOOK_TIME}, {"17633700001", LOOK_WHOLE}, {"9763370000", LOOK_WHOLE}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (look_of_text(rows[i].text, strlen(rows[i].text)) != rows[i].look && rows[i].look != LOOK_OTHER)
			fail_msg("%s: %s", rows[i].text, shape_look_names[look_of_text(rows[i].text, strlen(rows[i].text))]);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (look_of_number(numbers[i].text, strlen(numbers[i].text)) != numbers[i].look)
			fail_msg("%s: %s", numbers[i].text, shape_look_names[look_of_number(numbers[i].text, strlen(numbers[i].text))]);
	assert_int_equal(length_class(0), 0);
	assert_int_equal(length_class(8), 1);
	assert_int_equal(length_class(9), 2);
	assert_int_equal(length_class(100000), SHAPE_LENGTHS - 1);
}

/* Data in a key's place: never kept, and what it was is counted. */
static void keys_that_are_data(void **state)
{
	static const char *const keys[] = {
		"ann@example.com", "+49 30 901820", "4111 1111 1111 1111", "DE89370400440532013000", "018f6e5c-2f3a-7c1e-9b1d-3a5f7e9c0b2d",
		"order8812344", "a1b2c3d4e5f6", "QWxhZGRpbjpvcGVuIHNlc2FtZQ", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "a\\nb", "\\u202efdp.exe", "\xe2\x80\xaeX",
		"ann\\u0040example.com", "x*y", "*",
	};
	static const char *const names[] = {"email", "x86_64", "utm_source", "ipv4", "$browser", "Pl\xc3\xa4n", "oauth2_state", "sha256", "a b", "h264"};
	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		struct shape_table *t = shape_table_new(i);
		struct buf b;
		buf_init(&b, 0);
		buf_addf(&b, "{\"event\":\"e\",\"properties\":{\"votes\":{\"%s\":{\"deep\":1}}}}", keys[i]);
		observe(t, (char *)b.data);
		char *s = take(t);
		has(s, "0|e|properties.votes.*|{\"n\":1,\"t\":[0,0,0,0,0,1]");
		has(s, "0|e|properties.votes.*.deep|");
		if (i == 0)
			has(s, "\"f\":{\"email\":[1,1]}");
		for (size_t k = 0; k < strlen(keys[i]); k++)
			if (strlen(keys[i]) > 4 && strstr(s, keys[i]))
				fail_msg("%s stands in\n%s", keys[i], s);
		buf_release(&b);
		shape_table_free(&t);
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!shape_name_ok(names[i], strlen(names[i])))
			fail_msg("%s", names[i]);
	struct shape_table *t = shape_table_new(9);
	observe(t, "{\"ann@example\":{\"com\":1}}");	/* only the path is one */
	assert_null(strstr(take(t), "example.com"));
	shape_table_free(&t);
}

/* I5: markers in every value of random objects; nothing of any of them comes out. */
static uint64_t dice = 42;
static unsigned roll(unsigned n)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(dice >> 33) % n;
}

static void random_value(struct buf *b, unsigned depth)
{
	switch (roll(depth > 4 ? 4 : 6)) {
	case 0: buf_addf(b, "\"MARKER%u\"", roll(100000)); return;
	case 1: buf_addf(b, "\"x MARKER%u@example.com y\"", roll(100000)); return;
	case 2: buf_addf(b, "9753%u", roll(100000)); return;
	case 3: buf_addf(b, "\"\\u004dARKER%u+\\\"\"", roll(100000)); return;
	case 4:
		buf_addc(b, '[');
		for (unsigned i = roll(4); i < 4; i++) {
			random_value(b, depth + 1);
			buf_adds(b, i < 3 ? "," : "");
		}
		buf_addc(b, ']');
		return;
	default:
		buf_addc(b, '{');
		for (unsigned i = roll(4); i < 4; i++) {
			if (roll(4) == 0)
				buf_addf(b, "\"MARKER%u@example.com\":", roll(100000));
			else
				buf_addf(b, "\"k%c\":", 'a' + (int)roll(26));
			random_value(b, depth + 1);
			buf_adds(b, i < 3 ? "," : "");
		}
		buf_addc(b, '}');
	}
}

static void I5_no_value_comes_out(void **state)
{
	struct shape_table *t = shape_table_new(3);
	(void)state;
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 300; i++) {
			struct buf b;
			buf_init(&b, 0);
			buf_addf(&b, "{\"event\":\"%s\",\"properties\":", roll(2) ? "signup" : "MARKER9@example.com");
			random_value(&b, 0);
			buf_addc(&b, '}');
			observe(t, (char *)b.data);
			buf_release(&b);
		}
		char *s = take(t);
		has(s, "email");
		if (strstr(s, "MARKER") || strstr(s, "9753"))
			fail_msg("a value stands in\n%.2000s", strstr(s, "MARKER") ? strstr(s, "MARKER") : strstr(s, "9753"));
	}
	shape_table_free(&t);
}

static void count_rows(void *arg, const struct shape_row *r)
{
	uint64_t *n = arg;
	n[0]++;
	n[1] += strcmp(r->path, "") == 0 ? r->counts.objects : 0;
	n[2] += strcmp(r->path, "*") == 0 ? r->counts.types[SHAPE_NUMBER] : 0;
}

/* Names without end: the table stays small, and nothing is lost but where it stood. */
static void bounded(void **state)
{
	struct shape_table *t = shape_table_new(5);
	uint64_t n[3] = {0};
	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct buf b;
		buf_init(&b, 0);
		buf_addf(&b, "{\"event\":\"e%c%c\",\"properties\":{\"a%c%c%c\":1,\"b%c\":{\"c%c%c%c\":1}}}", 'a' + (int)roll(26), 'a' + (int)roll(26),
			 'a' + (int)roll(26), 'a' + (int)roll(26), 'a' + (int)roll(26), 'a' + (int)roll(26), 'a' + (int)roll(26), 'a' + (int)roll(26),
			 'a' + (int)roll(26));
		observe_as(t, roll(16), (char *)b.data);
		buf_release(&b);
	}
	assert_true(shape_bytes(t) < 4 << 20);
	shape_take(t, count_rows, n);
	assert_true(n[0] <= SHAPE_CELLS);
	assert_int_equal(n[1], 20000);	/* every object was counted somewhere */
	assert_true(n[2] > 10000);
	struct buf deep;
	buf_init(&deep, 0);
	for (int i = 0; i < 200; i++)
		buf_adds(&deep, "{\"d\":[");
	for (int i = 0; i < 200; i++)
		buf_adds(&deep, "]}");
	observe(t, (char *)deep.data);
	buf_reset(&deep);
	buf_adds(&deep, "{\"a\":[");
	for (int i = 0; i < 10000; i++)
		buf_addf(&deep, "%s{\"x\":1}", i ? "," : "");
	buf_adds(&deep, "]}");
	observe(t, (char *)deep.data);
	buf_release(&deep);
	shape_clear(t);
	assert_true(shape_bytes(t) < 100000);
	shape_table_free(&t);
}

static void sums_and_forms(void **state)
{
	static const char *const bad[] = {"[]", "{}", "{\"n\":-1,\"t\":[],\"l\":[],\"k\":[],\"d\":0}", "{\"n\":1,\"t\":[1,2,3,4,5,6,7],\"l\":[],\"k\":[],\"d\":0}",
					  "{\"n\":1,\"t\":[\"x\"],\"l\":[],\"k\":[],\"d\":0}", "{\"n\":1,\"t\":[],\"l\":[],\"k\":[],\"d\":10}",
					  "{\"n\":1,\"t\":[],\"l\":[],\"k\":[],\"d\":0,\"f\":{\"email\":[1,2,3]}}", "{\"n\":1,\"t\":[],\"l\":[],\"k\":[],\"d\":0,\"f\":{\"email\":7}}"};
	struct shape_counts a = {.objects = 3, .types = {3}, .distinct = 2, .found_len = 1, .found = {{"email", 2, 1}}}, b = a, c;
	(void)state;
	b.found[0].type = "iban";
	b.distinct = 9;
	shape_add(&a, &b);
	assert_int_equal(a.objects, 6);
	assert_int_equal(a.distinct, 9);
	assert_int_equal(a.found_len, 2);
	json_t *j = shape_to_json(&a);
	assert_true(shape_from_json(j, &c));
	assert_string_equal(c.found[1].type, "iban");
	assert_int_equal(c.found[1].whole, 1);
	json_object_set_new(json_object_get(j, "f"), "of-another-version", json_pack("[i,i]", 1, 1));
	assert_true(shape_from_json(j, &c));
	assert_int_equal(c.found_len, 2);
	json_decref(j);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		j = json_loads(bad[i], 0, NULL);
		if (shape_from_json(j, &c))
			fail_msg("%s", bad[i]);
		json_decref(j);
	}
}

/* What own detectors find is counted by their names, and no name of a member, of an event is kept that they find something in. */
static void own_detectors_count(void **state)
{
	static const char rows[] = "weir: 1\ndetectors:\n  - {name: customer_no, pattern: 'KD-[0-9]{6}', examples: [KD-123455]}\n";
	struct shape_table *t = shape_table_new(7);
	struct shape_counts c;
	struct diags d;
	(void)state;
	diags_init(&d, "own.yaml");
	rules = detect_rules_read(rows, sizeof rows - 1, &d);
	diags_release(&d);
	if (!rules)
		skip();	/* no Vectorscan here */
	room = detect_room_new(rules);
	observe(t, "{\"event\":\"KD-123455\",\"p\":{\"n\":\"KD-123455\",\"m\":\"a KD%2D123455, a@b.io\",\"KD-123456\":1}}");
	detect_room_free(&room);
	detect_rules_free(&rules);	/* a plan goes, its counts stay */
	const char *text = take(t);
	has(text, "0|*|p.n|{\"n\":1,\"t\":[1],\"l\":[0,0,1],\"k\":[0,0,0,0,0,0,0,1],\"d\":1,\"f\":{\"customer_no\":[1,1]}}");
	has(text, "\"f\":{\"customer_no\":[1,0],\"email\":[1,0]}}");
	assert_null(strstr(text, "KD-"));
	json_t *j = json_loads("{\"n\":2,\"t\":[],\"l\":[],\"k\":[],\"d\":0,\"f\":{\"customer_no\":[2,1],\"Bad Name\":[1,1]}}", 0, NULL);
	assert_true(shape_from_json(j, &c));
	assert_int_equal(c.found_len, 1);
	assert_ptr_equal(c.found[0].type, shape_found_type("customer_no", 11));
	json_decref(j);
	shape_table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts), cmocka_unit_test(names_of_objects), cmocka_unit_test(looks), cmocka_unit_test(keys_that_are_data),
		cmocka_unit_test(I5_no_value_comes_out), cmocka_unit_test(bounded), cmocka_unit_test(sums_and_forms), cmocka_unit_test(own_detectors_count),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL), all = (int)(sizeof tests / sizeof *tests);
	printf("%d passed, %d failed\n", all - failed, failed);
	return failed != 0;
}
