/*
 * The inside of AUTH, for the files of the engine: an exchange, and what the
 * files that know a mechanism (tx_scram, tx_bearer) share with tx_auth.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_LOGIN_H
#define MTAD_DELIVERD_ENGINE_TX_LOGIN_H

#include "common/smtp/smtp_sasl_client.h"
#include "deliverd/engine/tx_auth.h"
#include "deliverd/engine/tx_state.h"

#define TX_LOGIN_LINE_MAX	12288	/* RFC 4954 section 4 */
#define TX_LOGIN_MESSAGE_MAX	8192	/* as in messages.def */
#define TX_LOGIN_DECODED_MAX	2048
#define TX_LOGIN_CHALLENGE_SIZE	400
#define TX_LOGIN_NONCE_TEXT	(TX_AUTH_NONCE_BYTES / 3 * 4)

enum tx_login_step {
	TX_STEP_RESPONSE,		/* it is said at 334, and is all */
	TX_STEP_USER, TX_STEP_PASSWORD,	/* of LOGIN */
	TX_STEP_FIRST, TX_STEP_FINAL,	/* what the host says of SCRAM */
	TX_STEP_REFUSED,		/* a token: the refusal is due */
	TX_STEP_END,			/* 235 is due */
};

struct tx_login {
	struct tx_credential c;
	uint8_t nonce[TX_LOGIN_NONCE_TEXT];
	enum sasl_mechanism mechanism;
	enum tx_login_step step;
	bool is_asked;			/* TX_ASK was said */
	bool has_secret;		/* in the output */
	bool is_over;			/* the host has ended it */
	uint64_t number;		/* of the token that was told */
	bool is_renewed;		/* and the one before was refused */
	char challenge[TX_LOGIN_CHALLENGE_SIZE]; /* what is said of it */
	struct buf response;		/* what is said next, base64 */
	struct buf message;		/* SCRAM's auth_message */
	size_t proofless_at;		/* in it */
	struct sasl_server_first first;
	uint8_t signature[32];
};

/* Behind EHLO or HELO, and TLS: true when the dialogue goes on by AUTH, or ends
 * for want of it; else it is up. */
bool tx_login_begin(struct tx *t);
void tx_login_free(struct tx *t);

/* The owner is to be asked, and was not yet. */
bool tx_login_asks(struct tx *t);

/* In the middle of an exchange, where a command would be a part of it. */
bool tx_login_is_open(const struct tx *t);

/* the states TX_AUTH_SAID and TX_AUTH_ASKING */
void tx_login_reply(struct tx *t, const struct smtp_response *r);
void tx_login_early(struct tx *t, const struct smtp_response *r);

/* for the mechanisms: */

void tx_login_end(struct tx *t, const char *why);	/* no mail goes there */
void tx_login_ask(struct tx *t);			/* the owner, TX_ASK */
void tx_login_say(struct tx *t, struct span line);
void tx_login_say_base64(struct tx *t, struct span message);
void tx_login_await(struct tx *t, enum tx_login_step step);

/* The response, base64 of MESSAGE; room for all of it at once, as memory that
 * grows leaves a copy behind.  False: no memory. */
bool tx_login_encode(struct tx_login *l, struct span message);

/* AUTH with the response, where that fits a command; step WITH is next then,
 * else WITHOUT. */
void tx_login_open(struct tx *t, enum tx_login_step with,
    enum tx_login_step without);

/* The response at a 334. */
void tx_login_respond(struct tx *t, enum tx_login_step next);

/* The text of a 334, decoded; false: it is none. */
bool tx_login_decode(const struct smtp_response *r,
    uint8_t out[TX_LOGIN_DECODED_MAX], size_t *n);

void tx_login_wipe(struct buf *b);

/* tx_bearer: RFC 7628 */
bool tx_bearer_is_mine(const struct tx *t);	/* the mechanism */
void tx_bearer_tell(struct tx *t, const struct tx_auth_answer *a);
void tx_bearer_challenge(struct tx *t, const struct smtp_response *r);

/* A refusal: asks for another token, or ends the dialogue. */
void tx_bearer_refused(struct tx *t, const struct smtp_response *r);

/* There is no token, and WHY. */
void tx_bearer_lack(struct tx *t, const char *why);

/* tx_scram: RFC 5802 */
void tx_scram_begin(struct tx *t);
void tx_scram_prove(struct tx *t, const struct tx_auth_answer *a);
void tx_scram_first(struct tx *t, const struct smtp_response *r);
void tx_scram_final(struct tx *t, const struct smtp_response *r);

#endif
