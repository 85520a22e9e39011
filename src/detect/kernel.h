/*
 * The loop around a SIMD kernel; marks.c includes it once for each width after defining PART (the marks of WIDTH bytes),
 * WIDTH, KERNEL and TARGET.
 */
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
#undef WIDTH
#undef PART
#undef KERNEL
#undef TARGET
