/*
 * XCLIENT: the client is another from now on, for trust, limits, gate, trace
 * and log; the dialogue begins anew, with the greeting as its reply.
 *
 * Who may say it was decided when it connected (listeners[].xclient), by the
 * address that it has itself; having become another takes nothing from that.
 * LOGIN is logged and gives no right: the password was shown to somebody else.
 * A user of this server that has authenticated is not the one it speaks for, and
 * is forgotten; as is, behind STARTTLS, all that was said in clear (RFC 3207
 * 4.2).
 */
#include "smtpd/engine/rx_impl.h"
#include "smtpd/engine/rx_verbs.h"

#include "smtpd/engine/rx_rules.h"

#include <stdlib.h>

/* Of what is not given nothing changes; what is not known is nobody. */
static void
become(struct rx *rx, const struct smtp_xclient *x)
{
	static const struct ipaddr nobody;
	const unsigned given = x->given;

	if ((given & 1U << SMTP_XCLIENT_ADDR) != 0)
		rx->client = smtp_xclient_has(x, SMTP_XCLIENT_ADDR) ?
		    x->client.addr : nobody;
	if (smtp_xclient_has(x, SMTP_XCLIENT_PROTO))
		rx->is_esmtp = x->is_esmtp;
	rx->helo_n = 0;
	if (smtp_xclient_has(x, SMTP_XCLIENT_HELO)) {
		memcpy(rx->helo, x->helo.text, x->helo.n);
		rx->helo_n = x->helo.n;
	}
	rx->user_n = 0;
	rx->is_trusted = rx_rules_is_trusted(rx->site, &rx->client);
	rx->is_changed = true;
}

void
rx_xclient_forget(struct rx *rx)
{
	if (rx->xclient == NULL)
		return;
	free(rx->xclient);
	rx->xclient = NULL;
	rx->client = rx->peer;
	rx->is_trusted = rx_rules_is_trusted(rx->site, &rx->client);
	rx->is_changed = true;
}

enum rx_reply_id
rx_do_xclient(struct rx *rx, const struct smtp_command *c)
{
	struct smtp_xclient x;
	const char *why;

	if (!rx->door.may_xclient)
		return RX_REPLY_XCLIENT_DENIED;
	if (smtp_xclient_parse(c->argument, &x, &why) != OK) {
		rx_fill(rx, span_str(why));
		return RX_REPLY_XCLIENT_SYNTAX;
	}
	if (rx->xclient == NULL)
		rx->xclient = calloc(1, sizeof(*rx->xclient));
	if (rx->xclient == NULL)
		return RX_REPLY_XCLIENT_MEMORY;
	smtp_xclient_merge(rx->xclient, &x);
	rx_forget(rx);
	become(rx, &x);
	rx_enter(rx, rx->helo_n > 0 ? RX_READY : RX_START);
	return RX_REPLY_GREETING;
}

const struct ipaddr *
rx_client(const struct rx *rx)
{
	return &rx->client;
}

const struct smtp_xclient *
rx_xclient(const struct rx *rx)
{
	return rx->xclient;
}
