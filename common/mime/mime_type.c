/*
 * A reader of tokens over the body of one field.  Comments count as blanks
 * where blanks may stand; folds were blanks before.
 */
#include "common/mime/mime_type.h"

#include "common/base/text.h"

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind a comment, which begins at S; all of S when it has no end. */
static struct span
skip_comment(struct span s)
{
	size_t depth = 0, i = 0;

	while (i < s.n) {
		uint8_t c = s.p[i++];

		if (c == '\\')
			i++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			break;
	}
	return span_from(s, i);
}

static struct span
skip_blanks(struct span s)
{
	while (s.n > 0 && (is_blank(s.p[0]) || s.p[0] == '('))
		s = s.p[0] == '(' ? skip_comment(s) : span_from(s, 1);
	return s;
}

/* Up to a blank or to one of these; RFC 2045 has a few more, but nobody quotes
 * them all. */
static struct span
take_token(struct span *s, const char *ends)
{
	size_t n = 0;
	struct span token;

	while (n < s->n && !is_blank(s->p[n]) &&
	    (s->p[n] == 0 || strchr(ends, s->p[n]) == NULL))
		n++;
	token = span_sub(*s, 0, n);
	*s = span_from(*s, n);
	return token;
}

/* What the quoted string at S holds into OUT; *N is more than SIZE when it does
 * not fit. */
static void
take_quoted(struct span *s, char *out, size_t size, size_t *n)
{
	size_t i = 1, used = 0;

	for (; i < s->n && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\' && i + 1 < s->n)
			i++;
		if (s->p[i] == '\r' || s->p[i] == '\n')
			continue;
		if (used < size)
			out[used] = (char)s->p[i];
		used++;
	}
	*s = span_from(*s, i + 1);
	*n = used;
}

/* The same of a value, quoted or not. */
static void
take_value(struct span *s, char *out, size_t size, size_t *n)
{
	struct span token;

	if (s->n > 0 && s->p[0] == '"') {
		take_quoted(s, out, size, n);
		return;
	}
	token = take_token(s, ";");
	if (token.n > 0 && token.n <= size)
		memcpy(out, token.p, token.n);
	*n = token.n;
}

/* The next parameter's name; its value is next.  False at the end. */
static bool
take_name(struct span *s, struct span *name)
{
	for (;;) {
		*s = span_from(*s, span_find(*s, ';') + 1);
		if (s->n == 0)
			return false;
		*s = skip_blanks(*s);
		*name = take_token(s, "=;(");
		*s = skip_blanks(*s);
		if (s->n > 0 && s->p[0] == '=') {
			*s = skip_blanks(span_from(*s, 1));
			return true;
		}
	}
}

/* The first one counts; trailing blanks don't, RFC 2046 5.1.1. */
static void
find_boundary(struct span s, struct mime_type *t)
{
	struct span name;
	size_t n = 0;

	while (take_name(&s, &name)) {
		take_value(&s, t->boundary, sizeof(t->boundary), &n);
		if (span_equal_nocase(name, SPAN_LIT("boundary")))
			break;
		n = 0;
	}
	if (n > sizeof(t->boundary))
		n = 0;
	while (n > 0 && is_blank((uint8_t)t->boundary[n - 1]))
		n--;
	t->boundary_n = (uint8_t)n;
}

/* message/global and its kin may be encoded (RFC 6532 3.7, RFC 6533), fragments
 * and references never; of others it isn't known. */
static enum mime_kind
message_kind(struct span subtype)
{
	if (span_equal_nocase(subtype, SPAN_LIT("rfc822")) ||
	    span_equal_nocase(subtype, SPAN_LIT("news")))
		return MIME_MESSAGE;
	return span_starts_nocase(subtype, SPAN_LIT("global")) ? MIME_LEAF :
	    MIME_OPAQUE;
}

void
mime_type_parse(struct span body, struct mime_type *out)
{
	struct span s = skip_blanks(body), type, subtype;

	*out = (struct mime_type){ .kind = MIME_LEAF };
	type = take_token(&s, "/;(");
	s = skip_blanks(s);
	if (s.n == 0 || s.p[0] != '/')
		return;
	s = skip_blanks(span_from(s, 1));
	subtype = take_token(&s, ";(");
	if (span_equal_nocase(type, SPAN_LIT("message")))
		out->kind = (uint8_t)message_kind(subtype);
	if (!span_equal_nocase(type, SPAN_LIT("multipart")))
		return;
	out->is_digest = span_equal_nocase(subtype, SPAN_LIT("digest"));
	out->is_signed = span_equal_nocase(subtype, SPAN_LIT("signed"));
	find_boundary(s, out);
	out->kind = out->boundary_n > 0 ? MIME_MULTIPART : MIME_OPAQUE;
}

enum mime_cte
mime_cte_parse(struct span body)
{
	struct span s = skip_blanks(body);
	struct span word = take_token(&s, ";(");

	if (span_equal_nocase(word, SPAN_LIT("7bit")))
		return MIME_CTE_7BIT;
	if (span_equal_nocase(word, SPAN_LIT("8bit")))
		return MIME_CTE_8BIT;
	if (span_equal_nocase(word, SPAN_LIT("binary")))
		return MIME_CTE_BINARY;
	return MIME_CTE_ENCODED;
}
