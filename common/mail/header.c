/*
 * Two readers.  The scan sees a header go by in chunks, once, and can keep
 * nothing: it counts and finds the end.  The iterator has a whole header in
 * memory and parts it into fields; it works in place, so that no header can
 * make it allocate.
 *
 * Both take LF alone for a line end, too, so that what they say doesn't rest
 * on how the content was cleaned before.
 */
#include "common/mail/header.h"

#include "common/base/text.h"

/*
 * The scan walks line by line: the first bytes of a line are compared with
 * "received:", the rest of it is jumped over with memchr().  CR states are
 * kept because a chunk may end anywhere.
 */
enum scan_state {
	AT_START,		/* of a line */
	AT_START_CR,		/* a CR is all of the line so far */
	IN_NAME,		/* of what may be a Received field */
	BEHIND_NAME,		/* blanks between it and its colon */
	IN_LINE,
};

static const char received[] = "received";

void
header_scan_init(struct header_scan *h)
{
	*h = (struct header_scan){ .state = AT_START };
}

/* The first octet of a line: the end of the header, or a name. */
static enum scan_state
start_line(struct header_scan *h, uint8_t c)
{
	if (c == '\n') {
		h->is_done = true;
		return AT_START;
	}
	if (c == '\r')
		return AT_START_CR;
	h->matched = 1;
	return text_lower_byte(c) == 'r' ? IN_NAME : IN_LINE;
}

/*
 * One octet.  The name is followed by its colon at once, or by blanks first
 * (RFC 5322 4.5); a line that begins with a blank is a fold, not a field.
 */
static enum scan_state
step(struct header_scan *h, uint8_t c)
{
	switch ((enum scan_state)h->state) {
	case AT_START:
		return start_line(h, c);
	case AT_START_CR:
		if (c == '\n')
			h->is_done = true;
		return IN_LINE;
	case IN_NAME:
		if (h->matched < sizeof(received) - 1) {
			if (text_lower_byte(c) == received[h->matched]) {
				h->matched++;
				return IN_NAME;
			}
			break;
		}
		/* fallthrough */
	case BEHIND_NAME:
		if (c == ':')
			h->received++;
		else if (c == ' ' || c == '\t')
			return BEHIND_NAME;
		break;
	case IN_LINE:
		break;
	}
	return c == '\n' ? AT_START : IN_LINE;
}

/* Octets of CHUNK up to the end of the header, or all. */
static size_t
find_end(struct header_scan *h, struct span chunk)
{
	size_t i = 0;

	while (i < chunk.n && !h->is_done) {
		/* the rest of a line is of no interest here */
		if (h->state == IN_LINE) {
			i += span_find(span_from(chunk, i), '\n');
			if (i == chunk.n)
				break;
		}
		h->state = (uint8_t)step(h, chunk.p[i++]);
	}
	return i;
}

size_t
header_scan_feed(struct header_scan *h, struct span chunk)
{
	size_t n;
	uint8_t high = 0;

	if (h->is_done)
		return 0;
	n = find_end(h, chunk);
	/* a loop without a way out, so that the compiler makes it wide */
	for (size_t i = 0; i < n; i++)
		high |= chunk.p[i];
	h->has_8bit |= high >= 0x80;
	h->has_nul |= span_find(span_sub(chunk, 0, n), '\0') < n;
	h->bytes += n;
	return n;
}

size_t
header_length(struct span message)
{
	struct header_scan h;

	header_scan_init(&h);
	return find_end(&h, message);
}

/* Octets of the first line of S with its line end. */
static size_t
line_length(struct span s)
{
	size_t n = span_find(s, '\n');

	return n < s.n ? n + 1 : n;
}

/* Octets of a field: its line and all that begin with a blank. */
static size_t
field_length(struct span s)
{
	size_t n = line_length(s);

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n += line_length(span_from(s, n));
	return n;
}

/* Also for LF alone: what is given should not depend on it. */
static struct span
without_line_end(struct span s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

/* Parts a field at its colon; false when it has none, or no proper name. */
static bool
split(struct span whole, struct header_field *out)
{
	size_t colon = span_find(whole, ':');
	size_t n = colon;

	if (colon == whole.n)
		return false;
	/* RFC 5322 4.5 lets blanks stand in front of the colon */
	while (n > 0 && (whole.p[n - 1] == ' ' || whole.p[n - 1] == '\t'))
		n--;
	if (n == 0)
		return false;
	/* ftext of RFC 5322 3.6.8 */
	for (size_t i = 0; i < n; i++) {
		if (whole.p[i] <= ' ' || whole.p[i] >= 0x7f)
			return false;
	}
	out->name = span_sub(whole, 0, n);
	out->body = without_line_end(span_from(whole, colon + 1));
	out->whole = whole;
	return true;
}

/* Each octet is looked at a bounded number of times: by the search for the
 * line end, for the colon, and by the check of the name. */
bool
header_next(struct span *rest, struct header_field *out)
{
	while (rest->n > 0) {
		struct span whole = span_sub(*rest, 0, field_length(*rest));

		*rest = span_from(*rest, whole.n);
		if (split(whole, out))
			return true;
	}
	return false;
}

bool
header_find(struct span header, struct span name, struct header_field *out)
{
	struct header_field field;

	while (header_next(&header, &field)) {
		if (span_equal_nocase(field.name, name)) {
			*out = field;
			return true;
		}
	}
	return false;
}
