#include "log/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"

static const char magic[8] = {'W', 'E', 'I', 'R', 'L', 'O', 'G', '1'};
enum {
	WINDOW = 1 << 20,
	BAD_BLOCK = 4096,
	SPAN = 1 << 25,	/* numbers of one segment: more don't fit, and searching needs a bound to be cheap */
};

void segment_name(uint64_t first_seq, char out[static LOG_NAME])
{
	snprintf(out, LOG_NAME, "%016llx.log", (unsigned long long)first_seq);
}

static bool name_parse(const char *name, uint64_t *first_seq)
{
	if (strlen(name) != 20 || strcmp(name + 16, ".log") != 0)
		return false;
	*first_seq = 0;
	for (int i = 0; i < 16; i++) {
		const char *digits = "0123456789abcdef", *at = strchr(digits, name[i]);
		if (!at)
			return false;
		*first_seq = *first_seq << 4 | (uint64_t)(at - digits);
	}
	return *first_seq != 0 && *first_seq < LOG_SEQ_MAX;
}

struct names {
	uint64_t *v;
	size_t n, cap;
};

static bool name_keep(void *arg, const char *name)
{
	struct names *l = arg;
	uint64_t first;
	if (!name_parse(name, &first))
		return true;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->v = xrealloc(l->v, l->cap * sizeof *l->v);
	}
	l->v[l->n++] = first;
	return true;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

int segment_list(const struct fio *io, int dir, uint64_t **out, size_t *n, struct err *err)
{
	struct names l = {0};
	if (io->list(io->ctx, dir, name_keep, &l) < 0) {
		free(l.v);
		return err_sys(err, "log: list the folder");
	}
	if (l.n)
		qsort(l.v, l.n, sizeof *l.v, by_number);
	*out = l.v;
	*n = l.n;
	return 0;
}

void segment_head(uint8_t out[static LOG_SEGMENT_HEAD], const uint8_t stream[static 16], uint64_t first_seq,
		  const uint8_t salt[static 16], int64_t created_us)
{
	memcpy(out, magic, 8);
	memcpy(out + 8, stream, 16);
	put_u64(out + 24, first_seq);
	memcpy(out + 32, salt, 16);
	put_u64(out + 48, (uint64_t)created_us);
	put_u32(out + 56, 0);
	put_u32(out + 60, crc32c(0, out, 60));
}

/* Over salt || len || type || seq || body. */
static uint32_t frame_crc(const uint8_t salt[static 16], uint32_t len, uint8_t type, uint64_t seq, const void *body)
{
	uint8_t head[29];
	memcpy(head, salt, 16);
	put_u32(head + 16, len);
	head[20] = type;
	put_u64(head + 21, seq);
	return crc32c(crc32c(0, head, sizeof head), body, len);
}

uint8_t *frame_begin(struct buf *b, enum log_type type, uint64_t seq, uint32_t index, size_t n)
{
	if (!buf_reserve(b, LOG_FRAME_HEAD + n))
		return NULL;
	uint8_t *h = b->data + b->len;
	put_u32(h, (uint32_t)n);
	put_u32(h + 4, (uint32_t)type | index << 8);
	put_u64(h + 8, seq);
	b->len += LOG_FRAME_HEAD + n;
	return h + LOG_FRAME_HEAD;
}

void frame_end(struct buf *b, size_t at, const uint8_t salt[static 16])
{
	uint8_t *h = b->data + at;
	put_u32(h + 16, frame_crc(salt, get_u32(h), h[4], get_u64(h + 8), h + LOG_FRAME_HEAD));
}

