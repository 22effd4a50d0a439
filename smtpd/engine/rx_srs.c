#include "smtpd/engine/rx_srs.h"

#include "common/mail/srs.h"
#include "smtpd/engine/rx_impl.h"
#include "smtpd/engine/rx_rcpt.h"
#include "smtpd/engine/rx_rules.h"

#include <stdlib.h>

/* What the line has said, which is gone when the answer comes. */
struct rx_srs {
	bool is_asking;
	enum rx_state back;
	uint8_t notify;
	uint16_t path_n, orcpt_n;
	char path[SMTP_PATH_MAX];	/* <address>: for the log, too */
	char orcpt[ENVELOPE_ORCPT_MAX];
};

bool
rx_srs_is_it(const struct rx *rx, const struct address *address)
{
	const struct conf_routes *routes = &rx->site->conf->routes;

	if (!srs_is_it(address->local))
		return false;
	for (size_t i = 0; i < routes->n; i++)
		if (span_equal_nocase(address->domain,
		    span_str(routes->v[i].srs)))
			return true;
	return false;
}

/* RX_REPLY_NONE: keyd is asked.  Its memory is the session's from the first
 * such recipient on. */
enum rx_reply_id
rx_srs_begin(struct rx *rx, const struct address *address,
    const struct rx_params *params)
{
	struct rx_srs *q = rx->srs != NULL ? rx->srs : calloc(1, sizeof(*q));
	char text[ENVELOPE_ORCPT_MAX + 1];

	if (q == NULL)
		return RX_REPLY_RCPT_SRS_LATER;
	rx->srs = q;
	if (address->text.n + 2 > sizeof(q->path) ||
	    !span_copy(params->orcpt, text, sizeof(text)))
		return RX_REPLY_RCPT_SRS;
	q->path[0] = '<';
	memcpy(q->path + 1, address->text.p, address->text.n);
	q->path[address->text.n + 1] = '>';
	q->path_n = (uint16_t)(address->text.n + 2);
	memcpy(q->orcpt, text, params->orcpt.n);
	q->orcpt_n = (uint16_t)params->orcpt.n;
	q->notify = params->notify;
	q->back = rx->state;
	q->is_asking = true;
	rx_enter(rx, RX_ASKING);
	return RX_REPLY_NONE;
}

bool
rx_srs_question(const struct rx *rx, struct span *address)
{
	const struct rx_srs *q = rx->srs;

	if (q == NULL || !q->is_asking)
		return false;
	*address = span_of(q->path + 1, q->path_n - 2U);
	return true;
}

static enum rx_reply_id
take(struct rx *rx, enum rx_verdict verdict, struct span text)
{
	const struct rx_srs *q = rx->srs;
	const struct rx_params params = { .notify = q->notify,
	    .orcpt = span_of(q->orcpt, q->orcpt_n) };
	struct address a;

	if (verdict == RX_VERDICT_LATER)
		return RX_REPLY_RCPT_SRS_LATER;
	/* one beyond ASCII needs SMTPUTF8 (RFC 6531), as any other */
	if (verdict == RX_VERDICT_BAD || address_parse(text,
	    ADDRESS_UNDERSCORE | (rx->mail.is_utf8 ? ADDRESS_UTF8 : 0),
	    &a) != OK)
		return RX_REPLY_RCPT_SRS;
	return rx_rcpt_add(rx, &a, &params);
}

bool
rx_srs_answered(struct rx *rx, enum rx_verdict verdict, struct span address,
    struct buf *out)
{
	struct rx_srs *q = rx->srs;
	enum rx_reply_id reply;
	bool is_refused;

	if (q == NULL || !q->is_asking || rx->state != RX_ASKING)
		return false;
	q->is_asking = false;
	rx_enter(rx, q->back);
	rx->last.argument = span_of(q->path, q->path_n);
	reply = take(rx, verdict, address);
	if (reply != RX_REPLY_RCPT_OK)
		rx->mail.rcpt_refused++;
	is_refused = rx_answer(rx, reply, out);
	if (rx->is_draining)
		rx_close(rx, RX_CLOSE_STOPPING, out);
	return is_refused;
}
