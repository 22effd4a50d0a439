/*
 * What a dialogue keeps of the message that is being sent; inside the engine.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_TRANSACTION_H
#define MTAD_SMTPD_ENGINE_RX_TRANSACTION_H

#include "common/mail/address.h"
#include "common/mail/envelope.h"
#include "smtpd/engine/rx_reply.h"

struct rx_text {
	uint16_t n;
	char text[ADDRESS_MAX];
};

/* Lives from MAIL to rx_forget(). */
struct rx_transaction {
	struct rx_text sender;
	struct rx_text first_rcpt;
	uint32_t rcpt_count;
	uint32_t rcpt_refused;
	bool said_8bit;
	bool is_utf8;			/* SMTPUTF8 was given */
	bool is_binary;			/* BODY=BINARYMIME was */
	bool requires_tls;		/* REQUIRETLS was */
	int64_t hold_until;		/* FUTURERELEASE; 0: none */
	uint8_t hold_asked_n;
	char hold_asked[ENVELOPE_HOLD_ASKED_MAX];	/* for;60 */
	int64_t by_at;			/* DELIVERBY */
	uint8_t by;			/* enum envelope_by; 0: none */
	int8_t priority;
	uint8_t ret;			/* enum envelope_ret */
	uint8_t envid_n;
	char envid[ENVELOPE_ENVID_MAX];	/* xtext, as given */
	bool is_overfull_told;		/* 452 4.5.3 was logged once */
	bool is_list;			/* the driver took some recipients */
	bool has_chunks;		/* ... or some content, by BDAT */
	enum rx_reply_id refusal;	/* they can't be kept; or NONE */
};

#endif
