/*
 * RCPT between its two files: rx_rcpt decides, rx_srs has it wait for keyd.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_RCPT_H
#define MTAD_SMTPD_ENGINE_RX_RCPT_H

#include "smtpd/engine/rx_impl.h"

/* A recipient that may be taken: RX_REPLY_RCPT_OK, or why not. */
enum rx_reply_id rx_rcpt_add(struct rx *rx, const struct address *address,
    const struct rx_params *params);

/* rx_srs: whether it is a sender that was rewritten under a domain of ours, and
 * the question for whose it was; NONE: the answer to RCPT is due later. */
bool rx_srs_is_it(const struct rx *rx, const struct address *address);
enum rx_reply_id rx_srs_begin(struct rx *rx, const struct address *address,
    const struct rx_params *params);

#endif
