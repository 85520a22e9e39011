/*
 * File I/O through a table, so that tests can replace the disk (simulated power cuts, failing calls).
 *
 * Everything durable (log, queue, plans, ledger/open) goes through it; nothing is ever written through mmap.  Paths
 * are relative to a directory handle opened at start, so that a sandboxed process needs no absolute path.  Calls
 * return what the system call returns and set errno.  Implementations are as thread-safe as the kernel's.
 *
 * Durability rules (docs/ARCHITECTURE.md, "Durability"): a new file is synced, then its directory, before anything
 * depends on it; a failed sync is final for that file: stop acknowledging, open a new one.
 */
#ifndef BASE_FIO_H
#define BASE_FIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fio_stat {
	uint64_t size;		/* bytes */
	uint64_t on_disk;	/* bytes allocated: shrinks when holes are punched */
	int64_t mtime_us;
	bool is_dir;
};

struct fio {
	void *ctx;
	int (*open)(void *ctx, int dir, const char *path, int flags, unsigned mode);
	int (*close)(void *ctx, int fd);
	ssize_t (*pread)(void *ctx, int fd, void *p, size_t n, uint64_t off);
	ssize_t (*pwrite)(void *ctx, int fd, const void *p, size_t n, uint64_t off);
	int (*sync)(void *ctx, int fd);		/* fdatasync; on a directory fsync */
	int (*truncate)(void *ctx, int fd, uint64_t size);
	int (*punch)(void *ctx, int fd, uint64_t off, uint64_t n);	/* hole, size kept */
	int (*stat)(void *ctx, int fd, struct fio_stat *st);
	int (*rename)(void *ctx, int dir, const char *from, const char *to);
	int (*unlink)(void *ctx, int dir, const char *path);
	int (*mkdir)(void *ctx, int dir, const char *path, unsigned mode);
	/* Calls each() with every name but . and .. in no order; stops when it returns false. */
	int (*list)(void *ctx, int dir, bool (*each)(void *arg, const char *name), void *arg);
	int (*free_bytes)(void *ctx, int dir, uint64_t *bytes);	/* what an unprivileged writer may still use */
	/* A hint: nobody will read these bytes soon, the kernel needn't keep what of them is synced in memory.  n 0: to the end.
	 * Changes none. */
	void (*cool)(void *ctx, int dir, const char *path, uint64_t off, uint64_t n);
	/* The file's first n bytes (n > 0), to be read only; NULL with errno.  May be NULL itself: then files are read. */
	const void *(*map)(void *ctx, int fd, size_t n);
};

/* The kernel's. */
extern const struct fio fio_os;

/* Loops over short transfers and EINTR: 0, or -1 with errno.  fio_read_all returns the bytes read (short at the end). */
int fio_write_all(const struct fio *io, int fd, const void *p, size_t n, uint64_t off);
ssize_t fio_read_all(const struct fio *io, int fd, void *p, size_t n, uint64_t off);

/*
 * The first n bytes of a file that nobody should shorten while this lives: mapped where that works, else read into memory.
 * 0; 1: the file is shorter; -1 with errno.
 */
struct fio_view {
	const uint8_t *p;
	size_t n;
	bool mapped, borrowed;	/* borrowed: somebody else's memory */
};
int fio_view(const struct fio *io, int fd, size_t n, struct fio_view *out);
void fio_view_release(struct fio_view *v);
/*
 * From now on a mapped page that can't be read (the file was cut off, its disk fails) reads as zeros instead of ending the
 * process.  faults: how many there were; faulted: some of this view's.  Views are made, read and released by one thread.
 */
void fio_guard(void);
unsigned fio_faults(void);
bool fio_faulted(const struct fio_view *v);

#endif
