/*
 * The mirror of smtp_dots_in.c, in the same two gears: blocks that need no
 * change are copied, the others go through step().  A CR is written when it
 * comes and its LF is owed until the next octet shows whether it was there, so
 * that no octet is ever taken back.
 *
 * Content is stuffed by what this writes, not by what it reads: a bare CR or
 * LF becomes CRLF and so begins a line, whose dot is doubled like any other.
 */
#include "common/smtp/smtp_dots_out.h"

#include "common/smtp/smtp_block.h"

/* Octets between two reservations of room; bounds what is reserved in vain. */
#define PIECE 16384

enum state {
	AT_START,		/* of a line */
	IN_LINE,
	AT_CR,			/* the CR is out, its LF not yet */
};

void
smtp_dots_out_init(struct smtp_dots_out *d)
{
	*d = (struct smtp_dots_out){ .state = AT_START };
}

/*
 * One octet of content; returns where the next one goes.  Writes three octets
 * at most (the LF owed and a doubled dot), and never more than two for each
 * octet in the long run.
 */
static uint8_t *
step(struct smtp_dots_out *d, uint8_t c, uint8_t *to)
{
	/* the LF that belongs to the last CR, whether it is there or not */
	if (d->state == AT_CR) {
		*to++ = '\n';
		d->state = AT_START;
		if (c == '\n')
			return to;
		d->repaired++;
	}
	if (c == '\n') {
		d->repaired++;
		*to++ = '\r';
		*to++ = '\n';
		d->state = AT_START;
		return to;
	}
	if (c == '.' && d->state == AT_START)
		*to++ = '.';
	d->state = c == '\r' ? AT_CR : IN_LINE;
	*to++ = c;
	return to;
}

/*
 * Copies 64 octets at once if nothing in them needs a second look.  The final
 * dot is smtp_dots_out_end()'s, so a dot in the middle of a line is no matter.
 */
static bool
take_block(struct smtp_dots_out *d, const uint8_t *p, uint8_t *to)
{
	struct smtp_block b = smtp_block_load(p);
	uint8_t last = p[SMTP_BLOCK_SIZE - 1];

	if (!smtp_block_is_clean(&b, d->state == AT_CR) ||
	    smtp_block_has_dot(&b, p, d->state == AT_START))
		return false;
	memcpy(to, p, SMTP_BLOCK_SIZE);
	d->state = last == '\r' ? AT_CR : last == '\n' ? AT_START : IN_LINE;
	return true;
}

/* TO has room for the worst case of IN; returns where the next octet goes. */
static uint8_t *
feed_piece(struct smtp_dots_out *d, struct span in, uint8_t *to)
{
	size_t i = 0;

	while (i < in.n) {
		size_t end;

		if (in.n - i >= SMTP_BLOCK_SIZE &&
		    take_block(d, in.p + i, to)) {
			i += SMTP_BLOCK_SIZE;
			to += SMTP_BLOCK_SIZE;
			continue;
		}
		end = in.n - i > SMTP_BLOCK_SIZE ? i + SMTP_BLOCK_SIZE : in.n;
		while (i < end)
			to = step(d, in.p[i++], to);
	}
	return to;
}

void
smtp_dots_out_feed(struct smtp_dots_out *d, struct span in, struct buf *out)
{
	for (size_t at = 0; at < in.n; at += PIECE) {
		struct span piece = span_sub(in, at, PIECE);
		/* at worst each octet becomes CRLF, behind an LF owed */
		uint8_t *start = buf_reserve(out, 2 * piece.n + 1);

		if (start == NULL)
			return;
		buf_commit(out, (size_t)(feed_piece(d, piece, start) - start));
	}
}

bool
smtp_dots_out_end(struct smtp_dots_out *d, struct buf *out)
{
	bool is_lacking = d->state != AT_START;

	if (d->state == AT_CR)
		buf_add_byte(out, '\n');
	else if (is_lacking)
		buf_add_str(out, "\r\n");
	d->state = AT_START;
	buf_add_str(out, ".\r\n");
	return is_lacking;
}
