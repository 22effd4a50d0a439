/*
 * DELIVERBY (RFC 2852).  Inside the engine.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_BY_H
#define MTAD_SMTPD_ENGINE_RX_BY_H

#include "smtpd/engine/rx_params.h"

/* BY of MAIL. */
enum rx_reply_id rx_by_take(struct rx *rx, const struct smtp_param *p,
    struct rx_params *out);

/* Its time is over before it may leave. */
bool rx_by_is_in_vain(const struct rx_params *p);

#endif
