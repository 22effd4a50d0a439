/*
 * Two codings under one name: xtext for every type but utf-8, and for that one
 * QCHARs, letters, and hexadecimal points in braces.  Decoding is strict; what
 * is decoded is told to others, so no control character may come out of it.
 */
#include "common/mail/orcpt.h"

#include "common/base/text.h"
#include "common/base/utf8.h"
#include "common/mail/xtext.h"

#define POINT_DIGITS_MAX 6

/* An atom, RFC 3461 4.2; *REST: what follows its semicolon. */
static bool
take_type(struct span s, struct span *type, struct span *rest)
{
	size_t n = span_find(s, ';');

	*type = span_sub(s, 0, n);
	*rest = span_from(s, n + 1);
	for (size_t i = 0; i < n; i++) {
		uint8_t c = s.p[i];

		if (!text_is_alpha(c) && !text_is_digit(c) && c != '-')
			return false;
	}
	return n > 0 && rest->n > 0;
}

static bool
is_utf8_type(struct span type)
{
	return span_equal_nocase(type, SPAN_LIT("utf-8"));
}

/* RFC 6533 3 writes capital digits only. */
static int
digit(uint8_t c)
{
	if (text_is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* `\x{FC}` at the front of S. */
static bool
take_point(struct span *s, uint32_t *code)
{
	uint32_t v = 0;
	size_t n;

	if (!span_starts_nocase(*s, SPAN_LIT("\\x{")) || s->p[1] != 'x')
		return false;
	n = span_find(*s, '}');
	if (n < 5 || n > 3 + POINT_DIGITS_MAX || n == s->n)
		return false;
	for (size_t i = 3; i < n; i++) {
		int d = digit(s->p[i]);

		if (d < 0)
			return false;
		v = v << 4 | (uint32_t)d;
	}
	*code = v;
	*s = span_from(*s, n + 1);
	return true;
}

/* Control characters could end a line, surrogates are no characters. */
static bool
may_be_shown(uint32_t code)
{
	return code >= 0x20 && !(code >= 0x7f && code < 0xa0) &&
	    !(code >= 0xd800 && code < 0xe000) && code <= 0x10ffff;
}

/* One character of the type utf-8's own coding. */
static bool
take_char(struct span *s, uint32_t *code)
{
	uint8_t c = s->p[0];

	if (c == '\\')
		return take_point(s, code) && may_be_shown(*code);
	if (c <= 0x20 || c == '+' || c == '=' || c == 0x7f)
		return false;
	return utf8_take(s, code) && may_be_shown(*code);
}

static bool
is_utf8_address(struct span s)
{
	uint32_t code;

	while (s.n > 0)
		if (!take_char(&s, &code))
			return false;
	return true;
}

bool
orcpt_is_valid(struct span s, bool is_utf8)
{
	struct span type, rest;

	if (!take_type(s, &type, &rest))
		return false;
	if (!is_utf8 && !utf8_is_ascii(s))
		return false;
	return is_utf8_type(type) ? is_utf8_address(rest) :
	    xtext_is_printable(rest);
}

void
orcpt_add_ascii(struct span s, struct buf *out)
{
	while (s.n > 0) {
		uint32_t code = s.p[0];

		if (code < 0x80)
			s = span_from(s, 1);
		else if (!utf8_take(&s, &code))
			code = UTF8_REPLACEMENT;
		if (code < 0x80)
			buf_add_byte(out, (uint8_t)code);
		else
			buf_addf(out, "\\x{%02X}", (unsigned)code);
	}
}

static void
put_utf8(uint32_t c, struct buf *out)
{
	static const uint8_t leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	unsigned n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	buf_add_byte(out, (uint8_t)(c >> 6 * (n - 1) | leads[n]));
	while (n-- > 1)
		buf_add_byte(out, (uint8_t)((c >> 6 * (n - 1) & 0x3f) | 0x80));
}

enum err
orcpt_decode(struct span s, struct buf *out)
{
	size_t before = out->n;
	struct span type, rest;
	uint32_t code;
	enum err e;

	if (!orcpt_is_valid(s, true) || !take_type(s, &type, &rest))
		return ERR_SYNTAX;
	buf_add_span(out, type);
	buf_add_byte(out, ';');
	if (is_utf8_type(type)) {
		while (rest.n > 0 && take_char(&rest, &code))
			put_utf8(code, out);
		return buf_failed(out) ? ERR_NOMEM : OK;
	}
	if ((e = xtext_decode(rest, out)) == ERR_SYNTAX)
		out->n = before;
	return e;
}
