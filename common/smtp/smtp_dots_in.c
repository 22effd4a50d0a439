/*
 * Un-stuffing, the search for the final dot and the measuring of the content
 * are one pass, in two gears.  Blocks of 64 octets whose line ends are all
 * CRLF and whose lines begin with no dot, as almost all are, are copied as
 * they stand (take_block); all others go octet by octet through a state
 * machine (step).  The two share one state, so a block may begin in the middle
 * of a line or between CR and LF.
 *
 * The machine holds back what may be the start of the final dot, "." or ".CR",
 * and nothing else; what is content is never kept waiting.
 *
 * Only CRLF brings it to AT_START.  Behind a bare CR or LF it is IN_LINE,
 * where a dot is content: "LF.CRLF" and its like can't end a message here and
 * not there, which is what smuggling lives on.
 */
#include "common/smtp/smtp_dots_in.h"

#include "common/smtp/smtp_block.h"

/* Octets looked at between two reservations of room. */
#define PIECE 16384

enum state {
	AT_START,		/* of a line: the start, or behind CRLF */
	IN_LINE,
	AT_CR,			/* the CR has been passed on */
	AT_DOT,			/* a dot at the start, held back */
	AT_DOT_CR,		/* and a CR, held back too */
};

/* Where content goes; nowhere when `to` is NULL.  Room for the worst case is
 * reserved before, so single octets need no check. */
struct sink {
	uint8_t *to;
};

void
smtp_dots_in_init(struct smtp_dots_in *d, bool is_normalising)
{
	*d = (struct smtp_dots_in){
		.is_normalising = is_normalising, .state = AT_START,
	};
}

void
smtp_dots_in_init_chunks(struct smtp_dots_in *d, bool is_normalising)
{
	smtp_dots_in_init(d, is_normalising);
	d->is_in_chunks = true;
}

/* One octet of content: counted even when nobody wants it any more, so that
 * size and line length are right for the refusal. */
static void
put(struct smtp_dots_in *d, struct sink *sink, uint8_t c)
{
	if (sink->to != NULL)
		*sink->to++ = c;
	d->bytes++;
	d->line_bytes++;
}

/* Unfinished lines are measured, too: an endless one is known before its
 * end. */
static void
measure_line(struct smtp_dots_in *d, uint64_t octets)
{
	if (octets > d->longest_line)
		d->longest_line = octets;
}

/* The LF of a CRLF, whose CR was put before: those two are not of the line. */
static void
end_line(struct smtp_dots_in *d, struct sink *sink)
{
	put(d, sink, '\n');
	measure_line(d, d->line_bytes - 2);
	d->line_bytes = 0;
	d->lines++;
}

/*
 * Behind a CR that no LF follows.  When normalising, what comes next begins a
 * line of the content, but not one of the wire: its dot is no stuffed one.
 */
static void
take_bare_cr(struct smtp_dots_in *d, struct sink *sink)
{
	d->has_bare_cr = true;
	if (d->is_normalising) {
		d->has_dots = true;
		end_line(d, sink);
	}
}

/* The next dot is at the start of no line of the wire. */
static void
take_bare_lf(struct smtp_dots_in *d, struct sink *sink)
{
	d->has_bare_lf = true;
	d->state = IN_LINE;
	if (d->is_normalising) {
		d->has_dots = true;
		put(d, sink, '\r');
		end_line(d, sink);
	} else {
		put(d, sink, '\n');
	}
}

/* An octet that is neither held back nor part of a CRLF. */
static void
take_octet(struct smtp_dots_in *d, struct sink *sink, uint8_t c)
{
	if (c == '\n') {
		take_bare_lf(d, sink);
		return;
	}
	d->has_nul |= c == 0;
	d->has_8bit |= c >= 0x80;
	d->state = c == '\r' ? AT_CR : IN_LINE;
	put(d, sink, c);
}

/* One octet of the wire.  What leaves by return is done with; what leaves by
 * break is content, like any other octet, behind what was set right here. */
