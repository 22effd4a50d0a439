/*
 * Content between 354 and the final dot, or in chunks (RFC 3030 section 2).
 *
 * A reason to refuse that is found in the middle can't be told before the end
 * of the content (RFC 5321 4.1.1.4: there is one reply, behind the final dot).
 * From then on RX_DROP lets the driver give its memory back, and the rest is
 * read for its end only: the same scanner runs, with nowhere to write to.  So
 * refused content ends exactly where accepted content would have ended, and no
 * line of it is ever taken for a command.
 *
 * The octets of a chunk are read also when BDAT was wrong where it stood: its
 * reply comes behind them.  One that is refused ends the transaction, so those
 * that were sent behind it find none.
 */
#include "smtpd/engine/rx_impl.h"

#include "common/base/check.h"
#include "common/route/route_table.h"
#include "smtpd/engine/rx_utf8.h"

/* A client that sends on after its message became too large is cut off at
 * twice the limit, and this much more for small limits. */
#define ENDLESS_SLACK 65536

static bool
is_normalising(const struct rx *rx)
{
	return !rx->mail.is_binary && rx->site->conf->content.bare_newline == CONF_NEWLINE_NORMALISE;
}

static void
begin(struct rx_content *c)
{
	header_scan_init(&c->header);
	trace_scan_init(&c->trace);
	tls_field_init(&c->tls_field);
	header_notes_clear(&c->notes);
	header_notes_init(&c->notes);
	parts_scan_init(&c->parts);
	submit_head_init(&c->submitted);
	c->raw_bytes = 0;
	c->refusal = RX_REPLY_NONE;
}

void
rx_body_begin(struct rx *rx)
{
	smtp_dots_in_init(&rx->content.dots, is_normalising(rx));
	begin(&rx->content);
}

void
rx_chunks_begin(struct rx *rx)
{
	smtp_dots_in_init_chunks(&rx->content.dots, is_normalising(rx));
	begin(&rx->content);
	rx->mail.has_chunks = true;
}

/* The first reason counts; the rest of the content is then thrown away. */
void
rx_body_refuse(struct rx *rx, enum rx_reply_id why)
{
	if (rx->content.refusal == RX_REPLY_NONE)
		rx->content.refusal = why;
}

/* Only what was un-stuffed, and each octet once. */
static void
look_at_header(struct rx *rx, struct span added)
{
	struct rx_content *c = &rx->content;
	const struct header_names *names;
	size_t n = header_scan_feed(&c->header, added);

	added = span_sub(added, 0, n);
	trace_scan_feed(&c->trace, span_str(rx->site->conf->hostname), added);
	tls_field_feed(&c->tls_field, added);
	if (rx->site->routes == NULL)
		return;
	names = route_table_headers(rx->site->routes);
	if (names->n > 0)
		header_notes_feed(&c->notes, names, added);
}

/* Looks at what one feed added to the content. */
static void
judge(struct rx *rx, struct buf *body, size_t before)
{
	struct rx_content *c = &rx->content;
	const struct conf *conf = rx->site->conf;

	if (rx->door.needs_auth)
		submit_head_edit(&c->submitted, body, before,
		    c->dots.is_end || (rx->state == RX_IN_CHUNK &&
		    rx->chunk.is_ended));
	/* first of all: the rest may have been judged by bytes that aren't
	 * there */
	if (buf_failed(body) || buf_failed(&c->notes.notes)) {
		rx_body_refuse(rx, RX_REPLY_NO_ROOM);
		return;
	}
	if (!c->header.is_done)
		look_at_header(rx, span_from(buf_span(body), before));
	rx_utf8_feed(rx, span_from(buf_span(body), before));
	if (c->dots.bytes > conf->limits.message_bytes)
		rx_body_refuse(rx, RX_REPLY_TOO_LARGE);
	else if (c->header.received > conf->limits.hops ||
	    c->trace.own >= conf->limits.own_hops)
		rx_body_refuse(rx, RX_REPLY_CONTENT_LOOP);
	else if (!rx->mail.is_binary &&
	    (c->dots.has_bare_cr || c->dots.has_bare_lf) &&
	    conf->content.bare_newline == CONF_NEWLINE_REFUSE)
		rx_body_refuse(rx, RX_REPLY_CONTENT_BARE);
}

/* The transaction is over when content was refused, but not when it was whole:
 * the message is the driver's to look at until rx_submitted(). */
static enum rx_act
finish(struct rx *rx, struct buf *out)
{
	enum rx_reply_id refusal = rx->content.refusal;

	header_notes_end(&rx->content.notes);
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

/* ---- chunks ---- */

bool
rx_chunk_is_too_much(const struct rx *rx, uint64_t bytes)
{
	uint64_t limit = rx->site->conf->limits.message_bytes + ENDLESS_SLACK;

	return bytes / 2 > limit ||
	    (rx->content.raw_bytes + bytes) / 2 > limit;
}

static enum rx_act
end_chunk(struct rx *rx, struct buf *out)
{
	const struct rx_chunk *k = &rx->chunk;

	if (k->refusal != RX_REPLY_NONE) {
		rx_enter(rx, k->back);
		rx_answer(rx, k->refusal, out);
		return RX_REFUSED;
	}
	if (k->is_last || rx->content.refusal != RX_REPLY_NONE)
		return finish(rx, out);
	rx_enter(rx, RX_CHUNKS);
	rx_fill_u64(rx, k->bytes);
	return rx_answer(rx, RX_REPLY_CHUNK_OK, out) ? RX_REFUSED : RX_READ;
}

/* Called once more without input when the last of it brought a refusal. */
enum rx_act
rx_chunk_step(struct rx *rx, struct span in, size_t *taken, struct buf *body,
    struct buf *out)
{
	struct rx_content *c = &rx->content;
	struct rx_chunk *k = &rx->chunk;
	bool is_wanted = k->refusal == RX_REPLY_NONE &&
	    c->refusal == RX_REPLY_NONE && !k->is_ended;
	size_t n = in.n < k->left ? in.n : (size_t)k->left;
	size_t before = body->n;

	*taken += n;
	k->left -= n;
	c->raw_bytes += n;
	if (is_wanted) {
		(void)smtp_dots_in_feed(&c->dots, span_sub(in, 0, n), body);
		k->is_ended = k->is_last && k->left == 0;
		/* RFC 3030 section 3: no octet is added to binary content */
		if (k->is_ended && !rx->mail.is_binary)
			smtp_dots_in_end_chunks(&c->dots, body);
		judge(rx, body, before);
		if (c->refusal != RX_REPLY_NONE) {
			rx->mail.has_chunks = false;
			return RX_DROP;
		}
	}
	return k->left > 0 ? RX_READ : end_chunk(rx, out);
}
