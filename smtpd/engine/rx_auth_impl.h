/*
 * AUTH inside the engine.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_AUTH_IMPL_H
#define MTAD_SMTPD_ENGINE_RX_AUTH_IMPL_H

#include "smtpd/engine/rx_auth.h"
#include "smtpd/engine/rx_impl.h"

#define RX_AUTH_LINE_MAX 12290	/* RFC 4954 section 4, and CR LF */

/* Whether EHLO offers it now, and with what. */
bool rx_auth_is_offered(const struct rx *rx);
void rx_auth_write(const struct rx *rx, struct buf *out);

/* Why not; RX_REPLY_NONE when it is. */
enum rx_reply_id rx_auth_refusal(const struct rx *rx);

/* A line of the client in the exchange; LINE without CR LF. */
enum rx_act rx_auth_line(struct rx *rx, struct span line, struct buf *out);

/* The 334 that is due. */
void rx_auth_challenge(struct rx *rx, struct buf *out);

/* Ends the exchange, if there is one, and wipes it. */
void rx_auth_end(struct rx *rx);

/* AUTH= of MAIL, RFC 4954 section 5 */
enum rx_reply_id rx_auth_take(struct rx *rx, const struct smtp_param *p,
    struct rx_params *out);

#endif
