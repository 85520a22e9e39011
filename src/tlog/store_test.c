/*
 * tlog's folder: equal to Tessera's byte for byte, whole after any crash, and damage is named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fio_sim.h"
#include "crypt/crypt.h"
#include "tlog/tlog.h"

static uint8_t pk[32], sk[64];
static struct tlog_key key;

static struct tlog_place place(const struct fio *io, int dir)
{
	return (struct tlog_place){.io = io, .dir = dir, .key = key, .secret = sk};
}

static size_t entry_of(uint64_t i, char out[static 64])
{
	return (size_t)snprintf(out, 64, "entry %llu %.*s", (unsigned long long)i, (int)(i % 17), "xxxxxxxxxxxxxxxxx");
}

static int append(struct tlog *l, uint64_t from, size_t n, struct err *err)
{
	char (*text)[64] = calloc(n, sizeof *text);
	struct span *v = calloc(n, sizeof *v);
	uint64_t first = 0;
	for (size_t i = 0; i < n; i++)
		v[i] = (struct span){text[i], entry_of(from + i, text[i])};
	int r = tlog_append(l, v, n, &first, err);
	if (r == 0)
		assert_int_equal(first, from);
	free(v);
	free(text);
	return r;
}

static char folder[64];

static int new_folder(void)
{
	snprintf(folder, sizeof folder, "/tmp/weir-tlog-XXXXXX");
	assert_non_null(mkdtemp(folder));
	int fd = open(folder, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	return fd;
}

static void remove_folder(int fd)
{
	char command[100];
	close(fd);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

static struct tlog *opened(const struct fio *io, int dir)
{
	struct tlog *l;
	struct err err;
	const struct tlog_place p = place(io, dir);
	if (tlog_open(&p, &l, &err) < 0)
		fail_msg("%s", err.msg);
	return l;
}

/* ---- Tessera ------------------------------------------------------------------------------------------------------ */

static const char tessera_key[] = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

