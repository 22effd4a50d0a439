/*
 * Replies are written into the session's output as they are made.  Texts may
 * hold what a client sent or another host said, so each line is made printable
 * and cut here, at the last place before the wire: what gets in can at most
 * begin another line of the same reply.
 */
#include "common/smtp/smtp_reply.h"

#include "common/base/check.h"
#include "common/base/text.h"

/* Copies what fits in front of END, made printable; returns where it ends.
 * One octet each: a UTF-8 character becomes as many `?` as it has octets. */
static uint8_t *
put_printable(uint8_t *to, const uint8_t *end, struct span s)
{
	for (size_t i = 0; i < s.n && to < end; i++)
		*to++ = text_is_print(s.p[i]) ? s.p[i] : '?';
	return to;
}

/* One line of the reply.  Written straight into the buffer: replies are on the
 * hot path.  Without memory nothing is added and OUT is marked as failed. */
static void
add_line(struct buf *out, unsigned code, char separator, struct span status,
    struct span text)
{
	uint8_t *line = buf_reserve(out, SMTP_REPLY_LINE_MAX);
	uint8_t *to = line;
	const uint8_t *end;

	if (line == NULL)
		return;
	/* the CRLF always fits, whatever was cut */
	end = line + SMTP_REPLY_LINE_MAX - 2;
	*to++ = (uint8_t)('0' + code / 100);
	*to++ = (uint8_t)('0' + code / 10 % 10);
	*to++ = (uint8_t)('0' + code % 10);
	*to++ = (uint8_t)separator;
	to = put_printable(to, end, status);
	if (status.n > 0 && text.n > 0)
		*to++ = ' ';
	to = put_printable(to, end, text);
	*to++ = '\r';
	*to++ = '\n';
	buf_commit(out, (size_t)(to - line));
}

void
smtp_reply_add(struct buf *out, unsigned code, const char *status,
    struct span text)
{
	struct span prefix = span_str(status);

	/* both come from tables of our own, never from the network */
	MUST(code >= 200 && code <= 599 && prefix.n < 16);
	for (;;) {
		size_t n = span_find(text, '\n');
		bool is_last = n == text.n;

		add_line(out, code, is_last ? ' ' : '-', prefix,
		    span_sub(text, 0, n));
		if (is_last)
			return;
		text = span_from(text, n + 1);
	}
}
