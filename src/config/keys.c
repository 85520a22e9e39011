#include "config/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fio.h"

const struct key_file keys_table[KEY_NAMES] = {
	[KEY_VENDOR_ROOT] = {"vendor.root", 32, true, "root of every vendor's pseudonym keys"},
	[KEY_SUBJECT] = {"subject.key", 32, true, "the ledger's own pseudonyms; keep a copy in escrow"},
	[KEY_COURIER_PUBLIC] = {"courier.pub", 32, false, "payloads in log and queue are sealed to it"},
	[KEY_COURIER_SECRET] = {"courier.key", 32, true, "opens those payloads"},
	[KEY_SIGNING_PUBLIC] = {"signing.pub", 32, false, "checks signed plans and checkpoints"},
	[KEY_SIGNING_SECRET] = {"signing.key", 64, true, "signs plans and checkpoints"},
};

enum { HEX_MAX = 2 * KEY_FILE_BYTES_MAX };

static int read_line(int fd, const struct key_file *t, char *line, size_t *n, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_sys(err, "keys/%s", t->file);
	if (t->secret && (st.st_mode & 077))
		return err_set(err, ERR_DENIED, "keys/%s: mode %04o lets others read it; chmod 600 it, and think about who did",
			       t->file, (unsigned)(st.st_mode & 07777));
	ssize_t got = fio_read_all(&fio_os, fd, line, HEX_MAX + 2, 0);
	if (got < 0)
		return err_sys(err, "keys/%s", t->file);
	while (got > 0 && (line[got - 1] == '\n' || line[got - 1] == '\r'))
		got--;
	*n = (size_t)got;
	return 0;
}

int key_file_read(int dir, enum key_name k, uint8_t *out, struct err *err)
{
	const struct key_file *t = &keys_table[k];
	char line[HEX_MAX + 2];
	size_t n = 0;
	int fd = openat(dir, t->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(err, "keys/%s", t->file);
	int r = read_line(fd, t, line, &n, err);
	close(fd);
	if (r == 0 && !hex_decode(line, n, out, t->bytes))
		r = err_set(err, ERR_SYNTAX, "keys/%s: not %zu hexadecimal digits", t->file, 2 * t->bytes);
	explicit_bzero(line, sizeof line);
	return r;
}

int key_file_write(int dir, enum key_name k, const uint8_t *bytes, struct err *err)
{
	const struct key_file *t = &keys_table[k];
	int fd = openat(dir, t->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return err_set(err, ERR_CONFLICT, "keys/%s: exists already", t->file);
	if (fd < 0)
		return err_sys(err, "keys/%s", t->file);
	char line[HEX_MAX + 2];
	hex_encode(bytes, t->bytes, line);
	line[2 * t->bytes] = '\n';
	int r = fio_write_all(&fio_os, fd, line, 2 * t->bytes + 1, 0) < 0 || fsync(fd) < 0 || fsync(dir) < 0
			? err_sys(err, "keys/%s", t->file)
			: 0;
	close(fd);
	explicit_bzero(line, sizeof line);
	return r;
}
