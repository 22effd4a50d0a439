/*
 * STARTTLS, RFC 3207.
 *
 * Whatever was said in clear may have been put there by somebody else: what
 * came behind the command is never executed (section 6, CVE-2011-0411), and
 * with TLS the dialogue begins again as if just greeted, but for the counts of
 * mistakes.  There is no way back to clear text: after a failed handshake the
 * driver has nothing left but to close.
 */
#include "common/base/check.h"
#include "smtpd/engine/rx_impl.h"
#include "smtpd/engine/rx_verbs.h"

/* The refusals leave all as it was, but the one of bytes that are there
 * already: they can be neither commands nor TLS. */
enum rx_reply_id
rx_do_starttls(struct rx *rx, const struct smtp_command *c)
{
	(void)c;
	if (rx->door.is_tls)
		return RX_REPLY_TLS_ALREADY;
	if (!rx->door.may_tls)
		return RX_REPLY_NOT_OFFERED;
	if (rx->has_more) {
		rx_forget(rx);
		rx_enter(rx, RX_CLOSED);
		return RX_REPLY_TLS_EARLY;
	}
	if (!rx->site->has_signer)
		return RX_REPLY_TLS_AWAY;
	rx_forget(rx);
	rx_enter(rx, RX_HANDSHAKE);
	return RX_REPLY_TLS_READY;
}

void
rx_secured(struct rx *rx)
{
	rx->door.is_tls = true;
	rx->door.may_tls = false;
	/* for implicit TLS the dialogue has not begun */
	if (rx->state != RX_HANDSHAKE)
		return;
	rx_enter(rx, RX_START);
	rx_xclient_forget(rx);
	rx->helo_n = 0;
	rx->is_esmtp = false;
}
