#include "smtpd/engine/rx_gate.h"

#include "smtpd/engine/rx_impl.h"

void
rx_set_gate(struct rx *rx, enum rx_gate gate, struct span text)
{
	rx->gate = gate;
	rx->gate_text = text;
}

/* Who became trusted meanwhile, by a reload, need not wait. */
bool
rx_is_asking(const struct rx *rx)
{
	return rx->gate == RX_GATE_ASKING && rx->state == RX_MAIL &&
	    !rx->is_trusted;
}

bool
rx_is_held(const struct rx *rx)
{
	return rx->pause_ms > 0 || rx_is_asking(rx);
}

/* RX_REPLY_NONE, or why this recipient is not taken from the client. */
enum rx_reply_id
rx_ask_gate(struct rx *rx)
{
	static const enum rx_reply_id replies[] = {
		[RX_GATE_OPEN] = RX_REPLY_NONE,
		[RX_GATE_ASKING] = RX_REPLY_NONE,
		[RX_GATE_LISTED] = RX_REPLY_RCPT_LISTED,
		[RX_GATE_NAMELESS] = RX_REPLY_RCPT_NAMELESS,
	};

	if (rx->is_trusted)
		return RX_REPLY_NONE;
	rx_fill(rx, rx->gate_text);
	return replies[rx->gate];
}
