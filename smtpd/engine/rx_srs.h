/*
 * Recipients whose address is a rewritten sender (routes[].srs): keyd says
 * whose it was, and that one becomes the recipient.  That it is ours is all the
 * permission it needs: a report comes from strangers.
 *
 * RX_ASK says that a question is due, as with rx_auth.h.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_SRS_H
#define MTAD_SMTPD_ENGINE_RX_SRS_H

#include "smtpd/engine/rx_auth.h"

/* False: RX_ASK is about AUTH.  ADDRESS is borrowed until the answer. */
bool rx_srs_question(const struct rx *rx, struct span *address);

/* GOOD: ADDRESS is the recipient; BAD: we did not make it, or it is too old.
 * True: it was refused.  Nothing happens when none is due any more. */
bool rx_srs_answered(struct rx *rx, enum rx_verdict verdict,
    struct span address, struct buf *out);

#endif
