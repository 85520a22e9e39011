#include "base/say.h"

#include <stdarg.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

static const char *who = "weir";
static enum say_level least = SAY_INFO;

void say_init(const char *process)
{
	who = process;
}

void say_least(enum say_level level)
{
	least = level;
}

void say(enum say_level level, const char *event, ...)
{
	if (level < least)
		return;
	static const char *const levels[] = {"info", "warn", "error"};
	char at[21];
	struct buf b;
	buf_init(&b, 8192);
	clock_format(clock_now(), at);
	buf_addf(&b, "{\"at\":\"%s\",\"process\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", at, who, levels[level], event);
	va_list ap;
	va_start(ap, event);
	for (const char *name; (name = va_arg(ap, const char *));) {
		const struct say_field *f = va_arg(ap, const struct say_field *);
		buf_addf(&b, ",\"%s\":", name);
		if (f->type == SAY_INT)
			buf_addf(&b, "%lld", (long long)f->i);
		else if (f->s)
			buf_add_json(&b, f->s, strlen(f->s));
		else
			buf_adds(&b, "null");
	}
	va_end(ap);
	buf_adds(&b, "}\n");
	if (b.data && write(STDERR_FILENO, b.data, b.len) < 0) {
		/* nowhere left to say it */
	}
	buf_release(&b);
}
