/*
 * Crockford's alphabet.  13 digits of 5 bits have one bit more than the
 * number, so the first digit is at most 15 and each number has one spelling.
 */
#include "common/base/b32.h"

/* In the order of ASCII, so that texts sort as their numbers. */
static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

void
b32_encode(uint64_t v, char out[B32_LENGTH])
{
	for (int i = B32_LENGTH - 1; i >= 0; i--) {
		out[i] = alphabet[v & 31];
		v >>= 5;
	}
}

/* Lower case is what we write; capitals are read, since people type them. */
static int
value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		c = (uint8_t)(c + 32);
	for (int i = 0; i < 32; i++) {
		if (alphabet[i] == c)
			return i;
	}
	return -1;
}

enum err
b32_decode(struct span text, uint64_t *out)
{
	uint64_t v = 0;

	if (text.n != B32_LENGTH)
		return ERR_SYNTAX;
	for (size_t i = 0; i < text.n; i++) {
		int digit = value(text.p[i]);

		/* 13 characters have 65 bits, the number only 64 */
		if (digit < 0 || (i == 0 && digit > 15))
			return ERR_SYNTAX;
		v = v << 5 | (uint64_t)digit;
	}
	*out = v;
	return OK;
}
