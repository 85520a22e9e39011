/*
 * What arrived, for people: a line an object.
 *
 *   16:20:11  track   signup              distinct_id wd7q3kx…  $browser Firefox  $current_url https://app.example.com/reset
 */
#include <string.h>
#include <time.h>

#include "sink/seen.h"

enum {
	NAME_COLUMN = 19,	/* behind "16:20:11  " and the route */
	FIELDS_COLUMN = 40,
	VALUE_MAX = 72,		/* bytes of a value shown */
	PSEUDONYM = 26,
	PSEUDONYM_SHOWN = 9,
};

#define DIM "\033[2m"
#define BOLD "\033[1m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define MAGENTA "\033[35m"
#define CYAN "\033[36m"

struct pen {
	struct buf *out;
	const struct seen_look *look;
	size_t column;
};

/* Columns of UTF-8 text, near enough: one a code point. */
static size_t columns(const char *s, size_t n)
{
	size_t c = 0;
	for (size_t i = 0; i < n; i++)
		c += ((unsigned char)s[i] & 0xc0) != 0x80;
	return c;
}

/* Raw JSON string content has no bytes under 0x20; DEL and the C1 controls (U+0080 to U+009F) are all that is left. */
static void put_safe(struct pen *p, const char *s, size_t n)
{
	size_t from = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		bool c1 = c == 0xc2 && i + 1 < n && (unsigned char)s[i + 1] < 0xa0;
		if (!c1 && c != 0x7f && c >= 0x20)
			continue;
		buf_add(p->out, s + from, i - from);
		buf_addc(p->out, '?');
		i += c1;
		from = i + 1;
	}
	buf_add(p->out, s + from, n - from);
	p->column += columns(s, n);
}

static void put(struct pen *p, const char *colour, const char *s, size_t n)
{
	bool on = p->look->colour && *colour;
	if (on)
		buf_adds(p->out, colour);
	put_safe(p, s, n);
	if (on)
		buf_adds(p->out, "\033[0m");
}

static void pad_to(struct pen *p, size_t column)
{
	do {
		buf_addc(p->out, ' ');
		p->column++;
	} while (p->column < column);
}

static void new_line(struct pen *p, size_t column)
{
	buf_addc(p->out, '\n');
	p->column = 0;
	pad_to(p, column);
}

/* w + epoch + 24 letters of base32 (design section 4), as Weir makes them. */
static bool is_pseudonym(struct span s)
{
	if (s.len != PSEUDONYM || s.at[0] != 'w')
		return false;
	for (size_t i = 1; i < s.len; i++)
		if (!((s.at[i] >= 'a' && s.at[i] <= 'z') || (s.at[i] >= '2' && s.at[i] <= '7')))
			return false;
	return true;
}

struct shown {
	struct span head, cut;	/* head: "$device:"; cut: what is shown of the rest */
	bool more;
	const char *colour;
};

static struct shown show_string(struct span s)
{
	static const char device[] = "$device:";
	struct shown o = {.colour = "", .cut = s};
	if (s.len > sizeof device - 1 && memcmp(s.at, device, sizeof device - 1) == 0) {
		o.head = (struct span){s.at, sizeof device - 1};
		o.cut = (struct span){s.at + o.head.len, s.len - o.head.len};
	}
	if (is_pseudonym(o.cut)) {
		o.colour = MAGENTA;
		o.cut.len = PSEUDONYM_SHOWN;
		o.more = true;
	} else if (s.len > 2 && s.at[0] == '[' && s.at[s.len - 1] == ']') {
		o.colour = YELLOW;
	}
	return o;
}

static struct shown show_value(struct span v)
{
	bool string = v.len > 2 && v.at[0] == '"';	/* an empty one keeps its quotes */
	struct shown o = string ? show_string((struct span){v.at + 1, v.len - 2}) : (struct shown){.cut = v, .colour = GREEN};
	if (o.cut.len > VALUE_MAX) {
		o.cut.len = VALUE_MAX;
		while (o.cut.len && ((unsigned char)o.cut.at[o.cut.len] & 0xc0) == 0x80)
			o.cut.len--;
		o.more = true;
	}
	return o;
}

