/* tlog: the tree, notes, checkpoints and proof files, against published vectors and a naive tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/crypt.h"
#include "tlog/tlog.h"

/* ---- the tree ----------------------------------------------------------------------------------------------------- */

static const char *const leaves[8] = {"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
static const char *const roots[9] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

static void rfc6962_roots(void **state)
{
	(void)state;
	struct tlog_hash v[8], root;
	char hex[65];
	for (size_t i = 0; i < 8; i++) {
		uint8_t entry[16];
		assert_true(hex_decode(leaves[i], strlen(leaves[i]), entry, strlen(leaves[i]) / 2));
		tlog_leaf(entry, strlen(leaves[i]) / 2, &v[i]);
	}
	for (size_t n = 0; n <= 8; n++) {
		tlog_root_of(v, n, &root);
		hex_encode(root.b, 32, hex);
		assert_string_equal(hex, roots[n]);
	}
}

struct naive {
	struct tlog_hash v[600];
};

static int naive_read(void *arg, unsigned height, uint64_t index, struct tlog_hash *out, struct err *err)
{
	(void)err;
	tlog_root_of(((struct naive *)arg)->v + (index << height), (size_t)1 << height, out);
	return 0;
}

static void make_naive(struct naive *t)
{
	for (size_t i = 0; i < 600; i++)
		tlog_leaf(&i, sizeof i, &t->v[i]);
}

static void proofs_prove_and_nothing_else(void **state)
{
	(void)state;
	static struct naive t;
	struct tlog_source s = {naive_read, &t};
	struct tlog_hash root, old_root;
	struct tlog_path p;
	struct err err;
	make_naive(&t);
	for (uint64_t size = 1; size <= 70; size++) {
		tlog_root_of(t.v, size, &root);
		for (uint64_t i = 0; i < size; i++) {
			assert_int_equal(tlog_prove_inclusion(&s, i, size, &p, &err), 0);
			assert_int_equal(tlog_check_inclusion(&t.v[i], i, size, p.v, p.n, &root, &err), 0);
			assert_int_equal(tlog_check_inclusion(&t.v[i + 1], i, size, p.v, p.n, &root, &err), -1);
			assert_int_equal(tlog_check_inclusion(&t.v[i], i, size, p.v, p.n + 1, &root, &err), -1);
			if (p.n)
				assert_int_equal(tlog_check_inclusion(&t.v[i], i, size, p.v, p.n - 1, &root, &err), -1);
		}
		for (uint64_t old = 1; old <= size; old++) {
			tlog_root_of(t.v, old, &old_root);
			assert_int_equal(tlog_prove_consistency(&s, old, size, &p, &err), 0);
			assert_int_equal(tlog_check_consistency(old, &old_root, size, &root, p.v, p.n, &err), 0);
			old_root.b[3] ^= 1;
			assert_int_equal(tlog_check_consistency(old, &old_root, size, &root, p.v, p.n, &err), -1);
		}
	}
	assert_int_equal(tlog_prove_inclusion(&s, 5, 5, &p, &err), -1);
	assert_int_equal(tlog_prove_consistency(&s, 6, 5, &p, &err), -1);
}

/* ---- transparency-dev/merkle -------------------------------------------------------------------------------------- */

static bool testdata(char *out, size_t n, const char *sub)
{
	const char *at = getenv("WEIR_TESTDATA");
	snprintf(out, n, "%s%s/%s", at ? at : WEIR_SOURCE, at ? "" : "/../shared/testdata", sub);
	DIR *d = opendir(out);
	if (d)
		closedir(d);
	else
		print_message("skipped: no test data at %s\n", sub);
	return d != NULL;
}

/* Some are no hashes but words that are equal or not; false: not even base64. */
static bool hash_of(const json_t *v, struct tlog_hash *out)
{
	uint8_t bytes[256];
	const char *s = json_string_value(v);
	ssize_t n = s && strlen(s) <= 200 ? base64_decode(s, strlen(s), bytes) : -1;
	if (n == TLOG_HASH)
		memcpy(out->b, bytes, TLOG_HASH);
	else if (n > 0)
		crypt_sha256(bytes, (size_t)n, out->b);
	return n > 0;
}

static bool path_of(const json_t *v, struct tlog_path *out)
{
	out->n = 0;
	for (size_t i = 0; i < json_array_size(v); i++)
		if (out->n == TLOG_PROOF_MAX || !hash_of(json_array_get(v, i), &out->v[out->n++]))
			return false;
	return true;
}

static uint64_t number(const json_t *j, const char *name)
{
	double v = json_real_value(json_object_get(j, name));
	return v >= 18446744073709551615.0 ? UINT64_MAX : (uint64_t)v;
}

static bool accept_inclusion(const json_t *j)
{
	struct tlog_hash leaf, root;
	struct tlog_path p;
	struct err err;
	return hash_of(json_object_get(j, "leafHash"), &leaf) && hash_of(json_object_get(j, "root"), &root) &&
	       path_of(json_object_get(j, "proof"), &p) &&
	       tlog_check_inclusion(&leaf, number(j, "leafIdx"), number(j, "treeSize"), p.v, p.n, &root, &err) == 0;
}

static bool accept_consistency(const json_t *j)
{
	struct tlog_hash a, b;
	struct tlog_path p;
	struct err err;
	return hash_of(json_object_get(j, "root1"), &a) && hash_of(json_object_get(j, "root2"), &b) && path_of(json_object_get(j, "proof"), &p) &&
	       tlog_check_consistency(number(j, "size1"), &a, number(j, "size2"), &b, p.v, p.n, &err) == 0;
}

static void run_case(const char *path, bool (*accept)(const json_t *j), size_t *good, size_t *bad)
{
	json_error_t why;
	json_t *j = json_load_file(path, JSON_DECODE_INT_AS_REAL, &why);	/* some are beyond 2^63 */
	assert_non_null(j);
	bool want = !json_is_true(json_object_get(j, "wantErr"));
	if (accept(j) != want)
		fail_msg("%s: %s", path, want ? "refused" : "accepted");
	++*(want ? good : bad);
	json_decref(j);
}

static void run_cases(const char *top, bool (*accept)(const json_t *j), size_t *good, size_t *bad)
{
	DIR *d = opendir(top);
	char path[1400];
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		snprintf(path, sizeof path, "%.1000s/%s", top, e->d_name);
		if (e->d_name[0] == '.')
			continue;
		if (strstr(e->d_name, ".json"))
			run_case(path, accept, good, bad);
		else
			run_cases(path, accept, good, bad);
	}
	closedir(d);
}

