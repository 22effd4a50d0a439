/*
 * Each take_…() takes one thing off the front of what is left, or says false
 * and leaves it anywhere: the text is then no JSON.
 */
#include "common/base/json_read.h"

#include "common/base/hex.h"
#include "common/base/json.h"
#include "common/base/text.h"
#include "common/base/units.h"
#include "common/base/utf8.h"

static bool take_value(struct span *s, unsigned depth);

static bool
take_byte(struct span *s, uint8_t byte)
{
	if (s->n == 0 || s->p[0] != byte)
		return false;
	*s = span_from(*s, 1);
	return true;
}

static void
skip_space(struct span *s)
{
	while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == '\t' ||
	    s->p[0] == '\n' || s->p[0] == '\r'))
		*s = span_from(*s, 1);
}

static bool
take_word(struct span *s, struct span word)
{
	if (!span_equal(span_sub(*s, 0, word.n), word))
		return false;
	*s = span_from(*s, word.n);
	return true;
}

/* ---- strings ---- */

static bool
take_unit(struct span *s, uint32_t *unit)
{
	uint32_t value = 0;

	if (s->n < 4)
		return false;
	for (size_t i = 0; i < 4; i++) {
		int digit = hex_value(s->p[i]);

		if (digit < 0)
			return false;
		value = value << 4 | (uint32_t)digit;
	}
	*s = span_from(*s, 4);
	*unit = value;
	return true;
}

static bool
is_high(uint32_t unit)
{
	return unit >= 0xd800 && unit < 0xdc00;
}

static bool
is_surrogate(uint32_t unit)
{
	return unit >= 0xd800 && unit < 0xe000;
}

/* Behind \u: one unit, or a pair of them.  What stands behind half of a pair
 * is left for the next turn. */
static bool
take_code(struct span *s, uint32_t *code)
{
	struct span rest;
	uint32_t low;

	if (!take_unit(s, code))
		return false;
	if (!is_surrogate(*code))
		return true;
	rest = *s;
	if (is_high(*code) && take_word(&rest, SPAN_LIT("\\u")) &&
	    take_unit(&rest, &low) && is_surrogate(low) && !is_high(low)) {
		*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
		*s = rest;
	} else {
		*code = UTF8_REPLACEMENT;
	}
	return true;
}

/* Behind a backslash. */
static bool
take_escaped(struct span *s, uint32_t *code)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

	if (take_byte(s, 'u'))
		return take_code(s, code);
	for (size_t i = 0; i < sizeof(from) - 1; i++) {
		if (take_byte(s, (uint8_t)from[i])) {
			*code = (uint8_t)to[i];
			return true;
		}
	}
	return false;
}

static bool
take_char(struct span *s, uint32_t *code)
{
	if (s->n == 0 || s->p[0] < 0x20)
		return false;
	if (take_byte(s, '\\'))
		return take_escaped(s, code);
	return utf8_take(s, code);
}

