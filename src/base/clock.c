#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t base_us;		/* added to the real clock, or the frozen value */
static bool is_frozen;

static int64_t real_us(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

#ifdef WEIR_TEST_CLOCK
static _Atomic int watch_fd = -1;
static _Atomic int64_t watch_read_ms, watch_us;

static int64_t watched_us(void)
{
	int fd = atomic_load(&watch_fd);
	if (fd < 0)
		return 0;
	int64_t now = clock_mono_ms();
	if (now - atomic_load(&watch_read_ms) >= 50) {
		char s[32] = "";
		if (pread(fd, s, sizeof s - 1, 0) >= 0)
			atomic_store(&watch_us, strtoll(s, NULL, 10) * 1000000);
		atomic_store(&watch_read_ms, now);
	}
	return atomic_load(&watch_us);
}

void clock_watch(int fd)
{
	atomic_store(&watch_read_ms, INT64_MIN / 2);
	atomic_store(&watch_fd, fd);
}
#else
static int64_t watched_us(void)
{
	return 0;
}

void clock_watch(int fd)
{
	(void)fd;
}
#endif

int clock_init(const char *start, bool frozen, struct err *err)
{
	base_us = 0;
	is_frozen = false;
	if (!start || !*start)
		return 0;
	int64_t s;
	if (!clock_parse(start, strlen(start), &s))
		return err_set(err, ERR_INPUT, "WEIR_NOW is not an RFC 3339 time");
	is_frozen = frozen;
	base_us = s * 1000000 - (frozen ? 0 : real_us(CLOCK_REALTIME));
	return 0;
}

int64_t clock_offset_us(void)
{
	return is_frozen ? base_us - real_us(CLOCK_REALTIME) : base_us;
}

void clock_set_offset_us(int64_t us)
{
	base_us = us;
	is_frozen = false;
}

int64_t clock_now_us(void)
{
	return base_us + (is_frozen ? 0 : real_us(CLOCK_REALTIME)) + watched_us();
}

int64_t clock_mono_us(void)
{
	return real_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

/* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
int64_t clock_days_from_civil(int64_t y, unsigned m, unsigned d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned yoe = (unsigned)(y - era * 400);
	unsigned doy = (153 * (m + (m > 2 ? 0u - 3u : 9u)) + 2) / 5 + d - 1;
	unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + (int64_t)doe - 719468;
}

void clock_civil_from_days(int64_t z, int64_t *y, unsigned *m, unsigned *d)
{
	z += 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;
	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = (int64_t)yoe + era * 400 + (*m <= 2);
}

static bool digits(const char *s, size_t n, unsigned *v)
{
	*v = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		*v = *v * 10 + (unsigned)(s[i] - '0');
	}
	return true;
}

static unsigned month_days(unsigned y, unsigned m)
{
	static const unsigned char len[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return m == 2 && (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0)) ? 29 : len[m - 1];
}

static bool parse_offset(const char *s, size_t n, int64_t *seconds)
{
	unsigned h, m;
	if (n == 1 && (*s == 'Z' || *s == 'z')) {
		*seconds = 0;
		return true;
	}
	if (n != 6 || (*s != '+' && *s != '-') || s[3] != ':' || !digits(s + 1, 2, &h) || !digits(s + 4, 2, &m) || h > 23 || m > 59)
		return false;
	*seconds = (int64_t)(h * 3600 + m * 60) * (*s == '-' ? -1 : 1);
	return true;
}

bool clock_parse(const char *s, size_t n, int64_t *seconds)
{
	unsigned y, mo, d, h = 0, mi = 0, sec = 0;
	if (n < 10 || !digits(s, 4, &y) || s[4] != '-' || !digits(s + 5, 2, &mo) || s[7] != '-' || !digits(s + 8, 2, &d))
		return false;
	if (mo < 1 || mo > 12 || d < 1 || d > month_days(y, mo))
		return false;
	int64_t off = 0;
	if (n > 10) {
		if (n < 20 || (s[10] != 'T' && s[10] != 't' && s[10] != ' ') || !digits(s + 11, 2, &h) || s[13] != ':' ||
		    !digits(s + 14, 2, &mi) || s[16] != ':' || !digits(s + 17, 2, &sec) || h > 23 || mi > 59 || sec > 60)
			return false;
		size_t i = 19;
		if (s[i] == '.') {
			size_t start = ++i;
			while (i < n && s[i] >= '0' && s[i] <= '9')
				i++;
			if (i == start)
				return false;
		}
		if (i >= n || !parse_offset(s + i, n - i, &off))
			return false;
	}
	*seconds = clock_days_from_civil(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec - off;
	return true;
}

static int64_t floor_days(int64_t s)
{
	return s >= 0 ? s / 86400 : -((-s + 86399) / 86400);
}

void clock_format_day(int64_t seconds, char out[static 11])
{
	int64_t y;
	unsigned m, d;
	clock_civil_from_days(floor_days(seconds), &y, &m, &d);
	char t[64];
	snprintf(t, sizeof t, "%04d-%02u-%02u", (int)y, m, d);
	memcpy(out, t, 10);
	out[10] = 0;
}

void clock_format(int64_t seconds, char out[static 21])
{
	clock_format_day(seconds, out);
	unsigned r = (unsigned)(seconds - floor_days(seconds) * 86400);
	char t[32];
	snprintf(t, sizeof t, "T%02u:%02u:%02uZ", r / 3600, r / 60 % 60, r % 60);
	memcpy(out + 10, t, 11);
}