static int tessera(void)
{
	char at[1000];
	const char *given = getenv("WEIR_TESTDATA");
	snprintf(at, sizeof at, "%s%s/tessera-log", given ? given : WEIR_SOURCE, given ? "" : "/../shared/testdata");
	int fd = open(at, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		print_message("skipped: no test data at tessera-log\n");
	return fd;
}

static struct buf file_of(int dir, const char *path)
{
	struct buf b;
	struct err err;
	buf_init(&b, 0);
	if (tlog_file_read(&fio_os, dir, path, 1 << 20, &b, &err) < 0)
		fail_msg("%s", err.msg);
	return b;
}

static void no_damage(void *arg, const struct tlog_damage *d)
{
	(void)arg;
	fail_msg("%s: %s", d->file, d->why);
}

static void tesseras_log_is_whole(void **state)
{
	(void)state;
	struct tlog_key k;
	struct tlog *l;
	struct tlog_checked found;
	struct err err;
	char path[TLOG_PATH_MAX];
	int dir = tessera();
	if (dir < 0)
		skip();
	assert_int_equal(tlog_key_parse(tessera_key, strlen(tessera_key), &k, &err), 0);
	assert_int_equal(tlog_check(&fio_os, dir, &k, no_damage, NULL, NULL, &found, &err), 0);
	assert_int_equal(found.entries, 15);
	const struct tlog_place p = {.io = &fio_os, .dir = dir, .key = k};
	assert_int_equal(tlog_open(&p, &l, &err), 0);
	const struct tlog_source s = tlog_source(l);
	for (int i = 0; i <= 15; i++) {	/* every state that was ever signed leads to this one */
		snprintf(path, sizeof path, "checkpoint.%d", i);
		struct buf then = file_of(dir, path);
		if (tlog_compare((struct span){(char *)then.data, then.len}, tlog_checkpoint_note(l), &k, &s, &err) < 0)
			fail_msg("%s: %s", path, err.msg);
		buf_release(&then);
	}
	tlog_close(&l);
	close(dir);
}

/* Its entries, appended here, make its files. */
static void our_files_are_tesseras(void **state)
{
	(void)state;
	char path[TLOG_PATH_MAX];
	struct err err;
	struct buf ours;
	int theirs = tessera();
	if (theirs < 0)
		skip();
	int dir = new_folder();
	struct tlog *l = opened(&fio_os, dir);
	struct buf all = file_of(theirs, "tile/entries/000.p/15");
	size_t at = 0;
	for (unsigned i = 1; i <= 15; i++) {
		size_t n = (size_t)all.data[at] << 8 | all.data[at + 1];
		uint64_t first;
		assert_int_equal(tlog_append(l, &(struct span){(char *)all.data + at + 2, n}, 1, &first, &err), 0);
		at += 2 + n;
	}
	struct tlog_checkpoint mine, yours;
	struct tlog_note note;
	struct buf cp = file_of(theirs, "checkpoint");
	tlog_checkpoint_now(l, &mine);
	assert_int_equal(tlog_note_parse((char *)cp.data, cp.len, &note, &err), 0);
	assert_int_equal(tlog_checkpoint_parse(note.text, &yours, &err), 0);
	assert_memory_equal(&mine.root, &yours.root, sizeof mine.root);
	buf_init(&ours, 0);
	for (unsigned kind = 0; kind < 2; kind++)
		for (unsigned w = 1; w <= 15; w++) {
			buf_reset(&ours);
			assert_int_equal(tlog_tile_read(&fio_os, dir, kind ? TLOG_ENTRIES : 0, 0, w, &ours, &err), 0);
			tlog_tile_path(kind ? TLOG_ENTRIES : 0, 0, w, path);
			struct buf want = file_of(theirs, path);
			assert_int_equal(ours.len, want.len);
			assert_memory_equal(ours.data, want.data, want.len);
			buf_release(&want);
		}
	assert_int_equal(tlog_tile_read(&fio_os, dir, 0, 0, 16, &ours, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	buf_release(&ours);
	buf_release(&cp);
	buf_release(&all);
	tlog_close(&l);
	close(theirs);
	remove_folder(dir);
}

/* ---- growing ------------------------------------------------------------------------------------------------------ */

static void paths(void **state)
{
	(void)state;
	static const struct {
		unsigned level;
		uint64_t n;
		unsigned width;
		const char *path;
	} rows[] = {{0, 0, 256, "tile/0/000"}, {0, 1234067, 256, "tile/0/x001/x234/067"}, {TLOG_ENTRIES, 5, 8, "tile/entries/005.p/8"},
		    {63, 999, 255, "tile/63/999.p/255"}, {2, 1000, 0, "tile/2/x001/000"}, {0, UINT64_MAX, 1, "tile/0/x018/x446/x744/x073/x709/x551/615.p/1"}};
	static const char *const bad[] = {"tile", "tile/", "tile/0/0", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/x000/000", "tile/00/000", "tile/64/000",
					  "tile/0/000/", "tile/0/000.p/08", "tile/0/../../x", "tile/entries/0000", "checkpoint", "tile/0/x001/x234/67"};
	char path[TLOG_PATH_MAX];
	unsigned level, width;
	uint64_t n;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		tlog_tile_path(rows[i].level, rows[i].n, rows[i].width, path);
		assert_string_equal(path, rows[i].path);
		if (rows[i].n == UINT64_MAX)
			continue;	/* no log is so long */
		assert_true(tlog_tile_parse((struct span){path, strlen(path)}, &level, &n, &width));
		assert_true(level == rows[i].level && n == rows[i].n && width == (rows[i].width ? rows[i].width : 256));
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (tlog_tile_parse((struct span){bad[i], strlen(bad[i])}, &level, &n, &width))
			fail_msg("%s is taken for a tile", bad[i]);
}

static bool count_back(void *arg, uint64_t index, struct span entry)
{
	uint64_t *left = arg;
	char want[64];
	assert_int_equal(index, *left - 1);
	assert_int_equal(entry.len, entry_of(index, want));
	assert_memory_equal(entry.at, want, entry.len);
	return --*left > 0;
}

/* By steps of many sizes over tile ends of two levels; each state follows from each before it. */
static void grows(void **state)
{
	(void)state;
	static const size_t steps[] = {1, 1, 253, 1, 1, 255, 256, 1, 600, 3, 64000, 100, 1000};
	struct err err;
	struct buf old[16], proof;
	int dir = new_folder();
	uint64_t size = 0;
	struct tlog *l = opened(&fio_os, dir);
	size_t n = sizeof steps / sizeof *steps;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(append(l, size, steps[i], &err), 0);
		size += steps[i];
		struct span note = tlog_checkpoint_note(l);
		buf_init(&old[i], 0);
		buf_add(&old[i], note.at, note.len);
		if (i % 3 == 0) {
			tlog_close(&l);
			l = opened(&fio_os, dir);
		}
		assert_int_equal(tlog_size(l), size);
	}
	const struct tlog_source s = tlog_source(l);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(tlog_compare((struct span){(char *)old[i].data, old[i].len}, tlog_checkpoint_note(l), &key, &s, &err), 0);
	buf_init(&proof, 0);
	for (uint64_t i = 0; i < size; i += 997) {
		char text[64];
		buf_reset(&proof);
		assert_int_equal(tlog_proof_make(l, i, &proof, &err), 0);
		assert_int_equal(tlog_proof_check((char *)proof.data, proof.len, text, entry_of(i, text), &key, &err), 0);
	}
	uint64_t left = size;
	assert_int_equal(tlog_entries_back(l, size, count_back, &left, &err), 0);
	assert_int_equal(left, 0);
	struct tlog_checked found;
	assert_int_equal(tlog_check(&fio_os, dir, &key, no_damage, NULL, NULL, &found, &err), 0);
	assert_int_equal(found.entries, size);
	assert_int_equal(found.strays, 0);
	for (size_t i = 0; i < n; i++)
		buf_release(&old[i]);
	buf_release(&proof);
	tlog_close(&l);
	remove_folder(dir);
}

static void a_rolled_back_or_forked_log_is_refused(void **state)
{
	(void)state;
	struct err err;
	struct buf old;
	int dir = new_folder();
	struct tlog *l = opened(&fio_os, dir);
	assert_int_equal(append(l, 0, 10, &err), 0);
	struct span note = tlog_checkpoint_note(l);
	buf_init(&old, 0);
	buf_add(&old, note.at, note.len);
	tlog_close(&l);
	remove_folder(dir);
	dir = new_folder();
	l = opened(&fio_os, dir);
	struct tlog_source s = tlog_source(l);
	assert_int_equal(append(l, 0, 9, &err), 0);
	assert_int_equal(tlog_compare((struct span){(char *)old.data, old.len}, tlog_checkpoint_note(l), &key, &s, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_non_null(strstr(err.msg, "rolled back"));
	uint64_t first;
	for (int i = 0; i < 3; i++) {	/* as long, then longer */
		assert_int_equal(tlog_append(l, &SPAN("something else"), 1, &first, &err), 0);
		assert_int_equal(tlog_compare((struct span){(char *)old.data, old.len}, tlog_checkpoint_note(l), &key, &s, &err), -1);
		assert_int_equal(err.code, ERR_DENIED);
		assert_non_null(strstr(err.msg, "forked"));
	}
	buf_release(&old);
	tlog_close(&l);
	remove_folder(dir);
}

static void another_key_or_no_checkpoint(void **state)
{
	(void)state;
	struct err err;
	struct tlog *l;
	uint8_t pk2[32], sk2[64];
	int dir = new_folder();
	l = opened(&fio_os, dir);
	assert_int_equal(append(l, 0, 3, &err), 0);
	tlog_close(&l);
	struct tlog_place p = place(&fio_os, dir);
	sign_keypair(pk2, sk2);
	p.secret = sk2;
	assert_int_equal(tlog_open(&p, &l, &err), -1);
	assert_int_equal(err.code, ERR_CRYPTO);
	assert_int_equal(tlog_key_make(key.name, TLOG_ED25519, pk2, &p.key, &err), 0);
	assert_int_equal(tlog_open(&p, &l, &err), -1);
	assert_int_equal(err.code, ERR_CRYPTO);
	p = place(&fio_os, dir);
	assert_int_equal(unlinkat(dir, "checkpoint", 0), 0);
	assert_int_equal(tlog_open(&p, &l, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	remove_folder(dir);
}

/* ---- crashes ------------------------------------------------------------------------------------------------------ */

static unsigned seeds(void)
{
	const char *s = getenv("WEIR_CRASH_SEEDS");
	return s ? (unsigned)strtoul(s, NULL, 10) : 400;
}

/* How far the log is behind a crash; it must be whole. */
static uint64_t recovered(struct fio_sim *disk, unsigned seed, uint64_t acked, uint64_t sent)
{
	struct err err;
	struct tlog *l;
	struct tlog_checked found;
	const struct fio *io = fio_sim_io(disk);
	const struct tlog_place p = place(io, fio_sim_root(disk));
	if (tlog_open(&p, &l, &err) < 0)
		fail_msg("seed %u: %s", seed, err.msg);
	uint64_t size = tlog_size(l), left = size;
	if (size < acked || size > sent)
		fail_msg("seed %u: %llu entries, of %llu acknowledged and %llu sent", seed, (unsigned long long)size, (unsigned long long)acked,
			 (unsigned long long)sent);
	assert_int_equal(tlog_entries_back(l, size, count_back, &left, &err), 0);
	assert_int_equal(tlog_check(io, p.dir, &key, no_damage, NULL, NULL, &found, &err), 0);
	tlog_close(&l);
	return size;
}

static void crash_once(unsigned seed)
{
	enum { LIVES = 4 };
	struct err err;
	struct tlog *l;
	struct fio_sim *disk = fio_sim_new(seed);
	uint64_t acked = 0;
	for (int life = 0; life < LIVES; life++) {
		const struct tlog_place p = place(fio_sim_io(disk), fio_sim_root(disk));
		uint64_t sent = acked;
		fio_sim_faults(disk)->crash_at = 1 + fio_sim_random(disk) % 300;
		if (fio_sim_random(disk) % 3 == 0) {
			fio_sim_faults(disk)->fail_at = 1 + fio_sim_random(disk) % 100;
			fio_sim_faults(disk)->fail_errno = fio_sim_random(disk) % 2 ? EIO : ENOSPC;
			fio_sim_faults(disk)->fail_times = 1;
		}
		if (tlog_open(&p, &l, &err) == 0) {
			for (int i = 0; i < 40 && !fio_sim_dead(disk); i++) {
				size_t n = fio_sim_random(disk) % 8 == 0 ? 300 : 1 + fio_sim_random(disk) % 5;
				/* After a failure the number that the next one gets is known again only behind a start. */
				sent = acked + n > sent ? acked + n : sent;
				if (append(l, acked, n, &err) < 0)
					break;
				acked += n;
			}
			tlog_close(&l);
		}
		fio_sim_power_cut(disk);
		acked = recovered(disk, seed, acked, sent);
	}
	fio_sim_free(&disk);
}

static void crashes(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= seeds(); seed++)
		crash_once(seed);
}

/* ---- damage ------------------------------------------------------------------------------------------------------- */

struct named {
	const char *file;
	uint64_t at;
	bool hit;
	size_t n;
};

static void note_damage(void *arg, const struct tlog_damage *d)
{
	struct named *w = arg;
	w->n++;
	if (strcmp(d->file, w->file) == 0 && d->from <= w->at && (w->at < d->to || d->to == UINT64_MAX))
		w->hit = true;
}

static void ignore_damage(void *arg, const struct tlog_damage *d)
{
	(void)d;
	++*(size_t *)arg;
}

static void flip_file(int dir, const char *path, size_t step)
{
	struct buf b = file_of(dir, path);
	struct err err;
	struct tlog_checked found;
	int fd = openat(dir, path, O_RDWR);
	assert_true(fd >= 0);
	for (size_t i = 0; i < b.len; i += i < 64 || i + 64 > b.len ? 1 : step) {
		uint8_t byte = b.data[i] ^ (uint8_t)(1 << i % 8);
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)i), 1);
		struct named w = {.file = path, .at = i};
		assert_int_equal(tlog_check(&fio_os, dir, &key, note_damage, NULL, &w, &found, &err), 0);
		if (!w.hit)
			fail_msg("%s: byte %zu was changed, and %zu other places are named", path, i, w.n);
		assert_int_equal(pwrite(fd, &b.data[i], 1, (off_t)i), 1);
	}
	/* Cut off, longer, gone. */
	for (int how = 0; how < 3; how++) {
		size_t n = 0;
		if (how == 2)
			assert_int_equal(renameat(dir, path, dir, "away"), 0);
		else
			assert_int_equal(ftruncate(fd, (off_t)b.len + (how ? 1 : -1)), 0);
		int r = tlog_check(&fio_os, dir, &key, ignore_damage, NULL, &n, &found, &err);
		if (r == 0 && n == 0)
			fail_msg("%s: %s, and nothing is said", path, how == 2 ? "gone" : how ? "longer" : "cut off");
		if (how == 2)
			assert_int_equal(renameat(dir, "away", dir, path), 0);
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, b.data, b.len, 0), (ssize_t)b.len);
	}
	close(fd);
	buf_release(&b);
}

static void any_byte_changed_is_named(void **state)
{
	(void)state;
	static const char *const files[] = {"checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44"};
	struct err err;
	struct tlog_checked found;
	int dir = new_folder();
	struct tlog *l = opened(&fio_os, dir);
	assert_int_equal(append(l, 0, 300, &err), 0);
	tlog_close(&l);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		flip_file(dir, files[i], 13);
	assert_int_equal(tlog_check(&fio_os, dir, &key, no_damage, NULL, NULL, &found, &err), 0);
	remove_folder(dir);
}

static int setup(void **state)
{
	(void)state;
	struct err err;
	if (crypt_init(&err) < 0)
		return -1;
	sign_keypair(pk, sk);
	return tlog_key_make("log.example/one", TLOG_ED25519, pk, &key, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),   cmocka_unit_test(tesseras_log_is_whole),
		cmocka_unit_test(our_files_are_tesseras), cmocka_unit_test(grows),
		cmocka_unit_test(a_rolled_back_or_forked_log_is_refused), cmocka_unit_test(another_key_or_no_checkpoint),
		cmocka_unit_test(crashes), cmocka_unit_test(any_byte_changed_is_named),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
