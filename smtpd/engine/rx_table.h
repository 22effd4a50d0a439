/*
 * Which verb is allowed in which state, and where it may lead: the table that
 * rx_step() asks.  Inside the engine, and for the test that walks it.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_TABLE_H
#define MTAD_SMTPD_ENGINE_RX_TABLE_H

#include "common/smtp/smtp_command.h"
#include "smtpd/engine/rx_reply.h"

struct rx;

enum rx_state {
	RX_START,	/* greeted, no HELO yet */
	RX_READY,	/* no transaction */
	RX_MAIL,	/* sender known, no recipient accepted */
	RX_RCPT,	/* at least one recipient */
	RX_IN_CONTENT,	/* behind 354 */
	RX_SUBMITTING,	/* behind the final dot */
	RX_IN_CHUNK,	/* behind BDAT */
	RX_CHUNKS,	/* between two of them */
	RX_HANDSHAKE,	/* behind STARTTLS */
	RX_AUTH,	/* a line of its exchange is awaited */
	RX_ASKING,	/* ... keyd's answer is */
	RX_UNWANTED,	/* greeted with 554 */
	RX_CLOSED,
	RX_STATE_COUNT
};

#define RX_IN(state) (1U << RX_##state)

enum rx_argument { RX_ARG_ANY, RX_ARG_NONE, RX_ARG_SOME };

struct rx_verb {
	/* does it; on success has entered the new state */
	enum rx_reply_id (*run)(struct rx *rx, const struct smtp_command *c);
	unsigned allowed;	/* RX_IN() states */
	unsigned may_enter;	/* besides the state it came in */
	enum rx_argument argument;
	enum rx_reply_id without_argument;
	bool is_junk;		/* brings no mail forward */
	bool is_without_tls;	/* also where TLS is required: RFC 3207 4 */
};

const struct rx_verb *rx_table_verb(enum smtp_verb verb);

/* What a verb gets in a state in which it isn't allowed. */
enum rx_reply_id rx_table_refusal(const struct rx *rx, enum smtp_verb verb);

enum rx_state rx_state(const struct rx *rx);

#endif
