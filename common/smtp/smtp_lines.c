/*
 * The reader of the command phase.  It never copies and keeps no octet, only
 * how far it has looked; the input stays the caller's until a line is whole.
 *
 * A line is judged by the first CR or LF in it: CRLF ends it, one of them
 * alone makes all up to the next CRLF unfit to be executed.  A server that
 * took a bare LF for a line end would see commands where the host before it
 * saw text (RFC 5321 2.3.8).
 */
#include "common/smtp/smtp_lines.h"

#include "common/base/check.h"

void
smtp_lines_init(struct smtp_lines *l, size_t max)
{
	MUST(max >= 2);
	*l = (struct smtp_lines){ .max = max };
}

/*
 * Throws away up to the next CRLF; returns how many octets that are.  `has_cr`
 * carries a CR over the end of the input, so the pair is seen wherever it is
 * cut.
 */
static size_t
skip(struct smtp_lines *l, struct span in)
{
	size_t n = 0;

	while (n < in.n && l->is_skipping) {
		if (l->has_cr && in.p[n] == '\n') {
			l->is_skipping = false;
			n++;
			break;
		}
		/* jumps from CR to CR: what is skipped is not looked at
		 * twice */
		n += span_find(span_from(in, n), '\r');
		l->has_cr = n < in.n;
		n += l->has_cr;
	}
	l->excess += n;
	return n;
}

/* The line is lost, what is left of it will be skipped.  HAS_CR: a CR was the
 * last octet taken of it, so an LF that comes next ends it. */
static enum smtp_lines_event
give_up(struct smtp_lines *l, enum smtp_lines_event event, bool has_cr)
{
	l->is_skipping = true;
	l->has_cr = has_cr;
	l->scanned = 0;
	l->excess = 0;
	return event;
}

/*
 * The event at the start of IN; *N: octets to drop for it.
 *
 * Whichever of CR and LF comes first decides, and no octet before `scanned`
 * is looked at again: a client that sends octet by octet costs no more than
 * one that does not.
 */
static enum smtp_lines_event
find(struct smtp_lines *l, struct span in, size_t *n, struct span *line)
{
	struct span window = span_sub(in, 0, l->max);
	struct span fresh = span_from(window, l->scanned);
	size_t cr = l->scanned + span_find(fresh, '\r');
	size_t lf = l->scanned + span_find(span_sub(fresh, 0,
	    cr - l->scanned), '\n');

	if (lf < cr) {
		*n = lf + 1;
		return give_up(l, SMTP_LINES_BARE, false);
	}
	/* a CR that is the last octet so far has to wait for the next one */
	if (cr + 1 < window.n) {
		if (in.p[cr + 1] != '\n') {
			*n = cr + 1;
			return give_up(l, SMTP_LINES_BARE, false);
		}
		*n = cr + 2;
		*line = span_sub(in, 0, cr);
		l->scanned = 0;
		l->excess = 0;
		return SMTP_LINES_LINE;
	}
	if (window.n == l->max) {
		*n = window.n;
		return give_up(l, SMTP_LINES_LONG, cr < window.n);
	}
	*n = 0;
	l->scanned = cr;
	return SMTP_LINES_NONE;
}

enum smtp_lines_event
smtp_lines_next(struct smtp_lines *l, struct span in, size_t *consumed,
    struct span *line)
{
	enum smtp_lines_event event;
	size_t n;

	if (l->is_skipping) {
		n = skip(l, in);
		*consumed += n;
		in = span_from(in, n);
	}
	if (in.n == 0)
		return SMTP_LINES_NONE;
	event = find(l, in, &n, line);
	*consumed += n;
	return event;
}
