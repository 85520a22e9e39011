/*
 * The body of a SIMD kernel; marks.c includes it once for each width after defining VEC, WIDTH, LOAD, EQ(v, byte),
 * UPTO(v, from, span), OR, MASK, KERNEL and TARGET.
 */
TARGET static void KERNEL(const uint8_t *t, size_t n, struct marks *m)
{
	for (size_t done = 0; done < n; done += 64, t += 64, m++) {
		unsigned left = n - done < 64 ? (unsigned)(n - done) : 64;
		struct marks k = {0};
		uint64_t eb = 0, ee = 0, le = 0, ly = 0;
		for (unsigned at = 0; at < left; at += WIDTH) {
			VEC c = LOAD(t + at), low = OR(c, SET(0x20));
			VEC digit = UPTO(c, '0', 9), letter = UPTO(low, 'a', 25), upper = UPTO(c, 'A', 25);
			VEC more = OR(OR(EQ(c, '+'), EQ(c, '/')), OR(EQ(c, '-'), EQ(c, '_')));
			VEC odd = OR(OR(EQ(c, '%'), EQ(c, '\\')), OR(EQ(c, '&'), OR(EQ(c, '['), EQ(c, '('))));
			uint64_t up = MASK(upper);
			k.digit |= MASK(digit) << at;
			k.at |= MASK(EQ(c, '@')) << at;
			k.colon |= MASK(EQ(c, ':')) << at;
			k.base64 |= MASK(OR(OR(digit, letter), more)) << at;
			k.upper |= up << at;
			k.lower |= (MASK(letter) ^ up) << at;
			k.odd |= (MASK(OR(odd, UPTO(c, 0, 8))) | MASK(c)) << at;
			eb |= MASK(EQ(low, 'b')) << at;
			ee |= MASK(EQ(low, 'e')) << at;
			le |= MASK(EQ(c, 'e')) << at;
			ly |= MASK(EQ(c, 'y')) << at;
		}
		k.word = (eb & (ee >> 1 | LAST)) | (le & (ly >> 1 | LAST));
		*m = k;
	}
}
#undef VEC
#undef WIDTH
#undef LOAD
#undef SET
#undef EQ
#undef UPTO
#undef OR
#undef MASK
#undef KERNEL
#undef TARGET
