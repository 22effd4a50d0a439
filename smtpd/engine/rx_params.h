/*
 * ESMTP parameters behind a path, RFC 5321 4.1.1.11.  Inside the engine.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_PARAMS_H
#define MTAD_SMTPD_ENGINE_RX_PARAMS_H

#include "common/mail/envelope.h"
#include "common/smtp/smtp_command.h"
#include "common/smtp/smtp_params.h"
#include "smtpd/engine/rx_reply.h"

struct rx;

/* What they say; spans borrow the line. */
struct rx_params {
	uint64_t size;
	int8_t priority;
	bool said_8bit;
	bool is_utf8;
	bool is_binary;
	bool requires_tls;
	int64_t hold_until;		/* wall; 0: none */
	uint8_t hold_asked_n;
	char hold_asked[ENVELOPE_HOLD_ASKED_MAX];	/* for;60 */
	int64_t by_at;			/* wall */
	uint8_t by;			/* enum envelope_by; 0: none */
	uint8_t ret;			/* enum envelope_ret */
	uint8_t notify;			/* enum envelope_notify */
	struct span envid, orcpt;	/* as given; empty: none */
};

/* All of TEXT, which stood behind VERB's path. */
enum rx_reply_id rx_params_take(struct rx *rx, enum smtp_verb verb,
    struct span text, struct rx_params *out);

/* RFC 3461 section 4 */
enum rx_reply_id rx_dsn_ret(struct rx *rx, const struct smtp_param *p,
    struct rx_params *out);
enum rx_reply_id rx_dsn_envid(struct rx *rx, const struct smtp_param *p,
    struct rx_params *out);
enum rx_reply_id rx_dsn_notify(struct rx *rx, const struct smtp_param *p,
    struct rx_params *out);
enum rx_reply_id rx_dsn_orcpt(struct rx *rx, const struct smtp_param *p,
    struct rx_params *out);

#endif
