/* DATA, RFC 5321 4.1.1.4; what follows 354 is rx_body's */
#include "smtpd/engine/rx_impl.h"
#include "smtpd/engine/rx_verbs.h"

enum rx_reply_id
rx_do_data(struct rx *rx, const struct smtp_command *c)
{
	(void)c;
	rx_body_begin(rx);
	rx_enter(rx, RX_IN_CONTENT);
	return RX_REPLY_GO_AHEAD;
}
