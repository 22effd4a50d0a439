/*
 * Where a dialogue stands, for people; in the order of a dialogue.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_STAGE_H
#define MTAD_DELIVERD_ENGINE_TX_STAGE_H

enum tx_stage {
	TX_STAGE_CONNECT, TX_STAGE_GREETING, TX_STAGE_HELLO, TX_STAGE_TLS,
	TX_STAGE_AUTH, TX_STAGE_MAIL, TX_STAGE_RCPT, TX_STAGE_DATA,
	TX_STAGE_CONTENT, TX_STAGE_FINAL,
	TX_STAGE_COUNT
};

/* "RCPT TO", "end of message", … for sentences. */
const char *tx_stage_name(enum tx_stage stage);

#endif
