/*
 * An exchange of AUTH, shared by the files of the engine that know a mechanism.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_EXCHANGE_H
#define MTAD_SMTPD_ENGINE_RX_EXCHANGE_H

#include "smtpd/engine/rx_auth_impl.h"

enum rx_auth_step {
	STEP_FIRST,
	STEP_PASSWORD,		/* LOGIN's second */
	STEP_FINAL,		/* SCRAM's proof */
	STEP_END,		/* SCRAM's empty last word */
	STEP_DENIED,		/* OAUTHBEARER's, after a failure */
};

/* Lives from AUTH to its end. */
struct rx_exchange {
	enum sasl_mechanism mechanism;
	enum rx_auth_step step;
	enum rx_question_kind asks;
	struct buf message;		/* the last of the client, decoded */
	struct buf first;		/* SCRAM's first one */
	struct buf auth_message;
	struct buf challenge;		/* to be said */
	struct sasl_first scram;	/* borrows first */
	struct span password;		/* borrows message */
	uint8_t proof[32];
	char user[SASL_USER_MAX];
	size_t user_n;
	char nonce[2 * RX_AUTH_NONCE_BYTES];	/* ours, in base64 */
	size_t nonce_n;
	enum sasl_binding binding;	/* of -PLUS */
	uint8_t binding_data[RX_AUTH_BINDING_MAX];
	size_t binding_n;
};

/* Ends it with a reply. */
enum rx_reply_id rx_exchange_refuse(struct rx *rx, enum rx_reply_id reply);

/* 334 with these bytes; the next line is the answer to it. */
enum rx_reply_id rx_exchange_challenge(struct rx *rx, enum rx_auth_step next,
    struct span text);

/* keyd is to be asked. */
enum rx_reply_id rx_exchange_ask(struct rx *rx, enum rx_question_kind kind);
void rx_exchange_set_user(struct rx_exchange *x, struct span user);

/* Whether this client is offered M now. */
bool rx_auth_is_listed(const struct rx *rx, enum sasl_mechanism m);

/* SCRAM: the client's messages, keyd's answers. */
enum rx_reply_id rx_scram_first(struct rx *rx, struct span message);
enum rx_reply_id rx_scram_final(struct rx *rx, struct span message);
enum rx_reply_id rx_scram_salt(struct rx *rx, const struct rx_answer *a);
enum rx_reply_id rx_scram_signature(struct rx *rx, const struct rx_answer *a);

#endif
