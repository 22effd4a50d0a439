/*
 * An automaton over lines, as in trace_scan.c.  It takes a byte at a time, so
 * chunks may be cut anywhere; what is of no interest is skipped by lines.
 */
#include "common/mail/header_notes.h"

#include "common/base/text.h"

enum state {
	AT_START,		/* of a line */
	IN_NAME,
	BEHIND_NAME,		/* blanks between it and its colon */
	IN_VALUE,		/* of a field that is noted */
	AT_FOLD,		/* behind a line of it */
	IN_OTHER,
};

void
header_notes_init(struct header_notes *h)
{
	*h = (struct header_notes){ .state = AT_START };
	buf_init(&h->notes, HEADER_NOTES_MAX);
}

void
header_notes_clear(struct header_notes *h)
{
	buf_clear(&h->notes);
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* The blanks at its end go. */
static void
end_value(struct header_notes *h)
{
	struct buf *b = &h->notes;

	if (buf_failed(b))
		return;
	while (b->n > h->value_at && is_blank(b->p[b->n - 1]))
		b->n--;
	buf_add_byte(b, '\n');
}

static bool
is_wanted(const struct header_names *names, struct span name)
{
	for (size_t i = 0; i < names->n; i++)
		if (span_equal_nocase(name, names->v[i]))
			return true;
	return false;
}

/* What is wanted may change by a reload meanwhile, so it is the notes that say
 * what was there. */
static bool
is_noted(const struct header_notes *h, struct span name)
{
	struct span notes = buf_span(&h->notes), noted, value;

	while (header_notes_next(&notes, &noted, &value))
		if (span_equal(name, noted))
			return true;
	return h->count == HEADER_NOTES_NAMES;
}

static enum state
begin_value(struct header_notes *h, const struct header_names *names)
{
	const struct span name = span_of(h->name, h->name_n);

	if (!is_wanted(names, name) || is_noted(h, name))
		return IN_OTHER;
	h->count++;
	buf_add_span(&h->notes, name);
	buf_add_str(&h->notes, ": ");
	h->value_at = h->notes.n;
	return IN_VALUE;
}

static enum state
read_name(struct header_notes *h, const struct header_names *names, uint8_t c)
{
	if (c == ':')
		return begin_value(h, names);
	if (is_blank(c) && h->name_n > 0)
		return BEHIND_NAME;
	if (h->state == BEHIND_NAME || h->name_n == sizeof(h->name) ||
	    c <= ' ' || c >= 0x7f)
		return IN_OTHER;
	h->name[h->name_n++] = text_lower_byte(c);
	return IN_NAME;
}

/* RFC 5322 section 2.2.3: unfolding takes the line end, and nothing else. */
static enum state
read_value(struct header_notes *h, uint8_t c)
{
	struct buf *b = &h->notes;
	size_t n = b->n - h->value_at;

	if (c == '\n')
		return AT_FOLD;
	if (c < ' ' && c != '\r')
		c = ' ';
	if (c == 0x7f)
		c = ' ';
	if (c != '\r' && n < HEADER_NOTES_VALUE_MAX && (n > 0 || c != ' '))
		buf_add_byte(b, c);
	return IN_VALUE;
}

static enum state
step(struct header_notes *h, const struct header_names *names, uint8_t c)
{
	enum state state = (enum state)h->state;

	switch (state) {
	case AT_FOLD:
		if (is_blank(c))
			return read_value(h, c);
		end_value(h);
		/* fallthrough */
	case AT_START:
		h->name_n = 0;
		h->state = IN_NAME;
		/* fallthrough */
	case IN_NAME:
	case BEHIND_NAME:
		state = read_name(h, names, c);
		break;
	case IN_VALUE:
		return read_value(h, c);
	case IN_OTHER:
		break;
	}
	return c == '\n' ? AT_START : state;
}

void
header_notes_feed(struct header_notes *h, const struct header_names *names,
    struct span chunk)
{
	for (size_t i = 0; i < chunk.n; i++) {
		if (h->state == IN_OTHER) {
			i += span_find(span_from(chunk, i), '\n');
			if (i == chunk.n)
				break;
		}
		h->state = (uint8_t)step(h, names, chunk.p[i]);
	}
}

void
header_notes_end(struct header_notes *h)
{
	if (h->state == IN_VALUE || h->state == AT_FOLD)
		end_value(h);
	h->state = AT_START;
}

bool
header_notes_next(struct span *notes, struct span *name, struct span *value)
{
	const size_t end = span_find(*notes, '\n');
	const struct span line = span_sub(*notes, 0, end);
	const size_t colon = span_find(line, ':');

	if (end == notes->n || colon == line.n)
		return false;
	*name = span_sub(line, 0, colon);
	*value = span_from(line, colon + 2);
	*notes = span_from(*notes, end + 1);
	return true;
}