void frame_add(struct buf *b, const uint8_t salt[static 16], enum log_type type, uint64_t seq, uint32_t index,
	       const void *body, size_t n)
{
	size_t at = b->len;
	uint8_t *to = frame_begin(b, type, seq, index, n);
	if (!to)
		return;
	if (n)
		memcpy(to, body, n);
	frame_end(b, at, salt);
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

/* Bytes that can't be read become zeros, block by block: what lies around them is still found. */
static ssize_t read_around(struct segment *s, uint8_t *to, size_t n, uint64_t off)
{
	ssize_t got = fio_read_all(s->io, s->fd, to, n, off);
	if (got >= 0)
		return got;
	for (size_t i = 0; i < n; i += BAD_BLOCK) {
		size_t k = n - i < BAD_BLOCK ? n - i : BAD_BLOCK;
		if (fio_read_all(s->io, s->fd, to + i, k, off + i) >= 0)
			continue;
		s->unreadable = true;
		memset(to + i, 0, k);
	}
	return (ssize_t)n;
}

/* n bytes at off, or NULL when the file ends before. */
static const uint8_t *segment_at(struct segment *s, uint64_t off, size_t n)
{
	if (off >= s->window_off && off - s->window_off <= s->window_len && s->window_len - (off - s->window_off) >= n)
		return s->window + (off - s->window_off);
	struct fio_stat st;
	if (s->io->stat(s->io->ctx, s->fd, &st) == 0)
		s->size = st.size;
	else
		s->unreadable = true;
	if (off > s->size || s->size - off < n)
		return NULL;
	size_t want = n > WINDOW ? n : WINDOW;
	if (want > s->size - off)
		want = (size_t)(s->size - off);
	if (want > s->window_cap) {
		s->window = xrealloc(s->window, want);
		s->window_cap = want;
	}
	ssize_t got = read_around(s, s->window, want, off);
	s->window_off = off;
	s->window_len = got < 0 ? 0 : (size_t)got;
	return s->window_len >= n ? s->window : NULL;
}

void segment_refresh(struct segment *s)
{
	s->window_len = 0;
	s->unreadable = false;
}

/* A valid frame at off whose number is in [min, stop). */
static bool frame_at(struct segment *s, uint64_t off, uint64_t min, uint64_t stop, struct frame *f)
{
	const uint8_t *h = segment_at(s, off, LOG_FRAME_HEAD);
	if (!h)
		return false;
	uint32_t len = get_u32(h), type = h[4], crc = get_u32(h + 16);
	uint64_t seq = get_u64(h + 8);
	if (seq < min || seq >= stop || seq - s->first_seq > SPAN || type == 0 || len > LOG_BODY_MAX)
		return false;
	*f = (struct frame){.off = off, .end = off + LOG_FRAME_HEAD + len, .seq = seq, .len = len,
			    .type = (enum log_type)type, .index = get_u32(h + 4) >> 8};
	h = segment_at(s, off, LOG_FRAME_HEAD + (size_t)len);
	if (!h || frame_crc(s->salt, len, (uint8_t)type, seq, h + LOG_FRAME_HEAD) != crc)
		return false;
	f->body = h + LOG_FRAME_HEAD;
	return true;
}

/* The first valid frame at or behind `from` with a number in [min, stop). */
static bool frame_find(struct segment *s, uint64_t from, uint64_t min, uint64_t stop, struct frame *f)
{
	for (uint64_t off = from; s->budget; off++) {
		const uint8_t *h = segment_at(s, off, LOG_FRAME_HEAD);
		if (!h)
			return false;
		uint64_t seq = get_u64(h + 8);
		if (seq < min || seq >= stop || h[4] == 0)
			continue;
		if (seq - s->first_seq > SPAN)
			continue;
		uint64_t window = s->window_off, cost = LOG_FRAME_HEAD + (uint64_t)get_u32(h);
		if (frame_at(s, off, min, stop, f))
			return true;
		cost = cost > s->size ? LOG_FRAME_HEAD : cost;
		cost += s->window_off != window ? WINDOW : 0;
		s->budget -= cost < s->budget ? cost : s->budget;
	}
	return false;
}

enum segment_step segment_step(struct segment *s, uint64_t want, uint64_t stop, bool open_end, struct frame *f,
			       uint64_t *gap_last)
{
	if (want == stop)
		return SEGMENT_END;
	if (frame_at(s, s->off, want, want + 1, f)) {
		s->off = f->end;
		return SEGMENT_FRAME;
	}
	uint64_t from = s->off, min = want;
	struct frame first = {0};
	for (struct frame g; frame_find(s, from, min, stop, &g); from = g.end, min = g.seq + 1) {
		if (g.seq == want) {	/* foreign bytes in between, but nothing is missing */
			*f = g;
			s->off = g.end;
			return SEGMENT_FRAME;
		}
		if (!first.seq)
			first = g;
		/* A later batch was only written once this one was synced: then `want` was durable, and is damaged. */
		if (!open_end || g.seq - g.index > want) {
			s->off = first.off;
			*gap_last = first.seq - 1;
			return SEGMENT_GAP;
		}
	}
	if (open_end)
		return SEGMENT_END;
	*gap_last = stop - 1;
	return SEGMENT_GAP;
}

static bool header_good(struct segment *s)
{
	const uint8_t *h = segment_at(s, 0, LOG_SEGMENT_HEAD);
	if (!h)
		return false;
	memcpy(s->stream, h + 8, 16);
	memcpy(s->salt, h + 32, 16);
	s->created_us = (int64_t)get_u64(h + 48);
	if (memcmp(h, magic, 8) == 0 && get_u32(h + 60) == crc32c(0, h, 60))
		return get_u64(h + 24) == s->first_seq;
	/* A damaged header whose salt still proves the first frame loses nothing. */
	struct frame f;
	memset(s->stream, 0, 16);
	return frame_at(s, LOG_SEGMENT_HEAD, s->first_seq, s->first_seq + 1, &f);
}

int segment_open(struct segment *s, const struct fio *io, int dir, uint64_t first_seq, struct err *err)
{
	char name[LOG_NAME];
	segment_name(first_seq, name);
	*s = (struct segment){.io = io, .first_seq = first_seq, .off = LOG_SEGMENT_HEAD};
	s->fd = io->open(io->ctx, dir, name, O_RDONLY, 0);
	if (s->fd < 0)
		return err_sys(err, "log: open %s", name);
	struct fio_stat st;
	if (io->stat(io->ctx, s->fd, &st) < 0) {
		err_sys(err, "log: stat %s", name);
		segment_close(s);
		return -1;
	}
	s->size = st.size;
	s->budget = 4 * st.size + (64 << 20);
	if (header_good(s))
		return 1;
	segment_close(s);
	return 0;
}

void segment_close(struct segment *s)
{
	if (s->fd >= 0)
		s->io->close(s->io->ctx, s->fd);
	s->fd = -1;
	free(s->window);
	s->window = NULL;
	s->window_len = s->window_cap = 0;
}
