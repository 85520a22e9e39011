/* Key files: written once, private, and read back exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/keys.h"

static int folder(void)
{
	char path[] = "/tmp/weir-keys-XXXXXX";
	assert_non_null(mkdtemp(path));
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	return dir;
}

static void empty(int dir)
{
	char link[64], path[256];
	for (int k = 0; k < KEY_NAMES; k++)
		unlinkat(dir, keys_table[k].file, 0);
	snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n > 0) {
		path[n] = 0;
		rmdir(path);
	}
	close(dir);
}

static void round_trip(void **state)
{
	(void)state;
	int dir = folder();
	struct err err = {0};
	for (int k = 0; k < KEY_NAMES; k++) {
		uint8_t in[KEY_FILE_BYTES_MAX], out[KEY_FILE_BYTES_MAX];
		assert_true(keys_table[k].bytes <= KEY_FILE_BYTES_MAX);
		memset(in, 0xa0 + k, sizeof in);
		assert_int_equal(key_file_write(dir, (enum key_name)k, in, &err), 0);
		assert_int_equal(key_file_read(dir, (enum key_name)k, out, &err), 0);
		assert_memory_equal(in, out, keys_table[k].bytes);
		struct stat st;
		assert_int_equal(fstatat(dir, keys_table[k].file, &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(key_file_write(dir, (enum key_name)k, in, &err), -1);
		assert_int_equal(err.code, ERR_CONFLICT);
	}
	empty(dir);
}

static void refusals(void **state)
{
	(void)state;
	int dir = folder();
	struct err err = {0};
	uint8_t key[KEY_FILE_BYTES_MAX] = {1};
	assert_int_equal(key_file_read(dir, KEY_SUBJECT, key, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);

	assert_int_equal(key_file_write(dir, KEY_SUBJECT, key, &err), 0);
	assert_int_equal(fchmodat(dir, "subject.key", 0640, 0), 0);
	assert_int_equal(key_file_read(dir, KEY_SUBJECT, key, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(fchmodat(dir, "subject.key", 0600, 0), 0);

	static const char *const damaged[] = {"", "00", "zz", "0000000000000000000000000000000000000000000000000000000000000000ff"};
	for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
		int fd = openat(dir, "subject.key", O_WRONLY | O_TRUNC | O_CLOEXEC);
		assert_int_equal(write(fd, damaged[i], strlen(damaged[i])), (ssize_t)strlen(damaged[i]));
		close(fd);
		assert_int_equal(key_file_read(dir, KEY_SUBJECT, key, &err), -1);
		assert_int_equal(err.code, ERR_SYNTAX);
		assert_null(strstr(err.msg, "ff"));	/* what a damaged key file holds may still be a key */
	}
	empty(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(refusals)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