static void merkle_vectors(void **state)
{
	(void)state;
	char at[1000];
	size_t good = 0, bad = 0;
	if (!testdata(at, sizeof at, "merkle/inclusion"))
		skip();
	run_cases(at, accept_inclusion, &good, &bad);
	assert_true(testdata(at, sizeof at, "merkle/consistency"));
	run_cases(at, accept_consistency, &good, &bad);
	print_message("%zu good, %zu bad\n", good, bad);
	assert_int_equal(good, 12);
	assert_int_equal(bad, 184);
}

/* ---- notes -------------------------------------------------------------------------------------------------------- */

static const char peter_key[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
static const char peter_text[] = "If you think cryptography is the answer to your problem,\n"
				 "then you don't know what your problem is.\n";
static const char peter_line[] =
	"\xe2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

static struct tlog_key key_of(const char *text)
{
	struct tlog_key k;
	struct err err;
	if (tlog_key_parse(text, strlen(text), &k, &err) < 0)
		fail_msg("%s", err.msg);
	return k;
}

static int check(const char *text, const struct tlog_key *k, struct err *err)
{
	struct tlog_note note;
	return tlog_note_parse(text, strlen(text), &note, err) < 0 ? -2 : tlog_note_check(&note, k, NULL, err);
}

static void notes_of_golang(void **state)
{
	(void)state;
	struct tlog_key k = key_of(peter_key);
	struct err err;
	char all[1000], again[TLOG_KEY_TEXT];
	tlog_key_print(&k, again);
	assert_string_equal(again, peter_key);
	snprintf(all, sizeof all, "%s\n%s", peter_text, peter_line);
	assert_int_equal(check(all, &k, &err), 1);
	k.name[0] = 'p';
	assert_int_equal(check(all, &k, &err), 0);
	k.name[0] = 'P';
	all[3] ^= 1;
	assert_int_equal(check(all, &k, &err), -1);
	assert_int_equal(err.code, ERR_CRYPTO);
}

static void notes_that_are_none(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "\n", "text\n", "text\n\n", "text\n\n\n", "text\n\nnothing\n", "text\n\n\xe2\x80\x94 name\n", "text\n\n\xe2\x80\x94 name !!!!\n",
		"text\n\n\xe2\x80\x94 name AAAA\n", "text\n\n\xe2\x80\x94  AAAAAAAA\n", "text\n\n\xe2\x80\x94 a+b AAAAAAAA\n",
		"text\n\n\xe2\x80\x94 name AAAAAAAA", "te\x01xt\n\n\xe2\x80\x94 name AAAAAAAA\n", "te\xffxt\n\n\xe2\x80\x94 name AAAAAAAA\n",
		"te\xc0\xafxt\n\n\xe2\x80\x94 name AAAAAAAA\n", "text\n\n\xe2\x80\x94 name AAAAAAB\n", "text\n\n\xe2\x80\x94 name AAAAAA==x\n"};
	struct tlog_note note;
	struct err err;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (tlog_note_parse(bad[i], strlen(bad[i]), &note, &err) == 0)
			fail_msg("%zu is taken for a note", i);
	static const char good[] = "text\n\n\xe2\x80\x94 name AAAAAAAA\n";
	assert_int_equal(tlog_note_parse(good, sizeof good - 1, &note, &err), 0);
}

