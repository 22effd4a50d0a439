/*
 * A reply comes in pieces of any size from a host that may be broken or
 * hostile.  Each line is head (three digits and a blank or hyphen), then text
 * up to LF; text is kept in runs, as it comes.  All lines stand in one buffer,
 * parted by \n; the line being read is always its last `line_kept` octets.
 *
 * Two pairs of limits.  The small ones bound what is kept, and only cut: long
 * help texts and banners are no mistake.  The large ones bound what is read at
 * all, and end the session: behind them is no reply but a flood.
 */
#include "common/smtp/smtp_response.h"

#include "common/base/text.h"

enum state {
	IN_HEAD,		/* the three digits and what parts them */
	IN_HEAD_CR,		/* "250\r" */
	IN_TEXT,
	IN_TEXT_CR,
	FAILED,
};

void
smtp_response_init(struct smtp_response *r)
{
	*r = (struct smtp_response){ .state = IN_HEAD };
	buf_init(&r->text, SMTP_RESPONSE_TEXT_MAX);
}

void
smtp_response_clear(struct smtp_response *r)
{
	buf_clear(&r->text);
}

void
smtp_response_reset(struct smtp_response *r)
{
	struct buf text = r->text;

	buf_reset(&text);
	*r = (struct smtp_response){ .state = IN_HEAD, .text = text };
}

/* Keeps a run of text as far as the limits allow. */
static enum err
keep(struct smtp_response *r, struct span s)
{
	size_t room = SMTP_RESPONSE_TEXT_MAX - r->text.n;
	uint8_t *to;

	if (r->lines >= SMTP_RESPONSE_LINES_KEPT)
		room = 0;
	if (room > SMTP_RESPONSE_LINE_MAX - r->line_kept)
		room = SMTP_RESPONSE_LINE_MAX - r->line_kept;
	if (s.n > room) {
		r->is_cut = true;
		s.n = room;
	}
	if (s.n == 0)
		return OK;
	to = buf_reserve(&r->text, s.n);
	if (to == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < s.n; i++)
		to[i] = text_is_print(s.p[i]) ? s.p[i] : '?';
	buf_commit(&r->text, s.n);
	r->line_kept += s.n;	/* take_status() finds the line by it */
	return OK;
}

/* Octets of the kept lines' break in front of a line that isn't the first. */
static enum err
begin_line(struct smtp_response *r)
{
	r->line_kept = 0;
	if (r->lines == 0 || r->lines >= SMTP_RESPONSE_LINES_KEPT ||
	    r->text.n == SMTP_RESPONSE_TEXT_MAX)
		return OK;
	buf_add_byte(&r->text, '\n');
	return buf_failed(&r->text) ? ERR_NOMEM : OK;
}

/* The status code of the first line counts; where the others repeat it, it is
 * taken out (RFC 2034 4). */
static void
take_status(struct smtp_response *r)
{
	struct span line = span_from(buf_span(&r->text),
	    r->text.n - r->line_kept);
	struct status s;
	size_t n = status_take(line, r->code, &s);

	if (n == 0)
		return;
	if (r->lines == 0) {
		r->status = s;
		return;
	}
	if (s.class != r->status.class || s.subject != r->status.subject ||
	    s.detail != r->status.detail)
		return;
	memmove(r->text.p + (r->text.n - line.n),
	    r->text.p + (r->text.n - line.n) + n, line.n - n);
	r->text.n -= n;
}

/* OK when that was the last line, ERR_AGAIN when another follows. */
static enum err
end_line(struct smtp_response *r)
{
	bool is_last = r->head[3] != '-';

	take_status(r);
	r->lines++;
	r->line_bytes = 0;
	r->state = IN_HEAD;
	r->head[3] = '\0';
	if (is_last)
		return OK;
	return r->lines >= SMTP_RESPONSE_LINES_MAX ? ERR_PEER : ERR_AGAIN;
}

/* Codes of other hundreds than these mean nothing, RFC 5321 4.2.1. */
static bool
is_code_digit(size_t index, uint8_t c)
{
	return index == 0 ? c >= '2' && c <= '5' : text_is_digit(c);
}

