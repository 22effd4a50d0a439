/*
 * DATA, RFC 5321 4.1.1.4; what follows 354 is rx_body's.
 *
 * That there is a recipient is seen to by the table: RX_RCPT is entered with
 * the first one that was accepted, and DATA is allowed in no other state.
 */
#include "smtpd/engine/rx_impl.h"
#include "smtpd/engine/rx_verbs.h"

enum rx_reply_id
rx_do_data(struct rx *rx, const struct smtp_command *c)
{
	(void)c;
	if (rx->mail.refusal != RX_REPLY_NONE)
		return rx->mail.refusal;
	rx_body_begin(rx);
	rx_enter(rx, RX_IN_CONTENT);
	return RX_REPLY_GO_AHEAD;
}
