/*
 * ESMTP parameters of MAIL and RCPT, RFC 5321 4.1.1.11.
 *
 * smtp_params_next() splits them, refuses what is given twice, and names those
 * that SMTP knows; this table says which of them are offered, and for which
 * verb.  An extension of RCPT gets a row here, too.
 */
#include "smtpd/engine/rx_params.h"

#include "smtpd/engine/rx_by.h"
#include "smtpd/engine/rx_hold.h"
#include "smtpd/engine/rx_auth_impl.h"
#include "smtpd/engine/rx_impl.h"
#include "smtpd/engine/rx_utf8.h"

typedef enum rx_reply_id take_fn(struct rx *rx, const struct smtp_param *p,
    struct rx_params *out);

struct row {
	enum smtp_verb verb;	/* the command it belongs to */
	take_fn *take;
};

/* RFC 1870 section 6.1 */
static enum rx_reply_id
take_size(struct rx *rx, const struct smtp_param *p, struct rx_params *out)
{
	uint64_t size;

	if (smtp_params_size(p, &size) != OK)
		return RX_REPLY_PARAM_SIZE;
	out->size = size;
	if (size > rx->site->conf->limits.message_bytes) {
		rx_fill_u64(rx, rx->site->conf->limits.message_bytes);
		return RX_REPLY_TOO_LARGE;
	}
	return RX_REPLY_NONE;
}

/* RFC 6152 section 2, RFC 3030 section 3 */
static enum rx_reply_id
take_body(struct rx *rx, const struct smtp_param *p, struct rx_params *out)
{
	enum smtp_body body;

	(void)rx;
	if (smtp_params_body(p, &body) != OK)
		return RX_REPLY_PARAM_BODY;
	out->said_8bit = body != SMTP_BODY_7BIT;
	out->is_binary = body == SMTP_BODY_BINARYMIME;
	return RX_REPLY_NONE;
}

/* RFC 8689 section 2: offered inside TLS only, and without a value. */
static enum rx_reply_id
take_require_tls(struct rx *rx, const struct smtp_param *p,
    struct rx_params *out)
{
	if (!rx->door.is_tls)
		return RX_REPLY_PARAM_UNKNOWN;
	if (p->has_value)
		return RX_REPLY_PARAM_SYNTAX;
	out->requires_tls = true;
	return RX_REPLY_NONE;
}

/* RFC 6710 section 4.1.  A stranger's mail is as urgent as any, so he is not
 * offered it. */
static enum rx_reply_id
take_priority(struct rx *rx, const struct smtp_param *p,
    struct rx_params *out)
{
	if (!rx->is_trusted)
		return RX_REPLY_PARAM_UNKNOWN;
	return smtp_params_priority(p, &out->priority) == OK ?
	    RX_REPLY_NONE : RX_REPLY_PARAM_PRIORITY;
}

/* Those that are offered; another one is unknown to us: 555. */
static const struct row rows[SMTP_PARAM_COUNT] = {
	[SMTP_PARAM_SIZE] = { SMTP_VERB_MAIL, take_size },
	[SMTP_PARAM_BODY] = { SMTP_VERB_MAIL, take_body },
	[SMTP_PARAM_RET] = { SMTP_VERB_MAIL, rx_dsn_ret },
	[SMTP_PARAM_ENVID] = { SMTP_VERB_MAIL, rx_dsn_envid },
	[SMTP_PARAM_NOTIFY] = { SMTP_VERB_RCPT, rx_dsn_notify },
	[SMTP_PARAM_ORCPT] = { SMTP_VERB_RCPT, rx_dsn_orcpt },
	[SMTP_PARAM_AUTH] = { SMTP_VERB_MAIL, rx_auth_take },
	[SMTP_PARAM_SMTPUTF8] = { SMTP_VERB_MAIL, rx_utf8_take },
	[SMTP_PARAM_REQUIRETLS] = { SMTP_VERB_MAIL, take_require_tls },
	[SMTP_PARAM_BY] = { SMTP_VERB_MAIL, rx_by_take },
	[SMTP_PARAM_HOLDFOR] = { SMTP_VERB_MAIL, rx_hold_for },
	[SMTP_PARAM_HOLDUNTIL] = { SMTP_VERB_MAIL, rx_hold_moment },
	[SMTP_PARAM_MT_PRIORITY] = { SMTP_VERB_MAIL, take_priority },
};

enum rx_reply_id
rx_params_take(struct rx *rx, enum smtp_verb verb, struct span text,
    struct rx_params *out)
{
	struct smtp_params params;
	struct smtp_param p;
	enum rx_reply_id reply;
	enum err e;

	/* RFC 5321 2.2.1: no extension without EHLO */
	if (text.n > 0 && !rx->is_esmtp)
		return RX_REPLY_PARAM_HELO;
	smtp_params_init(&params, text);
	while ((e = smtp_params_next(&params, &p)) == OK) {
		if (rows[p.id].take == NULL || rows[p.id].verb != verb)
			return RX_REPLY_PARAM_UNKNOWN;
		reply = rows[p.id].take(rx, &p, out);
		if (reply != RX_REPLY_NONE)
			return reply;
	}
	if (e == ERR_EXISTS)
		return rx_hold_is_param(params.twice) ?
		    RX_REPLY_PARAM_HOLD_TWICE : RX_REPLY_PARAM_TWICE;
	if (e != ERR_NOT_FOUND)
		return RX_REPLY_PARAM_SYNTAX;
	return rx_by_is_in_vain(out) ? RX_REPLY_BY_IN_VAIN : RX_REPLY_NONE;
}
