/*
 * A simulated disk behind struct fio, for tests: what was not synced may be lost, reordered or torn.
 *
 * Model.  A file's bytes and a folder's names each have a live state, which calls see, and a stable one.  Changes wait
 * until sync of that file (bytes) or that folder (names); names are not made stable by syncing the file.  A power cut
 * keeps of the waiting changes nothing, everything, a prefix, or any subset: writes in pieces of 512 bytes, the file's
 * length with or without them, each create, rename and unlink by itself.  A sync that fails has written any part and
 * forgets the rest, and the next sync says 0 (Linux does so: wiki.postgresql.org/wiki/Fsync_Errors).
 *
 * Everything follows from the seed and the calls.  One thread.
 */
#ifndef BASE_FIO_SIM_H
#define BASE_FIO_SIM_H

#include "base/fio.h"

struct fio_sim;

struct fio_sim_faults {
	/* Calls are counted from 1; 0: never.  All calls but close and free_bytes count. */
	uint64_t crash_at;	/* this call may do its work or not, and from then on every call fails */
	uint64_t fail_at;	/* this call fails with fail_errno */
	uint64_t fail_times;	/* and as many in all, from there on */
	int fail_errno;
	bool fail_short;	/* a failing write first writes a part and says so */
	bool fail_reads;	/* also open without O_CREAT, pread, stat and list; else those are spared */
	/* Broken disks, or programs: the sync says 0 and does nothing. */
	bool lose_file_sync, lose_dir_sync;
};

struct fio_sim *fio_sim_new(uint64_t seed);
void fio_sim_free(struct fio_sim **s);
const struct fio *fio_sim_io(struct fio_sim *s);
int fio_sim_root(struct fio_sim *s);	/* handle of the top folder; open again after a crash by the same call */
struct fio_sim_faults *fio_sim_faults(struct fio_sim *s);
void fio_sim_capacity(struct fio_sim *s, uint64_t bytes);	/* 0: no limit */
uint64_t fio_sim_calls(const struct fio_sim *s);	/* since the start or the last crash */
bool fio_sim_dead(const struct fio_sim *s);
uint64_t fio_sim_random(struct fio_sim *s);

/* The process is gone and its handles with it; a power cut takes what was not stable too.  Faults are cleared except
 * the broken ones. */
void fio_sim_kill(struct fio_sim *s);
void fio_sim_power_cut(struct fio_sim *s);

/* A file of the top folder as it is, for tests that damage it: bytes can be changed in place.  NULL: none. */
uint8_t *fio_sim_file(struct fio_sim *s, const char *name, size_t *n);
/* Makes, replaces or (data NULL) removes a file, stably. */
void fio_sim_put(struct fio_sim *s, const char *name, const void *data, size_t n);

#endif