/* 250- and then 550 is no reply: whoever trusted either could be fooled. */
static enum err
begin_text(struct smtp_response *r)
{
	uint16_t code = (uint16_t)((r->head[0] - '0') * 100 +
	    (r->head[1] - '0') * 10 + (r->head[2] - '0'));

	if (r->lines > 0 && code != r->code)
		return ERR_PEER;
	r->code = code;
	return begin_line(r);
}

/* Digit by digit: a code may come in pieces like all else.  "250" and a line
 * end at once is a whole last line (RFC 5321 4.2 lets the text be empty). */
static enum err
feed_head(struct smtp_response *r, uint8_t c)
{
	enum err e;

	if (r->line_bytes < 3) {
		if (!is_code_digit(r->line_bytes, c))
			return ERR_PEER;
		r->head[r->line_bytes++] = (char)c;
		return ERR_AGAIN;
	}
	if (c != ' ' && c != '-' && c != '\r' && c != '\n')
		return ERR_PEER;
	e = begin_text(r);
	if (e != OK)
		return e;
	r->head[3] = (char)c;
	if (c == '\n')
		return end_line(r);
	r->state = c == '\r' ? IN_HEAD_CR : IN_TEXT;
	return ERR_AGAIN;
}

/* A run of text up to a CR or LF, or that octet; *N: octets taken. */
static enum err
feed_text(struct smtp_response *r, struct span in, size_t *n)
{
	size_t i = 0;
	enum err e;

	while (i < in.n && in.p[i] != '\r' && in.p[i] != '\n')
		i++;
	if (i > 0) {
		*n = i;
		e = keep(r, span_sub(in, 0, i));
		return e == OK ? ERR_AGAIN : e;
	}
	*n = 1;
	if (in.p[0] == '\n')
		return end_line(r);
	r->state = IN_TEXT_CR;
	return ERR_AGAIN;
}

/* Takes what comes next in IN, *N octets of it: maybe none, when only the
 * state moves.  ERR_AGAIN is the way on, anything else ends the reply. */
static enum err
feed(struct smtp_response *r, struct span in, size_t *n)
{
	enum err e;

	*n = 1;
	switch ((enum state)r->state) {
	case IN_HEAD:
		return feed_head(r, in.p[0]);
	case IN_HEAD_CR:
		return in.p[0] == '\n' ? end_line(r) : ERR_PEER;
	case IN_TEXT:
		return feed_text(r, in, n);
	case IN_TEXT_CR:
		if (in.p[0] == '\n')
			return end_line(r);
		/* a bare CR: part of the text */
		*n = 0;
		r->state = IN_TEXT;
		e = keep(r, SPAN_LIT("?"));
		return e == OK ? ERR_AGAIN : e;
	case FAILED:
		break;
	}
	return ERR_PEER;
}

enum err
smtp_response_feed(struct smtp_response *r, struct span in, size_t *consumed)
{
	enum err e = ERR_AGAIN;
	size_t at = 0;

	/* Stops behind the last line: what follows is the next reply.  Each
	 * step takes an octet or leaves IN_TEXT_CR, so it ends. */
	while (e == ERR_AGAIN && at < in.n) {
		size_t n = 0;

		e = feed(r, span_from(in, at), &n);
		at += n;
		r->bytes += n;
		if (e == ERR_AGAIN && r->bytes > SMTP_RESPONSE_BYTES_MAX)
			e = ERR_PEER;
	}
	*consumed += at;
	if (e != OK && e != ERR_AGAIN)
		r->state = FAILED;
	return e;
}

void
smtp_response_line(const struct smtp_response *r, struct buf *out)
{
	size_t from = out->n;	/* OUT may hold something already */
	struct span text = buf_span(&r->text);

	buf_add_u64(out, r->code);
	if (text.n > 0) {
		buf_add_byte(out, ' ');
		buf_add_span(out, text);
	}
	if (buf_failed(out))
		return;
	for (size_t i = from; i < out->n; i++) {
		if (out->p[i] == '\n')
			out->p[i] = ' ';
	}
}
