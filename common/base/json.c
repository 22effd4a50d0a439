/*
 * A bit a nesting level instead of a stack: the writer needs no memory of its
 * own and its depth is bounded by construction.  Calls in an order that JSON
 * doesn't allow make the whole text a failure, found at json_done().
 */
#include "common/base/json.h"

#include "common/base/utf8.h"

#include <string.h>

enum { KEY_MARKS = 4 };		/* , " " : */

void
json_init(struct json *j, struct buf *b)
{
	*j = (struct json){ .b = b };
}

/* Of the innermost level; DEPTH is not 0. */
static uint32_t
level_bit(const struct json *j)
{
	return UINT32_C(1) << (j->depth - 1);
}

/* What the innermost level is; the root is neither object nor array. */
static bool
is_in_object(const struct json *j)
{
	return j->depth > 0 && (j->is_object & level_bit(j)) != 0;
}

/* Between two values of one level, never before the first. */
static void
add_comma(struct json *j)
{
	if (j->depth == 0)
		return;
	if (j->has_items & level_bit(j))
		buf_add_byte(j->b, ',');
	j->has_items |= level_bit(j);
}

/* Before each value: whether one may stand here, and what separates it. */
static bool
begin_value(struct json *j)
{
	bool is_legal = j->depth == 0 ? !j->has_root :
	    is_in_object(j) == j->has_key;

	if (!is_legal)
		j->is_failed = true;
	if (j->is_failed)
		return false;
	if (!j->has_key)
		add_comma(j);
	j->has_key = false;
	j->has_root = true;
	return true;
}

/* The level's bits may be left from a sibling that was as deep. */
static void
open_level(struct json *j, bool is_object)
{
	if (j->depth == JSON_DEPTH_MAX)
		j->is_failed = true;
	if (!begin_value(j))
		return;
	j->depth++;
	j->has_items &= ~level_bit(j);
	j->is_object &= ~level_bit(j);
	if (is_object)
		j->is_object |= level_bit(j);
	buf_add_byte(j->b, is_object ? '{' : '[');
}

/* What is closed must be what was opened, and no key may wait for its
 * value. */
static void
close_level(struct json *j, bool is_object)
{
	if (j->depth == 0 || is_in_object(j) != is_object || j->has_key)
		j->is_failed = true;
	if (j->is_failed)
		return;
	j->depth--;
	buf_add_byte(j->b, is_object ? '}' : ']');
}

void
json_object(struct json *j)
{
	open_level(j, true);
}

void
json_object_end(struct json *j)
{
	close_level(j, true);
}

void
json_array(struct json *j)
{
	open_level(j, false);
}

void
json_array_end(struct json *j)
{
	close_level(j, false);
}

static bool
is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Of eight characters at once; may say no though all are plain.  A byte minus
 * something borrows into its top bit when it was less, and so does one that is
 * equal to something when the difference, by bits, is made less by one. */
static bool
are_plain(const uint8_t *p)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	uint64_t v, quote, slash, del;

	memcpy(&v, p, sizeof(v));
	quote = v ^ ones * '"';
	slash = v ^ ones * '\\';
	del = v ^ ones * 0x7f;
	return ((v | (v - ones * 0x20) | (quote - ones) | (slash - ones) |
	    (del - ones)) & tops) == 0;
}

/* How much of S, from its begin, may stand in a string as it is. */
static size_t
plain_length(struct span s)
{
	size_t n = 0;

	while (s.n - n >= sizeof(uint64_t) && are_plain(s.p + n))
		n += sizeof(uint64_t);
	while (n < s.n && is_plain(s.p[n]))
		n++;
	return n;
}

