/*
 * Written in lower case, read in either: unlike base64 there is no harm in two
 * spellings, and people and other programs use both.
 */
#include "common/base/hex.h"

int
hex_value(uint8_t digit)
{
	/* folds A-F to a-f, and no other byte into that range */
	uint8_t lower = digit | 0x20;

	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (lower >= 'a' && lower <= 'f')
		return lower - 'a' + 10;
	return -1;
}

void
hex_encode(struct buf *b, struct span s)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *to;

	if (s.n > SIZE_MAX / 2) {
		b->is_failed = true;
		return;
	}
	to = buf_reserve(b, 2 * s.n);
	if (to == NULL)
		return;
	for (size_t i = 0; i < s.n; i++) {
		to[2 * i] = (uint8_t)digits[s.p[i] >> 4];
		to[2 * i + 1] = (uint8_t)digits[s.p[i] & 15];
	}
	buf_commit(b, 2 * s.n);
}

/* The size is checked first, so that a wrong digit is never reached with a
 * full buffer. */
enum err
hex_decode(struct span s, uint8_t *out, size_t size, size_t *n)
{
	if (s.n % 2 != 0)
		return ERR_SYNTAX;
	if (s.n / 2 > size)
		return ERR_RANGE;
	for (size_t i = 0; i < s.n / 2; i++) {
		int high = hex_value(s.p[2 * i]);
		int low = hex_value(s.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return ERR_SYNTAX;
		out[i] = (uint8_t)(high << 4 | low);
	}
	*n = s.n / 2;
	return OK;
}
