/*
 * The table of replies, made from rx_replies.def.
 *
 * Most replies are the same each time: code, status and text are joined by the
 * compiler and leave by one copy.  Only those that name the host or quote
 * something are put together here.
 */
#include "smtpd/engine/rx_reply.h"

#include "common/base/check.h"
#include "common/smtp/smtp_reply.h"

#define FILL_TEXT_MAX 600	/* smtp_reply_add() cuts to a line */

struct reply {
	uint16_t code;
	const char *status;
	const char *text;
	struct span wire;	/* ready to send; empty: text is to be filled */
};

static const struct reply replies[RX_REPLY_COUNT] = {
#define PLAIN(name, code, text) \
	[RX_REPLY_##name] = { code, "", text, \
	    SPAN_LIT_INIT(#code " " text "\r\n") },
#define REPLY(name, code, status, text) \
	[RX_REPLY_##name] = { code, status, text, \
	    SPAN_LIT_INIT(#code " " status " " text "\r\n") },
#define FILLED(name, code, status, text) \
	[RX_REPLY_##name] = { code, status, text, { NULL, 0 } },
#define SPAN_LIT_INIT(s) { (const uint8_t *)("" s), sizeof(s) - 1 }
#include "smtpd/engine/rx_replies.def"
#undef SPAN_LIT_INIT
#undef FILLED
#undef REPLY
#undef PLAIN
};

unsigned
rx_reply_code(enum rx_reply_id id)
{
	return replies[id].code;
}

const char *
rx_reply_status(enum rx_reply_id id)
{
	return replies[id].status;
}

/* Cuts what doesn't fit: a reply that ends early is better than none. */
static size_t
append(char *to, size_t at, struct span s)
{
	size_t n = s.n < FILL_TEXT_MAX - at ? s.n : FILL_TEXT_MAX - at;

	if (n > 0)
		memcpy(to + at, s.p, n);
	return at + n;
}

/* TO has FILL_TEXT_MAX bytes.  The fill may be the client's own words; that it
 * can't end a line or smuggle a control character in is smtp_reply_add()'s
 * work, which comes last. */
static struct span
fill_in(const char *text, struct span host, struct span fill, char *to)
{
	size_t n = 0;

	for (const char *p = text; *p != '\0'; p++) {
		if (p[0] == '%' && p[1] == 'h')
			n = append(to, n, host);
		else if (p[0] == '%' && p[1] == 's')
			n = append(to, n, fill);
		else {
			n = append(to, n, span_of(p, 1));
			continue;
		}
		p++;
	}
	return span_of(to, n);
}

void
rx_reply_add(enum rx_reply_id id, struct span host, struct span fill,
    struct buf *out)
{
	const struct reply *r = &replies[id];
	char text[FILL_TEXT_MAX];

	/* RX_REPLY_NONE must not get this far */
	MUST(r->code != 0);
	if (r->wire.n > 0) {
		buf_add_span(out, r->wire);
		return;
	}
	smtp_reply_add(out, r->code, r->status[0] != '\0' ? r->status : NULL,
	    fill_in(r->text, host, fill, text));
}
