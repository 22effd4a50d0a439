/*
 * FUTURERELEASE (RFC 4865).  Inside the engine.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_HOLD_H
#define MTAD_SMTPD_ENGINE_RX_HOLD_H

#include "smtpd/engine/rx_params.h"

/* The row of EHLO: RFC 4865 4.2 2), where mail is submitted and nowhere else. */
bool rx_hold_is_offered(const struct rx *rx);
void rx_hold_write(const struct rx *rx, struct buf *out);

/* One of its two parameters. */
bool rx_hold_is_param(enum smtp_param_id id);

/* HOLDFOR and HOLDUNTIL of MAIL. */
enum rx_reply_id rx_hold_for(struct rx *rx, const struct smtp_param *p,
    struct rx_params *out);
enum rx_reply_id rx_hold_moment(struct rx *rx, const struct smtp_param *p,
    struct rx_params *out);

#endif
