/*
 * A server's octets: replies and their extensions, at once and octet by
 * octet; what is kept is printable.
 */
#include "common/base/check.h"
#include "common/smtp/smtp_ext.h"
#include "common/smtp/smtp_reply.h"
#include "common/smtp/smtp_response.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_text(const struct smtp_response *r)
{
	struct smtp_ext ext;
	struct buf line;

	MUST(r->code >= 200 && r->code <= 599);
	MUST(r->status.class == 0 || r->status.class == r->code / 100);
	for (size_t i = 0; i < r->text.n; i++)
		MUST(r->text.p[i] == '\n' ||
		    (r->text.p[i] >= 0x20 && r->text.p[i] < 0x7f));
	smtp_ext_parse(buf_span(&r->text), &ext);
	buf_init(&line, r->text.n + 16);
	smtp_response_line(r, &line);
	MUST(!buf_failed(&line));
	buf_clear(&line);
}

/* Appends what the replies say; returns how the stream ended. */
static enum err
run(struct span in, size_t step, struct buf *out)
{
	struct smtp_response r;
	enum err e = ERR_AGAIN;
	size_t at = 0;

	smtp_response_init(&r);
	while (at < in.n) {
		e = smtp_response_feed(&r, span_sub(in, at, step), &at);
		if (e == ERR_PEER)
			break;
		if (e == OK) {
			check_text(&r);
			buf_add_span(out, buf_span(&r.text));
			buf_add_byte(out, '|');
			smtp_response_reset(&r);
		}
	}
	smtp_response_clear(&r);
	return e;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf whole, pieces;

	buf_init(&whole, 2 * n + 64);
	buf_init(&pieces, 2 * n + 64);
	MUST(run(span_of(p, n), n, &whole) ==
	    run(span_of(p, n), 1, &pieces));
	MUST(span_equal(buf_span(&whole), buf_span(&pieces)));
	/* our own replies are ones that we can read */
	buf_reset(&whole);
	smtp_reply_add(&whole, 250, "2.0.0", span_of(p, n));
	buf_reset(&pieces);
	if (n < 9000)
		MUST(run(buf_span(&whole), 7, &pieces) == OK ||
		    buf_failed(&whole));
	buf_clear(&whole);
	buf_clear(&pieces);
	return 0;
}
