/* Content between 354 and the final dot */
#include "smtpd/engine/rx_impl.h"

#include "common/base/check.h"

/* A client that sends on after its message became too large is cut off this
 * far behind twice the limit. */
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

	if (buf_failed(body)) {
		rx_body_refuse(rx, RX_REPLY_NO_ROOM);
		return;
	}
	if (!c->header.is_done)
		header_scan_feed(&c->header, span_from(buf_span(body), before));
	if (c->dots.bytes > conf->limits.message_bytes)
		rx_body_refuse(rx, RX_REPLY_TOO_LARGE);
	else if (c->header.received > conf->limits.hops)
		rx_body_refuse(rx, RX_REPLY_CONTENT_LOOP);
	else if ((c->dots.has_bare_cr || c->dots.has_bare_lf) &&
	    conf->content.bare_newline == CONF_NEWLINE_REFUSE)
		rx_body_refuse(rx, RX_REPLY_CONTENT_BARE);
}

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

	if (c->dots.is_end)		/* after RX_DROP */
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
