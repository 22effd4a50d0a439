/*
 * Lines of a header are read octet by octet, for their fields; of the lines of
 * a body only the beginnings, the rest is jumped over.
 */
#include "common/mail/parts_scan.h"

#include "common/base/text.h"

enum state {
	HEADER_START,		/* of a line of a header */
	HEADER_CR,		/* a CR is all of that line so far */
	HEADER_LINE,
	BODY_START,
	BODY_DASH,		/* one hyphen is all of the line so far */
	BODY_DASHES,		/* two */
	BODY_LINE,
	BOUNDARY,		/* the rest of such a line */
};

void
parts_scan_init(struct parts_scan *p)
{
	*p = (struct parts_scan){ .state = HEADER_START };
}

static bool
begins(const struct parts_scan *p, const char *words)
{
	return span_starts_nocase(span_of(p->field, p->field_n),
	    span_str(words));
}

/* The field that was gathered is whole; the last Content-Type counts. */
static void
end_field(struct parts_scan *p)
{
	if (begins(p, "content-type:")) {
		p->is_message = begins(p, "content-type:message/");
		p->is_multi |= begins(p, "content-type:multipart/");
		p->is_digest |= begins(p, "content-type:multipart/digest");
	}
	p->field_n = 0;
}

static enum state
begin_header(struct parts_scan *p)
{
	p->is_message = p->is_digest;
	p->field_n = 0;
	return HEADER_START;
}

/* The empty line. */
static enum state
end_header(struct parts_scan *p)
{
	bool is_message;

	end_field(p);
	is_message = p->is_message;
	p->is_message = false;
	if (!is_message)
		return BODY_START;
	p->field_n = 0;
	return HEADER_START;
}

static void
gather(struct parts_scan *p, uint8_t c)
{
	if (c != ' ' && c != '\t' && c != '\r' && c != '\n' &&
	    p->field_n < sizeof(p->field))
		p->field[p->field_n++] = (char)c;
}

static enum state
header_step(struct parts_scan *p, uint8_t c)
{
	if (p->state == HEADER_CR && c == '\n')
		return end_header(p);
	if (p->state == HEADER_START) {
		if (c == '\n')
			return end_header(p);
		if (c == '\r')
			return HEADER_CR;
		if (c != ' ' && c != '\t')
			end_field(p);
	}
	p->has_8bit |= c >= 0x80;
	gather(p, c);
	return c == '\n' ? HEADER_START : HEADER_LINE;
}

static enum state
step(struct parts_scan *p, uint8_t c)
{
	switch ((enum state)p->state) {
	case HEADER_START:
	case HEADER_CR:
	case HEADER_LINE:
		return header_step(p, c);
	case BODY_START:
		if (c == '-')
			return BODY_DASH;
		break;
	case BODY_DASH:
		if (c == '-')
			return BODY_DASHES;
		break;
	case BODY_DASHES:
		/* "-- " begins a signature */
		if (c != ' ' && c != '\r' && c != '\n')
			return BOUNDARY;
		break;
	case BOUNDARY:
		return c == '\n' ? begin_header(p) : BOUNDARY;
	case BODY_LINE:
		break;
	}
	return c == '\n' ? BODY_START : BODY_LINE;
}

void
parts_scan_feed(struct parts_scan *p, struct span chunk)
{
	size_t i = 0;

	while (i < chunk.n && !p->has_8bit) {
		if (p->state == BODY_LINE || p->state == BOUNDARY) {
			i += span_find(span_from(chunk, i), '\n');
			if (i == chunk.n)
				break;
		} else if (p->state == BODY_START && !p->is_multi) {
			break;	/* one part: its body is of no interest */
		}
		p->state = (uint8_t)step(p, chunk.p[i++]);
	}
}
