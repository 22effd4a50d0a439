/*
 * SMTPUTF8 towards a next hop, RFC 6531 3.4 to 3.6: said where the message
 * needs it and nowhere else.  It needs it for its sender, for a header, or for
 * recipients; the last are refused alone where the host lacks it.
 *
 * An address of which only the domain is beyond ASCII has an ASCII name, which
 * any host takes.
 */
#include "deliverd/engine/tx_utf8.h"

#include "common/base/utf8.h"
#include "common/mail/envelope.h"
#include "common/mail/orcpt.h"
#include "common/route/route_ascii.h"

#define NEEDS "needs SMTPUTF8, which the host does not offer"

static void
settle(struct tx_mail *m, struct tx_rcpt *r, const char *text)
{
	struct tx_finding f = {
		.outcome = TX_FAILED, .stage = TX_STAGE_MAIL,
		.status = STATUS(5, 6, 7), .text = span_str(text),
	};

	if (r != NULL)
		tx_mail_settle(m, r, &f);
	else
		tx_mail_settle_open(m, &f);
}

/* RFC 6531 3.5: returned where it can't be said in another way. */
static void
check_address(struct tx_mail *m, struct tx_rcpt *r, struct span address)
{
	const struct tx_finding later = {
		.outcome = TX_DEFERRED, .stage = TX_STAGE_MAIL,
		.status = STATUS(4, 3, 0), .text = SPAN_LIT("out of memory"),
	};
	char room[ROUTE_ASCII_SIZE];

	switch (route_ascii(address, room, &address)) {
	case OK:
		break;
	case ERR_NOMEM:
		tx_mail_settle_open(m, &later);
		break;
	default:
		settle(m, r, r != NULL ? "the recipient's address " NEEDS :
		    "the sender's address " NEEDS);
	}
}

void
tx_utf8_refuse(struct tx *t, struct tx_mail *m)
{
	if (!m->is_utf8 || smtp_ext_has(&t->ext, SMTP_EXT_SMTPUTF8))
		return;
	check_address(m, NULL, m->sender);
	if (m->has_utf8_header)
		settle(m, NULL, "the header of the message " NEEDS);
	for (uint32_t i = 0; i < m->rcpt_count; i++)
		check_address(m, &m->rcpts[i], m->rcpts[i].address);
}

bool
tx_utf8_is_said(const struct tx *t, const struct tx_mail *m)
{
	if (!m->is_utf8 || !smtp_ext_has(&t->ext, SMTP_EXT_SMTPUTF8))
		return false;
	if (m->has_utf8_header || !utf8_is_ascii(m->sender))
		return true;
	for (uint32_t i = 0; i < m->rcpt_count; i++)
		if (m->rcpts[i].progress == TX_RCPT_AWAITED &&
		    !utf8_is_ascii(m->rcpts[i].address))
			return true;
	return false;
}

/* What has no such name was refused before. */
void
tx_utf8_put_address(const struct tx_mail *m, struct span address,
    struct buf *out)
{
	char room[ROUTE_ASCII_SIZE];

	if (m->says_utf8 || route_ascii(address, room, &address) == OK)
		buf_add_span(out, address);
	else
		out->is_failed = true;
}

/* One that has become too long would be refused, and the recipient with it. */
void
tx_utf8_put_orcpt(const struct tx_mail *m, struct span orcpt, struct buf *out)
{
	size_t before = out->n, at;

	if (orcpt.n == 0)
		return;
	buf_add_str(out, " ORCPT=");
	at = out->n;
	if (m->says_utf8)
		buf_add_span(out, orcpt);
	else
		orcpt_add_ascii(orcpt, out);
	if (!buf_failed(out) && out->n - at > ENVELOPE_ORCPT_MAX)
		out->n = before;
}
