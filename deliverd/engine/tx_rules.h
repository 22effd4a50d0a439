/*
 * The states of a dialogue and their table.  Inside the engine.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_RULES_H
#define MTAD_DELIVERD_ENGINE_TX_RULES_H

#include "deliverd/engine/tx_stage.h"

struct smtp_response;
struct tx;

enum tx_state {
	TX_CONNECTING,
	TX_GREETING,
	TX_EHLO,
	TX_HELO,
	TX_TLS_ASKED,		/* STARTTLS was said */
	TX_TLS_SHAKING,		/* the owner is at it; nothing is read */
	TX_AUTH_ASKING,		/* the owner asks for a password */
	TX_AUTH_SAID,		/* the reply to a step of AUTH is due */
	TX_IDLE,		/* between two mails */
	TX_LOOKING,		/* at the content of one that is to come */
	TX_RSET,
	TX_MAIL,
	TX_RCPT,
	TX_DATA,
	TX_SENDING,		/* content; no reply is due */
	TX_FINAL,
	TX_QUIT,
	TX_OVER,
	TX_STATE_COUNT
};

/* One row for each state, walked by a test. */
struct tx_rule {
	const char *name;
	enum tx_stage stage;
	int wait_for;			/* enum tx_wait_for; -1: no limit */
	void (*send)(struct tx *);	/* command of the state, or NULL */
	void (*reply)(struct tx *, const struct smtp_response *);
};

/* tx_rules: S is below TX_STATE_COUNT */
const struct tx_rule *tx_rules_get(enum tx_state s);
void tx_rules_enter(struct tx *t, enum tx_state s);	/* sends, waits */

#endif
