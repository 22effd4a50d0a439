/*
 * The table of RFC 3629 section 4 bounds the second byte; with that, overlong
 * forms, surrogates and what is above U+10FFFF never begin to be decoded.
 */
#include "common/base/utf8.h"

/* What may follow a first byte (RFC 3629 section 4). */
struct lead {
	uint8_t more;			/* bytes that follow; 0: no first byte */
	uint8_t low, high;		/* bounds of the second byte */
};

static struct lead
lead_of(uint8_t c)
{
	if (c >= 0xc2 && c <= 0xdf)
		return (struct lead){ 1, 0x80, 0xbf };
	if (c == 0xe0)
		return (struct lead){ 2, 0xa0, 0xbf };
	if (c == 0xed)
		return (struct lead){ 2, 0x80, 0x9f };
	if (c >= 0xe1 && c <= 0xef)
		return (struct lead){ 2, 0x80, 0xbf };
	if (c == 0xf0)
		return (struct lead){ 3, 0x90, 0xbf };
	if (c >= 0xf1 && c <= 0xf3)
		return (struct lead){ 3, 0x80, 0xbf };
	if (c == 0xf4)
		return (struct lead){ 3, 0x80, 0x8f };
	return (struct lead){ 0, 0, 0 };
}

/* One character or, when it is malformed, as many bytes as could have begun
 * one: at least one, so that a caller's loop always ends. */
bool
utf8_take(struct span *s, uint32_t *code)
{
	uint8_t first = s->p[0];
	struct lead lead = lead_of(first);
	uint32_t v;
	size_t i;

	/* ASCII, or a byte that begins nothing */
	if (first < 0x80 || lead.more == 0) {
		*s = span_from(*s, 1);
		if (first >= 0x80)
			return false;
		*code = first;
		return true;
	}
	/* the first byte's bits behind its length: 5, 4 or 3 */
	v = first & (0x3fu >> lead.more);
	for (i = 1; i <= lead.more && i < s->n; i++) {
		uint8_t c = s->p[i];

		/* the offending byte stays: it may begin the next character */
		if (c < (i == 1 ? lead.low : 0x80) ||
		    c > (i == 1 ? lead.high : 0xbf))
			break;
		v = v << 6 | (c & 0x3f);
	}
	*s = span_from(*s, i);
	if (i <= lead.more)
		return false;
	*code = v;
	return true;
}

bool
utf8_is_valid(struct span s)
{
	uint32_t code;

	while (s.n > 0) {
		if (!utf8_take(&s, &code))
			return false;
	}
	return true;
}

/* Without a branch in the loop, so that it is vectorised. */
bool
utf8_is_ascii(struct span s)
{
	uint8_t seen = 0;

	for (size_t i = 0; i < s.n; i++)
		seen |= s.p[i];
	return seen < 0x80;
}