static void put_field(struct pen *p, struct span prefix, struct member m)
{
	bool credential = span_eq(m.key, "token") || span_eq(m.key, "$token");
	struct shown v = credential ? (struct shown){.cut = SPAN("(credential)"), .colour = DIM} : show_value(m.value);
	size_t width = columns(prefix.at, prefix.len) + columns(m.key.at, m.key.len) + v.head.len + columns(v.cut.at, v.cut.len) + 4;
	if (p->look->width && p->column + width > p->look->width && p->column > FIELDS_COLUMN)
		new_line(p, FIELDS_COLUMN);
	put(p, DIM, prefix.at, prefix.len);
	if (prefix.len)
		put(p, DIM, ".", 1);
	put(p, DIM, m.key.at, m.key.len);
	put(p, "", " ", 1);
	put(p, v.colour, v.head.at, v.head.len);
	put(p, v.colour, v.cut.at, v.cut.len);
	if (v.more)
		put(p, v.colour, "…", strlen("…"));
	put(p, "", "  ", 2);
}

static void put_fields(struct pen *p, struct span object)
{
	struct walk w, inner;
	struct member m, k;
	if (!walk_init(&w, object) || !w.object)
		return;
	while (walk_next(&w, &m)) {
		if (span_eq(m.key, "event"))
			continue;
		if (!walk_init(&inner, m.value) || !inner.object) {
			put_field(p, (struct span){NULL, 0}, m);
			continue;
		}
		struct span prefix = span_eq(m.key, "properties") ? (struct span){NULL, 0} : m.key;
		while (walk_next(&inner, &k))
			put_field(p, prefix, k);
	}
}

/* An event's name; of a profile or group its operation. */
static struct span name_of(const struct seen *s, struct span object)
{
	struct span event = walk_get(object, "event");
	if (event.len >= 2 && event.at[0] == '"')
		return (struct span){event.at + 1, event.len - 2};
	for (size_t i = 0; i < s->adapter->operations_len; i++)
		if (walk_get(object, s->adapter->operations[i].key).at)
			return (struct span){s->adapter->operations[i].key, strlen(s->adapter->operations[i].key)};
	return SPAN("?");
}

static void put_start(struct pen *p, const struct seen *s)
{
	char at[16];
	struct tm tm;
	time_t t = (time_t)(s->at_us / 1000000);
	localtime_r(&t, &tm);
	strftime(at, sizeof at, "%H:%M:%S", &tm);
	p->column = 0;
	put(p, DIM, at, strlen(at));
	put(p, "", "  ", 2);
	const char *name = s->route ? s->route->name : "?";
	put(p, CYAN, name, strlen(name));
	pad_to(p, NAME_COLUMN);
}

static bool refused(const struct seen *s)
{
	return s->status < 200 || s->status >= 300;
}

/* What a person should know about the request as a whole, if anything. */
static void put_remark(struct pen *p, const struct seen *s)
{
	char status[32];
	if (s->status)
		snprintf(status, sizeof status, "answered %d", s->status);
	else
		snprintf(status, sizeof status, "never answered");
	put(p, refused(s) ? RED : "", status, strlen(status));
	if (s->wrong) {
		put(p, "", ": ", 2);
		put(p, RED, s->wrong, strlen(s->wrong));
	} else if (s->route && s->route->why) {
		put(p, "", ": ", 2);
		put(p, DIM, s->route->why, strlen(s->route->why));
	}
}

static void end_line(struct pen *p)
{
	while (p->out->len && p->out->data[p->out->len - 1] == ' ')
		p->out->len--;
	buf_addc(p->out, '\n');
}

void seen_text(const struct seen *s, const struct seen_look *look, struct buf *out)
{
	struct pen p = {.out = out, .look = look};
	for (size_t i = 0; i < s->n; i++) {
		struct span name = name_of(s, s->objects[i]);
		put_start(&p, s);
		put(&p, BOLD, name.at, name.len);
		pad_to(&p, FIELDS_COLUMN);
		put_fields(&p, s->objects[i]);
		end_line(&p);
	}
	if (s->n && !refused(s))
		return;
	put_start(&p, s);
	put_remark(&p, s);
	end_line(&p);
}