static void keys_that_are_none(void **state)
{
	(void)state;
	struct tlog_key k;
	struct err err;
	static const char *const bad[] = {"", "a", "a+b+c", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
					  "PeterNeumanm+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
					  "PeterNeumann+c74f20a3+AhpcPQcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(tlog_key_parse(bad[i], strlen(bad[i]), &k, &err), -1);
	assert_int_equal(tlog_key_make("two words", TLOG_ED25519, (const uint8_t[32]){0}, &k, &err), -1);
}

static void cosignatures(void **state)
{
	(void)state;
	struct tlog_key k;
	struct tlog_note note;
	struct err err;
	struct buf b;
	uint8_t pk[32], sk[64];
	uint64_t at = 0;
	static const char text[] = "log.example/one\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
	sign_keypair(pk, sk);
	assert_int_equal(tlog_key_make("witness.example/w", TLOG_COSIGNATURE, pk, &k, &err), 0);
	buf_init(&b, 0);
	buf_addf(&b, "%s\n", text);
	tlog_note_sign((struct span){text, sizeof text - 1}, &k, sk, 1768435200, &b);
	assert_int_equal(tlog_note_parse((const char *)b.data, b.len, &note, &err), 0);
	assert_int_equal(tlog_note_check(&note, &k, &at, &err), 1);
	assert_int_equal(at, 1768435200);
	b.data[3] ^= 1;
	assert_int_equal(tlog_note_parse((const char *)b.data, b.len, &note, &err), 0);
	assert_int_equal(tlog_note_check(&note, &k, &at, &err), -1);
	buf_release(&b);
}

/* ---- checkpoints and proof files ---------------------------------------------------------------------------------- */

static void checkpoints(void **state)
{
	(void)state;
	static const char good[] = "o\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\nmore\n";
	static const char *const bad[] = {
		"", "o\n", "o\n15\n", "o\n15\nx\n", "o\n015\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n",
		"o\n-1\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n", "\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n",
		"o\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383ct=\n", "o\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs\n",
		"o\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja_1nk427v383cs=\n", "o\n9223372036854775808\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n",
		"o\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n", "o\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\nmore"};
	struct tlog_checkpoint c;
	struct err err;
	struct buf b;
	assert_int_equal(tlog_checkpoint_parse((struct span){good, sizeof good - 1}, &c, &err), 0);
	assert_int_equal(c.size, 15);
	buf_init(&b, 0);
	tlog_checkpoint_print(&c, &b);
	assert_string_equal((char *)b.data, good);
	buf_release(&b);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (tlog_checkpoint_parse((struct span){bad[i], strlen(bad[i])}, &c, &err) == 0)
			fail_msg("%zu is taken for a checkpoint", i);
}

static void proof_files(void **state)
{
	(void)state;
	static struct naive t;
	struct tlog_source s = {naive_read, &t};
	struct tlog_key k;
	struct err err;
	struct buf note, line, file;
	uint8_t pk[32], sk[64];
	uint64_t index = 41;
	make_naive(&t);
	sign_keypair(pk, sk);
	assert_int_equal(tlog_key_make("log.example/one", TLOG_ED25519, pk, &k, &err), 0);
	struct tlog_checkpoint c = {.origin = SPAN("log.example/one"), .size = 600, .more = {"", 0}};
	tlog_root_of(t.v, 600, &c.root);
	buf_init(&note, 0);
	buf_init(&line, 0);
	buf_init(&file, 0);
	tlog_checkpoint_print(&c, &note);
	tlog_note_sign((struct span){(char *)note.data, note.len}, &k, sk, 0, &line);
	buf_addc(&note, '\n');
	buf_add(&note, line.data, line.len);
	struct tlog_proof p = {.index = index, .extra = SPAN("AAAA"), .checkpoint = {(char *)note.data, note.len}}, again;
	assert_int_equal(tlog_prove_inclusion(&s, index, 600, &p.path, &err), 0);
	tlog_proof_print(&p, &file);
	const char *text = (const char *)file.data;
	assert_int_equal(tlog_proof_check(text, file.len, &index, sizeof index, &k, &err), 0);
	assert_int_equal(tlog_proof_parse(text, file.len, &again, &err), 0);
	assert_int_equal(again.path.n, p.path.n);
	uint64_t other = 42;
	assert_int_equal(tlog_proof_check(text, file.len, &other, sizeof other, &k, &err), -1);
	for (size_t i = 0; i < file.len; i++) {	/* but `extra`, which is nobody's business, no byte may be another */
		char *extra = strstr((char *)file.data, "AAAA");
		if ((char *)file.data + i >= extra && (char *)file.data + i < extra + 4)
			continue;
		file.data[i] ^= 1;
		if (tlog_proof_check(text, file.len, &index, sizeof index, &k, &err) == 0)
			fail_msg("byte %zu may be anything", i);
		file.data[i] ^= 1;
	}
	buf_release(&note);
	buf_release(&line);
	buf_release(&file);
}

static void what_a_witness_answers(void **state)
{
	(void)state;
	struct tlog_key log, witness, other;
	struct err err;
	struct buf note, line, answer, out;
	uint8_t pk[32], sk[64], wpk[32], wsk[64];
	uint64_t at, size;
	static const char text[] = "log.example/one\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
	const struct span span = {text, sizeof text - 1};
	sign_keypair(pk, sk);
	sign_keypair(wpk, wsk);
	assert_int_equal(tlog_key_make("log.example/one", TLOG_ED25519, pk, &log, &err), 0);
	assert_int_equal(tlog_key_make("w.example", TLOG_COSIGNATURE, wpk, &witness, &err), 0);
	assert_int_equal(tlog_key_make("v.example", TLOG_COSIGNATURE, wpk, &other, &err), 0);
	buf_init(&note, 0);
	buf_init(&line, 0);
	buf_init(&answer, 0);
	buf_init(&out, 0);
	tlog_note_sign(span, &log, sk, 0, &line);
	buf_addf(&note, "%s\n%s", text, (char *)line.data);
	tlog_note_sign(span, &other, wsk, 6, &answer);
	tlog_note_sign(span, &witness, wsk, 7, &answer);
	const struct span n = {(char *)note.data, note.len};
	const char *a = (const char *)answer.data;
	assert_int_equal(tlog_witness_answer(n, a, answer.len, &witness, &at, &out, &err), 0);
	assert_int_equal(at, 7);
	assert_null(strstr((char *)out.data, "v.example"));	/* nobody asked for that one */
	buf_reset(&line);
	tlog_note_sign(span, &witness, wsk, 7, &line);
	assert_int_equal(out.len, note.len + line.len);
	assert_int_equal(tlog_witness_answer(n, "", 0, &witness, &at, &out, &err), -1);
	assert_int_equal(tlog_witness_answer(n, a, answer.len - 1, &witness, &at, &out, &err), -1);
	answer.data[answer.len - 20] ^= 1;
	assert_int_equal(tlog_witness_answer(n, a, answer.len, &witness, &at, &out, &err), -1);
	assert_int_equal(tlog_witness_size("12\n", 3, &size, &err), 0);
	assert_int_equal(size, 12);
	static const char *const bad[] = {"", "\n", "-1", "1 2", "1111111111111111111", "x"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(tlog_witness_size(bad[i], strlen(bad[i]), &size, &err), -1);
	buf_release(&note);
	buf_release(&line);
	buf_release(&answer);
	buf_release(&out);
}

static int setup(void **state)
{
	(void)state;
	struct err err;
	return crypt_init(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc6962_roots),     cmocka_unit_test(proofs_prove_and_nothing_else),
		cmocka_unit_test(merkle_vectors),    cmocka_unit_test(notes_of_golang),
		cmocka_unit_test(notes_that_are_none), cmocka_unit_test(keys_that_are_none),
		cmocka_unit_test(cosignatures),	     cmocka_unit_test(checkpoints),
		cmocka_unit_test(proof_files),	     cmocka_unit_test(what_a_witness_answers),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
