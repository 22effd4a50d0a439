/*
 * AUTH as a client, RFC 4954: who we are at a host, by PLAIN, LOGIN,
 * SCRAM-SHA-256, by a token (OAUTHBEARER, RFC 7628, and XOAUTH2), or by the
 * certificate that was shown (EXTERNAL).
 *
 * The password is not here: TX_ASK says that the owner has to ask for it, or
 * for a proof made of it or for a token, and nothing goes on before
 * tx_auth_answer().  A password or token is given to the host inside TLS only,
 * unless it may be said in clear; with a proof nobody learns it.  A token that
 * the host refuses is asked for anew once.  A host that wants no
 * authentication, none that can be made, or refuses it, gets no mail.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_AUTH_H
#define MTAD_DELIVERD_ENGINE_TX_AUTH_H

#include "deliverd/engine/tx.h"

#define TX_AUTH_NONCE_BYTES	24

struct tx_credential {
	struct span user;		/* borrowed for the engine's life; of
					 * EXTERNAL: to act as, or empty */
	unsigned mechanisms;		/* set of 1 << enum sasl_mechanism */
	bool may_clear;			/* a password or token without TLS */
	uint8_t nonce[TX_AUTH_NONCE_BYTES];	/* random */
};

/* Before tx_connected().  ERR_NOMEM. */
enum err tx_authenticate(struct tx *t, const struct tx_credential *c);

/* At TX_ASK, borrowed until tx_auth_answer(). */
struct tx_auth_question {
	bool wants_proof;		/* else the password, or … */
	bool wants_token;
	uint64_t refused;		/* the host did not take this one; 0 */
	struct span salt;
	uint32_t iterations;
	struct span auth_message;	/* RFC 5802 section 3 */
};

void tx_auth_question(const struct tx *t, struct tx_auth_question *out);

struct tx_auth_answer {
	const char *trouble;		/* why there is none, or NULL */
	struct span password;
	struct span proof, signature;	/* 32 octets each */
	struct span token;
	uint64_t number;		/* of the token, not 0 */
};

/* Nothing happens when none is asked for any more. */
void tx_auth_answer(struct tx *t, const struct tx_auth_answer *a);

/* Since the last call the output was given a password: whoever sends it is to
 * wipe it. */
bool tx_auth_take_secret(struct tx *t);

#endif