/* A program's own word, in one piece: comma, quotes and colon with it. */
static void
put_key(struct json *j, const char *key, size_t n)
{
	uint8_t *p = buf_reserve(j->b, n + KEY_MARKS);
	size_t at = 0;

	if (p == NULL)
		return;
	if (plain_length(span_of(key, n)) < n) {
		add_comma(j);
		json_quote(j->b, span_of(key, n));
		buf_add_byte(j->b, ':');
		return;
	}
	if (j->has_items & level_bit(j))
		p[at++] = ',';
	j->has_items |= level_bit(j);
	p[at++] = '"';
	memcpy(p + at, key, n);
	at += n;
	p[at++] = '"';
	p[at++] = ':';
	buf_commit(j->b, at);
}

/* Not checked for doubles. */
void
json_key(struct json *j, const char *key)
{
	if (!is_in_object(j) || j->has_key)
		j->is_failed = true;
	if (j->is_failed)
		return;
	put_key(j, key, strlen(key));
	j->has_key = true;
}

/* What cannot stand in a string as it is, or 0 when it can. */
static char
short_escape(uint8_t c)
{
	switch (c) {
	case '"':
	case '\\':
		return (char)c;
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return '\0';
	}
}

/* DEL and C1 controls may stand in JSON, but not on a terminal. */
static bool
is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/* One character that cannot be part of a plain run. */
static void
quote_one(struct buf *b, struct span from, bool is_valid, uint32_t code)
{
	if (!is_valid)
		buf_add_str(b, "\xef\xbf\xbd");		/* U+FFFD */
	else if (code < 0x80 && short_escape((uint8_t)code) != '\0') {
		buf_add_byte(b, '\\');
		buf_add_byte(b, (uint8_t)short_escape((uint8_t)code));
	} else if (is_control(code))
		buf_addf(b, "\\u%04x", (unsigned)code);
	else
		buf_add_span(b, from);
}

/* In one piece; false: S is not plain all through. */
static bool
quote_plain(struct buf *b, struct span s)
{
	size_t n = plain_length(s);
	uint8_t *p;

	if (n < s.n || (p = buf_reserve(b, n + 2)) == NULL)
		return false;
	p[0] = '"';
	if (n > 0)
		memcpy(p + 1, s.p, n);
	p[n + 1] = '"';
	buf_commit(b, n + 2);
	return true;
}

/* Runs of plain ASCII are copied whole, which is nearly everything. */
void
json_quote(struct buf *b, struct span s)
{
	if (quote_plain(b, s))
		return;
	buf_add_byte(b, '"');
	while (s.n > 0) {
		size_t plain = plain_length(s);
		uint32_t code = 0;
		struct span from;
		bool is_valid;

		buf_add_span(b, span_sub(s, 0, plain));
		s = from = span_from(s, plain);
		if (s.n == 0)
			break;
		is_valid = utf8_take(&s, &code);
		quote_one(b, span_sub(from, 0, from.n - s.n), is_valid, code);
	}
	buf_add_byte(b, '"');
}

/* Octets that are no UTF-8 are replaced: the text may hold what a stranger
 * sent. */
void
json_string(struct json *j, struct span s)
{
	if (begin_value(j))
		json_quote(j->b, s);
}

void
json_str(struct json *j, const char *s)
{
	json_string(j, span_str(s));
}

void
json_u64(struct json *j, uint64_t v)
{
	if (begin_value(j))
		buf_add_u64(j->b, v);
}

/* The negation is done unsigned: the smallest number has no opposite. */
void
json_i64(struct json *j, int64_t v)
{
	if (!begin_value(j))
		return;
	if (v < 0)
		buf_add_byte(j->b, '-');
	buf_add_u64(j->b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void
json_bool(struct json *j, bool v)
{
	if (begin_value(j))
		buf_add_str(j->b, v ? "true" : "false");
}

void
json_null(struct json *j)
{
	if (begin_value(j))
		buf_add_str(j->b, "null");
}

/* The buffer's own failure first: without memory the structure may look broken
 * only because of it. */
enum err
json_done(const struct json *j)
{
	if (buf_failed(j->b))
		return ERR_NOMEM;
	return j->is_failed || j->depth > 0 || !j->has_root ? ERR_SYNTAX : OK;
}