static void
put_char(struct buf *b, uint32_t code)
{
	if (code < 0x80) {
		buf_add_byte(b, (uint8_t)code);
		return;
	}
	if (code < 0x800) {
		buf_add_byte(b, (uint8_t)(0xc0 | code >> 6));
	} else if (code < 0x10000) {
		buf_add_byte(b, (uint8_t)(0xe0 | code >> 12));
		buf_add_byte(b, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
	} else {
		buf_add_byte(b, (uint8_t)(0xf0 | code >> 18));
		buf_add_byte(b, (uint8_t)(0x80 | (code >> 12 & 0x3f)));
		buf_add_byte(b, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
	}
	buf_add_byte(b, (uint8_t)(0x80 | (code & 0x3f)));
}

/* OUT, or NULL to pass over it. */
static bool
take_string(struct span *s, struct buf *out)
{
	uint32_t code;

	if (!take_byte(s, '"'))
		return false;
	while (!take_byte(s, '"')) {
		if (!take_char(s, &code))
			return false;
		if (out != NULL)
			put_char(out, code);
	}
	return true;
}

/* ---- numbers ---- */

static bool
take_digits(struct span *s)
{
	size_t n = 0;

	while (n < s->n && text_is_digit(s->p[n]))
		n++;
	*s = span_from(*s, n);
	return n > 0;
}

static bool
take_number(struct span *s)
{
	(void)take_byte(s, '-');
	/* no digit may follow a leading zero */
	if (!take_byte(s, '0') && !take_digits(s))
		return false;
	if (take_byte(s, '.') && !take_digits(s))
		return false;
	if (take_byte(s, 'e') || take_byte(s, 'E')) {
		if (!take_byte(s, '+'))
			(void)take_byte(s, '-');
		return take_digits(s);
	}
	return true;
}

/* ---- values ---- */

static bool
take_member(struct span *s, unsigned depth)
{
	if (!take_string(s, NULL))
		return false;
	skip_space(s);
	return take_byte(s, ':') && take_value(s, depth);
}

/* Behind the opening bracket; white space around values is theirs. */
static bool
take_items(struct span *s, uint8_t end, unsigned depth)
{
	const bool is_object = end == '}';

	skip_space(s);
	if (take_byte(s, end))
		return true;
	do {
		skip_space(s);
		if (!(is_object ? take_member(s, depth) :
		    take_value(s, depth)))
			return false;
	} while (take_byte(s, ','));
	return take_byte(s, end);
}

static bool
take_value(struct span *s, unsigned depth)
{
	bool is_good;

	skip_space(s);
	if (s->n == 0)
		return false;
	switch (s->p[0]) {
	case '{':
	case '[':
		if (depth == JSON_DEPTH_MAX)
			return false;
		is_good = take_byte(s, '{') ? take_items(s, '}', depth + 1) :
		    take_byte(s, '[') && take_items(s, ']', depth + 1);
		break;
	case '"':
		is_good = take_string(s, NULL);
		break;
	case 't':
		is_good = take_word(s, SPAN_LIT("true"));
		break;
	case 'f':
		is_good = take_word(s, SPAN_LIT("false"));
		break;
	case 'n':
		is_good = take_word(s, SPAN_LIT("null"));
		break;
	default:
		is_good = take_number(s);
		break;
	}
	skip_space(s);
	return is_good;
}

/* ---- the object ---- */

enum err
json_read_check(struct span text)
{
	skip_space(&text);
	if (text.n == 0 || text.p[0] != '{' || !take_value(&text, 0))
		return ERR_SYNTAX;
	return text.n == 0 ? OK : ERR_SYNTAX;
}

/* One member of a text that was checked; its name without quotes. */
static bool
next_member(struct span *s, struct span *name, struct span *value)
{
	struct span from;

	skip_space(s);
	from = *s;
	if (!take_string(s, NULL))
		return false;
	*name = span_sub(from, 1, from.n - s->n - 2);
	skip_space(s);
	if (!take_byte(s, ':'))
		return false;
	skip_space(s);
	from = *s;
	if (!take_value(s, 1))
		return false;
	*value = span_sub(from, 0, from.n - s->n);
	return true;
}

enum err
json_read_find(struct span text, const char *key, struct span *value)
{
	struct span name, found;
	enum err e = json_read_check(text);

	if (e != OK)
		return e;
	e = ERR_NOT_FOUND;
	skip_space(&text);
	(void)take_byte(&text, '{');
	while (next_member(&text, &name, &found)) {
		if (span_equal(name, span_str(key))) {
			*value = found;
			e = OK;
		}
		(void)take_byte(&text, ',');
	}
	return e;
}

enum err
json_read_string(struct span value, struct buf *out)
{
	const size_t before = out->n;

	if (!take_string(&value, out)) {
		out->n = before;
		return ERR_SYNTAX;
	}
	skip_space(&value);
	if (value.n > 0) {
		out->n = before;
		return ERR_SYNTAX;
	}
	return buf_failed(out) ? ERR_NOMEM : OK;
}

enum err
json_read_u64(struct span value, uint64_t *out)
{
	struct span rest = value;

	if (!take_number(&rest))
		return ERR_SYNTAX;
	value = span_sub(value, 0, value.n - rest.n);
	skip_space(&rest);
	return rest.n == 0 ? units_parse_u64(value, out) : ERR_SYNTAX;
}
