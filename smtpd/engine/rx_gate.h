/*
 * What others say of the client: lists in the DNS, the name of its address.
 *
 * The driver asks, while the dialogue goes on; behind MAIL it waits for the
 * answers.  They decide about recipients, so that the postmaster of this host
 * can be written to in any case (RFC 5321 4.5.1), and about strangers alone.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_GATE_H
#define MTAD_SMTPD_ENGINE_RX_GATE_H

#include "smtpd/engine/rx.h"

enum rx_gate {
	RX_GATE_OPEN,		/* nothing is known against it */
	RX_GATE_ASKING,		/* rx_step() says RX_WAIT behind MAIL */
	RX_GATE_LISTED,		/* 550 5.7.1 for each recipient */
	RX_GATE_NAMELESS,	/* 550 5.7.25 (RFC 7372) */
};

/* TEXT is what the reply says; borrowed as long as the dialogue lives. */
void rx_set_gate(struct rx *rx, enum rx_gate gate, struct span text);

/* Waits for the answers, and for nothing else. */
bool rx_is_asking(const struct rx *rx);

#endif
