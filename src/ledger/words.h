/* Chunks of 65,536 bits, at once.  Internal to this folder: set.c, count.c and rollup.c share it with words.c. */
#ifndef LEDGER_WORDS_H
#define LEDGER_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHUNK_IDS = 65536, CHUNK_WORDS = CHUNK_IDS / 64, CHUNK_BYTES = CHUNK_IDS / 8 };

enum words_kernel { WORDS_PLAIN, WORDS_AVX2, WORDS_AVX512, WORDS_KERNELS };

struct words_kernels {	/* from: CHUNK_BYTES at any address, apart from `to` */
	void (*or)(uint64_t *restrict to, const void *restrict from);
	void (*and)(uint64_t *restrict to, const void *restrict from);
	void (*without)(uint64_t *restrict to, const void *restrict from);
	uint32_t (*count)(const void *from);
	uint32_t (*runs)(const void *from);	/* of set bits */
	/* Of n u16 at any address: how many aren't above the one before them, and how many are the next number. */
	void (*pairs)(const void *from, uint32_t n, uint32_t *falls, uint32_t *joins);
};
/* NULL: this processor hasn't it. */
const struct words_kernels *words_kernels(enum words_kernel k);
const struct words_kernels *words_best(void);

#endif
