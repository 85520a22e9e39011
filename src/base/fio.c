#include "base/fio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/hook.h"

static int os_open(void *ctx, int dir, const char *path, int flags, unsigned mode)
{
	(void)ctx;
	return openat(dir, path, flags | O_CLOEXEC, mode);
}

static int os_close(void *ctx, int fd)
{
	(void)ctx;
	return close(fd);
}

static ssize_t os_pread(void *ctx, int fd, void *p, size_t n, uint64_t off)
{
	(void)ctx;
	return pread(fd, p, n, (off_t)off);
}

static ssize_t os_pwrite(void *ctx, int fd, const void *p, size_t n, uint64_t off)
{
	(void)ctx;
	return pwrite(fd, p, n, (off_t)off);
}

static int os_sync(void *ctx, int fd)
{
	(void)ctx;
	struct stat st;
	if (hook_broken(2))	/* test builds: nothing becomes durable */
		return 0;
	if (fstat(fd, &st) < 0)
		return -1;
	return S_ISDIR(st.st_mode) ? fsync(fd) : fdatasync(fd);
}

static int os_truncate(void *ctx, int fd, uint64_t size)
{
	(void)ctx;
	return ftruncate(fd, (off_t)size);
}

static int os_punch(void *ctx, int fd, uint64_t off, uint64_t n)
{
	(void)ctx;
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)n);
}

static int os_stat(void *ctx, int fd, struct fio_stat *out)
{
	(void)ctx;
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -1;
	*out = (struct fio_stat){
		.size = (uint64_t)st.st_size,
		.on_disk = (uint64_t)st.st_blocks * 512,
		.mtime_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000,
		.is_dir = S_ISDIR(st.st_mode),
	};
	return 0;
}

static int os_rename(void *ctx, int dir, const char *from, const char *to)
{
	(void)ctx;
	return renameat(dir, from, dir, to);
}

static int os_unlink(void *ctx, int dir, const char *path)
{
	(void)ctx;
	return unlinkat(dir, path, 0);
}

static int os_mkdir(void *ctx, int dir, const char *path, unsigned mode)
{
	(void)ctx;
	return mkdirat(dir, path, mode);
}

static int os_list(void *ctx, int dir, bool (*each)(void *arg, const char *name), void *arg)
{
	(void)ctx;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	DIR *d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -1;
	}
	for (struct dirent *e; (errno = 0, e = readdir(d));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && !each(arg, e->d_name))
			break;
	int sys = errno;
	closedir(d);
	errno = sys;
	return sys ? -1 : 0;
}

static int os_free_bytes(void *ctx, int dir, uint64_t *bytes)
{
	(void)ctx;
	struct statvfs v;
	if (fstatvfs(dir, &v) < 0)
		return -1;
	*bytes = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}

static void os_cool(void *ctx, int dir, const char *path, uint64_t off, uint64_t n)
{
	(void)ctx;
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!posix_fadvise(fd, (off_t)off, (off_t)n, POSIX_FADV_DONTNEED);
	close(fd);
}

static const void *os_map(void *ctx, int fd, size_t n)
{
	(void)ctx;
	void *p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

const struct fio fio_os = {
	.open = os_open,
	.close = os_close,
	.pread = os_pread,
	.pwrite = os_pwrite,
	.sync = os_sync,
	.truncate = os_truncate,
	.punch = os_punch,
	.stat = os_stat,
	.rename = os_rename,
	.unlink = os_unlink,
	.mkdir = os_mkdir,
	.list = os_list,
	.free_bytes = os_free_bytes,
	.cool = os_cool,
	.map = os_map,
};

int fio_write_all(const struct fio *io, int fd, const void *p, size_t n, uint64_t off)
{
	const char *at = p;
	while (n) {
		ssize_t k = io->pwrite(io->ctx, fd, at, n, off);
		if (k < 0 && errno == EINTR)
			continue;
		if (k == 0)
			errno = ENOSPC;
		if (k <= 0)
			return -1;
		at += k;
		n -= (size_t)k;
		off += (uint64_t)k;
	}
	return 0;
}

ssize_t fio_read_all(const struct fio *io, int fd, void *p, size_t n, uint64_t off)
{
	char *at = p;
	size_t got = 0;
	while (got < n) {
		ssize_t k = io->pread(io->ctx, fd, at + got, n - got, off + got);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		if (k == 0)
			break;
		got += (size_t)k;
	}
	return (ssize_t)got;
}
