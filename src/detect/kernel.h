/*
 * The marks of WIDTH bytes, and the loop around them; marks.c includes it once for each width after defining WIDTH, VECTOR,
 * DO and BITS (how its instructions are called), PART, KERNEL and TARGET.
 */
#define LOAD(p) BITS(loadu, (const VECTOR *)(const void *)(p))
#define CONST(name) BITS(load, (const VECTOR *)(const void *)table->name)
#define WORDS(name) BITS(load, (const VECTOR *)(const void *)words->name)
#define AND(a, b) BITS(and, a, b)
#define MASK(v) ((uint64_t)(uint32_t)DO(movemask_epi8, v))
#define TOP(v, bit) MASK(DO(slli_epi16, v, 7 - (bit)))	/* of each byte that bit */
#define SOME(v) (~(uint32_t)MASK(DO(cmpeq_epi8, v, BITS(setzero))) & (uint32_t)(((uint64_t)1 << WIDTH) - 1))
TARGET static inline struct marks PART(const uint8_t *t)
{
	const __typeof__(class_table) *table = &class_table;
	const struct word_table *words = &word_table;
	__asm__("" : "+r"(table), "+r"(words));	/* else the compiler makes each constant anew on every call */
	const VECTOR c = LOAD(t), next = LOAD(t + 1), third = LOAD(t + 2), top = AND(DO(srli_epi16, c, 4), CONST(half));
	const VECTOR k = AND(DO(shuffle_epi8, CONST(low), c), DO(shuffle_epi8, CONST(high), top));
	const VECTOR first = AND(DO(shuffle_epi8, WORDS(low[0]), c), DO(shuffle_epi8, WORDS(high), top));
	const VECTOR rest = AND(DO(shuffle_epi8, WORDS(low[1]), next), DO(shuffle_epi8, WORDS(low[2]), third));
	const VECTOR above = AND(c, DO(slli_epi16, c, 1));	/* its highest bit: 0xc0 and up */
	const uint32_t letter = SOME(AND(k, CONST(letter))), small = (uint32_t)TOP(c, 5);
	return (struct marks){
		.digit = TOP(k, 0),
		.dot = TOP(k, 1),
		.at = MASK(DO(cmpeq_epi8, c, CONST(at))),
		.colon = MASK(DO(cmpeq_epi8, c, CONST(colon))),
		.base64 = SOME(AND(k, CONST(base64))) | MASK(DO(cmpeq_epi8, c, CONST(bar))),
		.upper = letter & ~small,
		.lower = letter & small,
		.word = SOME(AND(first, rest)),
		.odd = MASK(BITS(or, DO(adds_epu8, k, CONST(odd)), above)),
	};
}
#undef LOAD
#undef CONST
#undef WORDS
#undef AND
#undef MASK
#undef TOP
#undef SOME

TARGET static void KERNEL(const uint8_t *t, size_t n, struct marks *m)
{
	for (; n > 64; n -= 64, t += 64, m++) {
		*m = PART(t);
		for (unsigned at = WIDTH; at < 64; at += WIDTH)
			join(m, PART(t + at), at);
	}
	if (n == 0)
		return;
	struct marks k = PART(t);
	for (unsigned at = WIDTH; at < n; at += WIDTH)
		join(&k, PART(t + at), at);
	if (n < 64)
		clip(&k, (unsigned)n);
	*m = k;
}

TARGET static bool FIRST(const uint8_t *t, size_t n, struct marks *m, struct summary *r)
{
	struct marks k = PART(t);
	for (unsigned at = WIDTH; at < n; at += WIDTH)
		join(&k, PART(t + at), at);
	if (n < 64)
		clip(&k, (unsigned)n);
	struct summary found = of_block(t, &k);
	if (!plain_candidate(&found) && !found.odd && !found.base64)
		return false;
	k.word = found.word;
	*m = k;
	*r = found;
	return true;
}
#undef FIRST
#undef WIDTH
#undef VECTOR
#undef DO
#undef BITS
#undef PART
#undef KERNEL
#undef TARGET
