/*
 * Content between 354 and the final dot.
 *
 * A reason to refuse that is found in the middle can't be told before the end
 * of the content (RFC 5321 4.1.1.4: there is one reply, behind the final dot).
 * From then on RX_DROP lets the driver give its memory back, and the rest is
 * read for its end only: the same scanner runs, with nowhere to write to.  So
 * refused content ends exactly where accepted content would have ended, and no
 * line of it is ever taken for a command.
 */
#include "smtpd/engine/rx_impl.h"

#include "common/base/check.h"

/* A client that sends on after its message became too large is cut off at
 * twice the limit, and this much more for small limits. */
#define ENDLESS_SLACK 65536

void
rx_body_begin(struct rx *rx)
{
	struct rx_content *c = &rx->content;

	smtp_dots_in_init(&c->dots,
	    rx->site->conf->content.bare_newline == CONF_NEWLINE_NORMALISE);
	header_scan_init(&c->header);
	c->raw_bytes = 0;
	c->refusal = RX_REPLY_NONE;
}

/* The first reason counts; the rest of the content is then thrown away. */
void
rx_body_refuse(struct rx *rx, enum rx_reply_id why)
{
	if (rx->content.refusal == RX_REPLY_NONE)
		rx->content.refusal = why;
}

/* Looks at what one feed added to the content. */
static void
judge(struct rx *rx, const struct buf *body, size_t before)
{
	struct rx_content *c = &rx->content;
	const struct conf *conf = rx->site->conf;

	/* first of all: the rest may have been judged by bytes that aren't
	 * there */
	if (buf_failed(body)) {
		rx_body_refuse(rx, RX_REPLY_NO_ROOM);
		return;
	}
	if (!c->header.is_done)
		/* only what was un-stuffed, and each octet once */
		header_scan_feed(&c->header, span_from(buf_span(body), before));
	if (c->dots.bytes > conf->limits.message_bytes)
		rx_body_refuse(rx, RX_REPLY_TOO_LARGE);
	else if (c->header.received > conf->limits.hops)
		rx_body_refuse(rx, RX_REPLY_CONTENT_LOOP);
	else if ((c->dots.has_bare_cr || c->dots.has_bare_lf) &&
	    conf->content.bare_newline == CONF_NEWLINE_REFUSE)
		rx_body_refuse(rx, RX_REPLY_CONTENT_BARE);
}

/* The transaction is over when content was refused, but not when it was whole:
 * the message is the driver's to look at until rx_submitted(). */
static enum rx_act
finish(struct rx *rx, struct buf *out)
{
	enum rx_reply_id refusal = rx->content.refusal;

	if (refusal == RX_REPLY_NONE) {
		rx_enter(rx, RX_SUBMITTING);
		return RX_SUBMIT;
	}
	if (refusal == RX_REPLY_TOO_LARGE)
		rx_fill_u64(rx, rx->site->conf->limits.message_bytes);
	rx_forget(rx);
	rx_answer(rx, refusal, out);
	return RX_REFUSED;
}

/* Divided, since twice the limit may be more than a number holds. */
static bool
is_endless(const struct rx *rx)
{
	uint64_t limit = rx->site->conf->limits.message_bytes;

	return rx->content.raw_bytes / 2 > limit + ENDLESS_SLACK;
}

enum rx_act
rx_body_step(struct rx *rx, struct span in, size_t *taken, struct buf *body,
    struct buf *out)
{
	struct rx_content *c = &rx->content;
	bool is_wanted = c->refusal == RX_REPLY_NONE;
	size_t before = body->n;
	size_t n;

	/* the feed that found the end also found a reason for RX_DROP */
	if (c->dots.is_end)
		return finish(rx, out);
	n = smtp_dots_in_feed(&c->dots, in, is_wanted ? body : NULL);
	*taken += n;
	c->raw_bytes += n;
	if (is_wanted) {
		judge(rx, body, before);
		if (c->refusal != RX_REPLY_NONE)
			return RX_DROP;
	}
	if (c->dots.is_end)
		return finish(rx, out);
	if (is_endless(rx)) {
		rx_forget(rx);
		rx_hang_up(rx, RX_REPLY_ENDLESS_CONTENT, out);
		return RX_REFUSED;
	}
	return RX_READ;
}
