/*
 * SMTPUTF8 (RFC 6531).  Inside the engine.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_UTF8_H
#define MTAD_SMTPD_ENGINE_RX_UTF8_H

#include "common/smtp/smtp_path.h"
#include "smtpd/engine/rx_params.h"

/* The parameter of MAIL. */
enum rx_reply_id rx_utf8_take(struct rx *rx, const struct smtp_param *p,
    struct rx_params *out);

/* smtp_path_from(); *IS_UTF8: good only if the parameter is given. */
enum smtp_path_fault rx_utf8_sender(struct span argument, unsigned flags,
    bool *is_utf8, struct smtp_path *path);

/* Looks at content as it comes. */
void rx_utf8_feed(struct rx *rx, struct span content);

/* enum envelope_flag: what was asked for, and what needs it */
uint32_t rx_utf8_flags(const struct rx *rx);

#endif
