/*
 * Decoding is strict: capital digits, `+` followed by two of them, nothing
 * that had to be encoded standing bare.  What it stands for may still be
 * anything; xtext_is_printable() is the check for values that are told to
 * others.
 */
#include "common/mail/xtext.h"

#include "common/base/text.h"

/* xtext is written in capital hexadecimal digits only, RFC 3461 4. */
static int
digit(uint8_t c)
{
	if (text_is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The octet at *I, which moves behind it; -1 when malformed. */
static int
next_octet(struct span s, size_t *i)
{
	uint8_t c = s.p[*i];
	int high, low;

	/* xchar: printable, but for blank, `+` and `=` */
	if (c <= 0x20 || c >= 0x7f || c == '=')
		return -1;
	if (c != '+') {
		*i += 1;
		return c;
	}
	if (s.n - *i < 3)
		return -1;
	high = digit(s.p[*i + 1]);
	low = digit(s.p[*i + 2]);
	if (high < 0 || low < 0)
		return -1;
	*i += 3;
	return high << 4 | low;
}

bool
xtext_is_printable(struct span s)
{
	for (size_t i = 0; i < s.n;) {
		int c = next_octet(s, &i);

		if (c < 0 || !text_is_print((uint8_t)c))
			return false;
	}
	return true;
}

enum err
xtext_decode(struct span s, struct buf *out)
{
	/* first look, then write: a failure must leave no half of it */
	for (size_t i = 0; i < s.n;) {
		if (next_octet(s, &i) < 0)
			return ERR_SYNTAX;
	}
	for (size_t i = 0; i < s.n;)
		buf_add_byte(out, (uint8_t)next_octet(s, &i));
	return buf_failed(out) ? ERR_NOMEM : OK;
}

void
xtext_encode(struct span s, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c > 0x20 && c < 0x7f && c != '+' && c != '=') {
			buf_add_byte(out, c);
			continue;
		}
		buf_add_byte(out, '+');
		buf_add_byte(out, (uint8_t)digits[c >> 4]);
		buf_add_byte(out, (uint8_t)digits[c & 15]);
	}
}
