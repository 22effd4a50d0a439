/*
 * Only the canonical spelling is read.  A second spelling of the same bytes is
 * how credentials and signatures are made to look different from what they are.
 */
#include "common/base/base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The three bytes' four characters; a missing byte is 0 here. */
static void
encode_group(uint32_t bits, uint8_t *to)
{
	to[0] = (uint8_t)alphabet[bits >> 18];
	to[1] = (uint8_t)alphabet[bits >> 12 & 63];
	to[2] = (uint8_t)alphabet[bits >> 6 & 63];
	to[3] = (uint8_t)alphabet[bits & 63];
}

void
base64_encode(struct buf *b, struct span s)
{
	size_t groups = s.n / 3 + (s.n % 3 != 0);
	const uint8_t *p = s.p;
	size_t left = s.n;
	uint8_t *to;

	if (groups > SIZE_MAX / 4) {
		b->is_failed = true;
		return;
	}
	to = buf_reserve(b, groups * 4);
	if (to == NULL)
		return;
	for (; left >= 3; left -= 3, p += 3, to += 4)
		encode_group((uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2],
		    to);
	if (left > 0) {
		encode_group((uint32_t)p[0] << 16 |
		    (left > 1 ? (uint32_t)p[1] << 8 : 0), to);
		to[3] = '=';
		if (left == 1)
			to[2] = '=';
	}
	buf_commit(b, groups * 4);
}

/* The six bits of a character; -1 for all others, also for the padding. */
static int
value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* The bits of COUNT characters, left-aligned in 24; -1 when one is wrong. */
static int32_t
group_bits(const uint8_t *p, size_t count)
{
	int32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int v = i < count ? value(p[i]) : 0;

		if (v < 0)
			return -1;
		bits = bits << 6 | v;
	}
	return bits;
}

/* How many of the last group's characters count: 2, 3 or 4. */
static size_t
last_count(struct span s)
{
	if (s.p[s.n - 1] != '=')
		return 4;
	return s.p[s.n - 2] != '=' ? 3 : 2;
}

enum err
base64_decode(struct span s, uint8_t *out, size_t size, size_t *n)
{
	size_t done = 0;

	if (s.n % 4 != 0)
		return ERR_SYNTAX;
	/* padding in front of the last group has no value, so it is refused
	 * there */
	for (size_t at = 0; at < s.n; at += 4) {
		size_t count = at + 4 == s.n ? last_count(s) : 4;
		int32_t bits = group_bits(s.p + at, count);

		/* bits behind the last byte must be 0 (RFC 4648, 3.5) */
		if (bits < 0 || (bits & ((1 << 8 * (4 - count)) - 1)) != 0)
			return ERR_SYNTAX;
		if (count - 1 > size - done)
			return ERR_RANGE;
		for (size_t i = 0; i < count - 1; i++)
			out[done++] = (uint8_t)(bits >> (16 - 8 * i));
	}
	*n = done;
	return OK;
}
