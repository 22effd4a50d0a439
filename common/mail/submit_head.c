#include "common/mail/submit_head.h"

#include "common/base/text.h"

enum state {
	AT_NAME,		/* held is the beginning of a line */
	IN_KEPT, IN_DROPPED,	/* behind a name, to the end of its line */
	BEHIND_KEPT, BEHIND_DROPPED, /* a blank there goes on with it */
};

void
submit_head_init(struct submit_head *h)
{
	*h = (struct submit_head){ .state = BEHIND_KEPT };
}

static void
keep_held(struct submit_head *h, struct buf *out)
{
	buf_add(out, h->held, h->held_n);
	h->held_n = 0;
}

/* Blanks before the colon are obsolete and accepted (RFC 5322 4.5). */
static bool
is_named(const struct submit_head *h, struct span name)
{
	struct span s = span_of(h->held, h->held_n);

	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return span_equal_nocase(s, name);
}

/* At the colon. */
static void
judge(struct submit_head *h, struct buf *out)
{
	if (is_named(h, SPAN_LIT("Bcc"))) {
		h->removed += h->held_n + 1u;
		h->held_n = 0;
		h->state = IN_DROPPED;
		return;
	}
	h->has_date = h->has_date || is_named(h, SPAN_LIT("Date"));
	h->has_message_id = h->has_message_id ||
	    is_named(h, SPAN_LIT("Message-ID"));
	keep_held(h, out);
	buf_add_byte(out, ':');
	h->state = IN_KEPT;
}

static bool
is_empty_line(const struct submit_head *h)
{
	return h->held_n == 0 || (h->held_n == 1 && h->held[0] == '\r');
}

static void
take_name(struct submit_head *h, uint8_t c, struct buf *out)
{
	if (c == ':') {
		judge(h, out);
		return;
	}
	if (c == '\n') {
		/* the line that ends a header, or one that is no field */
		h->is_done = is_empty_line(h);
		keep_held(h, out);
		buf_add_byte(out, c);
		h->state = BEHIND_KEPT;
		return;
	}
	if (h->held_n == SUBMIT_HEAD_HELD) {
		keep_held(h, out);
		buf_add_byte(out, c);
		h->state = IN_KEPT;
		return;
	}
	h->held[h->held_n++] = c;
}

static void
take(struct submit_head *h, uint8_t c, struct buf *out)
{
	const bool is_blank = c == ' ' || c == '\t';

	switch (h->state) {
	case BEHIND_KEPT:
		h->state = is_blank ? IN_KEPT : AT_NAME;
		break;
	case BEHIND_DROPPED:
		h->state = is_blank ? IN_DROPPED : AT_NAME;
		break;
	default:
		break;
	}
	switch (h->state) {
	case AT_NAME:
		take_name(h, c, out);
		break;
	case IN_KEPT:
		buf_add_byte(out, c);
		if (c == '\n')
			h->state = BEHIND_KEPT;
		break;
	default:
		h->removed++;
		if (c == '\n')
			h->state = BEHIND_DROPPED;
		break;
	}
}

/* The new bytes are copied out, for what comes back may be more: what was
 * held. */
void
submit_head_edit(struct submit_head *h, struct buf *body, size_t before,
    bool is_last)
{
	struct buf bytes;
	size_t i = 0;

	if (h->is_done || buf_failed(body))
		return;
	buf_init(&bytes, body->n - before + 1);
	buf_add(&bytes, body->p + before, body->n - before);
	if (buf_failed(&bytes)) {
		body->is_failed = true;
		return;
	}
	body->n = before;
	while (i < bytes.n && !h->is_done)
		take(h, bytes.p[i++], body);
	buf_add(body, bytes.p + i, bytes.n - i);
	if (is_last && !h->is_done) {
		keep_held(h, body);
		h->is_done = true;
	}
	buf_clear(&bytes);
}