static void
step(struct smtp_dots_in *d, struct sink *sink, uint8_t c)
{
	switch ((enum state)d->state) {
	case AT_START:
		if (c != '.')
			break;
		if (!d->is_in_chunks) {
			d->state = AT_DOT;
			return;
		}
		d->has_dots = true;
		break;
	case AT_DOT:
		if (c == '\r') {
			d->state = AT_DOT_CR;
			return;
		}
		/* the stuffed dot is dropped, RFC 5321 4.5.2: here, by not
		 * putting it */
		d->has_dots |= c == '.';
		break;
	case AT_DOT_CR:
		if (c == '\n') {
			d->is_end = true;
			return;
		}
		/* ".CR" was the stuffed dot and the first octet of content */
		put(d, sink, '\r');
		take_bare_cr(d, sink);
		break;
	case AT_CR:
		if (c == '\n') {
			end_line(d, sink);
			d->state = AT_START;
			return;
		}
		take_bare_cr(d, sink);
		break;
	case IN_LINE:
		break;
	}
	take_octet(d, sink, c);
}

/*
 * Measures the lines that end in a clean block.  LF: bit N is set when octet N
 * is one, and the octet before it is a CR, here or at the end of the last
 * block.
 */
static void
count_lines(struct smtp_dots_in *d, uint64_t lf)
{
	uint64_t from = 0;

	for (; lf != 0; lf &= lf - 1) {
		uint64_t next = (uint64_t)__builtin_ctzll(lf) + 1;

		measure_line(d, d->line_bytes + next - from - 2);
		d->line_bytes = 0;
		d->lines++;
		from = next;
	}
	d->line_bytes += SMTP_BLOCK_SIZE - from;
}

/* Takes 64 octets at once if they are nothing but plain lines. */
static bool
take_block(struct smtp_dots_in *d, struct sink *sink, const uint8_t *p)
{
	struct smtp_block b;
	uint8_t last = p[SMTP_BLOCK_SIZE - 1];

	/* held-back octets are the business of step() */
	if (d->state > AT_CR)
		return false;
	b = smtp_block_load(p);
	if (!smtp_block_is_clean(&b, d->state == AT_CR) ||
	    smtp_block_has_dot(&b, p, d->state == AT_START))
		return false;
	if (sink->to != NULL) {
		memcpy(sink->to, p, SMTP_BLOCK_SIZE);
		sink->to += SMTP_BLOCK_SIZE;
	}
	d->bytes += SMTP_BLOCK_SIZE;
	d->has_8bit |= b.has_8bit;
	d->has_nul |= b.has_nul;
	count_lines(d, b.lf);
	d->state = last == '\r' ? AT_CR : last == '\n' ? AT_START : IN_LINE;
	return true;
}

/* Blocks where it goes, octets where it must; returns how many it took. */
static size_t
feed_piece(struct smtp_dots_in *d, struct span in, struct sink *sink)
{
	size_t i = 0;

	while (i < in.n && !d->is_end) {
		size_t end;

		if (in.n - i >= SMTP_BLOCK_SIZE &&
		    take_block(d, sink, in.p + i)) {
			i += SMTP_BLOCK_SIZE;
			continue;
		}
		/* a block's length by octets, then blocks are tried again */
		end = in.n - i > SMTP_BLOCK_SIZE ? i + SMTP_BLOCK_SIZE : in.n;
		while (i < end && !d->is_end)
			step(d, sink, in.p[i++]);
	}
	return i;
}

size_t
smtp_dots_in_feed(struct smtp_dots_in *d, struct span in, struct buf *out)
{
	size_t taken = 0;

	while (taken < in.n && !d->is_end) {
		struct span piece = span_sub(in, taken, PIECE);
		struct sink sink = { NULL };
		uint8_t *start = NULL;

		/* at worst each octet becomes CRLF, and a CR was held back */
		if (out != NULL)
			start = buf_reserve(out, d->is_normalising ?
			    2 * piece.n + 2 : piece.n + 1);
		sink.to = start;
		taken += feed_piece(d, piece, &sink);
		if (start != NULL)
			buf_commit(out, (size_t)(sink.to - start));
	}
	/* a CR at the end may yet turn out to be half of a line end */
	measure_line(d, d->line_bytes - (d->state == AT_CR));
	return taken;
}

void
smtp_dots_in_end_chunks(struct smtp_dots_in *d, struct buf *out)
{
	struct sink sink = { NULL };
	uint8_t *start = NULL;

	if (out != NULL)
		start = buf_reserve(out, 4);
	sink.to = start;
	if (d->state == AT_CR)
		take_bare_cr(d, &sink);
	if (d->line_bytes > 0) {
		put(d, &sink, '\r');
		end_line(d, &sink);
	}
	d->state = AT_START;
	if (start != NULL)
		buf_commit(out, (size_t)(sink.to - start));
}

bool
smtp_dots_in_is_open(const struct smtp_dots_in *d)
{
	return d->bytes > 0 && d->state != AT_START;
}
