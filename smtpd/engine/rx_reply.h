/*
 * The texts of rx_replies.def as bytes on the wire.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_REPLY_H
#define MTAD_SMTPD_ENGINE_RX_REPLY_H

#include "common/base/buf.h"

enum rx_reply_id {
	RX_REPLY_NONE,		/* no reply yet: go on */
#define PLAIN(name, code, text) RX_REPLY_##name,
#define REPLY(name, code, status, text) RX_REPLY_##name,
#define FILLED(name, code, status, text) RX_REPLY_##name,
#include "smtpd/engine/rx_replies.def"
#undef FILLED
#undef REPLY
#undef PLAIN
	RX_REPLY_COUNT
};

unsigned rx_reply_code(enum rx_reply_id id);

/* "5.7.1"; "" for those that have none. */
const char *rx_reply_status(enum rx_reply_id id);

/* Appends the reply; HOST and FILL go where its text says so, made harmless
 * and cut to SMTP_REPLY_LINE_MAX. */
void rx_reply_add(enum rx_reply_id id, struct span host, struct span fill,
    struct buf *out);

#endif
