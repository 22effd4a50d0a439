/*
 * Read in pieces that hold several of the longest records.  A length that is
 * damaged looks like a record that goes on behind the piece: only when there
 * is nothing more to read, or far more than a record, it is known for what it
 * is.
 */
#include "queued/journal/journal_scan.h"

#include "queued/store/store_io.h"

enum { PIECE = 256 * 1024, LONGEST = UINT16_MAX };

void
journal_scan_init(struct journal_scan *s, int fd, uint64_t from, uint64_t end)
{
	*s = (struct journal_scan){ .fd = fd, .at = from,
	    .end = end > from ? end : from };
	buf_init(&s->piece, 2 * PIECE);
}

void
journal_scan_clear(struct journal_scan *s)
{
	buf_clear(&s->piece);
}

static struct span
rest(const struct journal_scan *s)
{
	return span_from(buf_span(&s->piece), s->used);
}

static uint64_t
unread(const struct journal_scan *s)
{
	return s->end - s->at - s->piece.n;
}

/* What is left in the piece, and as much more as fits. */
static enum err
fill(struct journal_scan *s)
{
	uint64_t n = unread(s);
	uint8_t *p;
	enum err e;

	buf_drop(&s->piece, s->used);
	s->at += s->used;
	s->used = 0;
	if (n > PIECE - s->piece.n)
		n = PIECE - s->piece.n;
	p = buf_reserve(&s->piece, (size_t)n);
	if (p == NULL) {
		s->piece.is_failed = false;
		return ERR_NOMEM;
	}
	e = store_io_read(s->fd, p, (size_t)n, s->at + s->piece.n);
	if (e == OK)
		buf_commit(&s->piece, (size_t)n);
	return e;
}

/* Behind the first byte of what is no record.  One that goes on behind the
 * piece is not found yet: enough is kept to find it with the next piece. */
static void
pass_over(struct journal_scan *s)
{
	size_t left = rest(s).n;
	size_t n = 1 + journal_record_find(span_from(rest(s), 1));

	if (n == left && unread(s) > 0 && left >= LONGEST)
		n = left - LONGEST + 1;
	s->used += n;
	s->damaged += n;
}

enum err
journal_scan_next(struct journal_scan *s, struct journal_record *out,
    uint64_t *offset)
{
	for (;;) {
		struct span left = rest(s);
		enum err e;

		if (left.n < LONGEST && unread(s) > 0) {
			if ((e = fill(s)) != OK)
				return e;
			continue;
		}
		if (left.n == 0)
			return ERR_NOT_FOUND;
		*offset = s->at + s->used;
		if (journal_record_next(&left, out) == OK) {
			s->used += out->bytes.n;
			return OK;
		}
		pass_over(s);
	}
}
