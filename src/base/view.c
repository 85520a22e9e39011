/*
 * Files as memory.  A mapped page whose bytes can't be had (the file was cut off, its disk fails) raises SIGBUS when it is
 * touched; with fio_guard it turns to zeros instead, and the view says so.  Whoever reads through a view looks at fio_faults
 * before it believes what it read: nothing is thrown away half done, as it would be by a jump out of the signal.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fio.h"

struct range {
	uintptr_t from, to;
	bool lost;
};

/* Of those who use views: one thread.  The signal comes to it while it touches a page, never while it is in here. */
static struct range *ranges;
static size_t ranges_n;
static volatile sig_atomic_t faults;
static uintptr_t page_mask;

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
	int sys = errno;
	uintptr_t at = (uintptr_t)info->si_addr, page = at & ~page_mask;
	(void)context;
	for (size_t i = 0; i < ranges_n; i++) {
		if (at < ranges[i].from || at >= ranges[i].to)
			continue;
		void *p = mmap((void *)page, page_mask + 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (p == MAP_FAILED)
			break;
		ranges[i].lost = true;
		faults = faults + 1;
		errno = sys;
		return;
	}
	signal(signal_number, SIG_DFL);	/* it happens again, and ends us */
}

void fio_guard(void)
{
	struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	page_mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
	sigemptyset(&a.sa_mask);
	sigaction(SIGBUS, &a, NULL);
}

unsigned fio_faults(void)
{
	return (unsigned)faults;
}

bool fio_faulted(const struct fio_view *v)
{
	for (size_t i = 0; i < ranges_n; i++)
		if (v->mapped && ranges[i].from == (uintptr_t)v->p)
			return ranges[i].lost;
	return false;
}

static void note(const struct fio_view *v)
{
	ranges = xrealloc(ranges, (ranges_n + 1) * sizeof *ranges);
	ranges[ranges_n++] = (struct range){.from = (uintptr_t)v->p, .to = (uintptr_t)v->p + v->n};
}

static void forget(const struct fio_view *v)
{
	for (size_t i = 0; i < ranges_n; i++)
		if (ranges[i].from == (uintptr_t)v->p) {
			ranges[i] = ranges[--ranges_n];
			break;
		}
	if (ranges_n)
		return;
	free(ranges);
	ranges = NULL;
}

int fio_view(const struct fio *io, int fd, size_t n, struct fio_view *out)
{
	struct fio_stat st;
	*out = (struct fio_view){.n = n};
	if (io->stat(io->ctx, fd, &st) < 0)
		return -1;
	if (st.size < n)
		return 1;
	if (io->map && n)
		out->p = io->map(io->ctx, fd, n);
	out->mapped = out->p != NULL;
	if (out->mapped) {
		note(out);
		return 0;
	}
	uint8_t *p = xmalloc(n + 1);
	ssize_t got = fio_read_all(io, fd, p, n, 0);
	if (got == (ssize_t)n) {
		out->p = p;
		return 0;
	}
	free(p);
	return got < 0 ? -1 : 1;
}

void fio_view_release(struct fio_view *v)
{
	void *p = (void *)(uintptr_t)v->p;
	if (v->mapped) {
		forget(v);
		(void)munmap(p, v->n);
	} else if (!v->borrowed)
		free(p);
	*v = (struct fio_view){0};
}
