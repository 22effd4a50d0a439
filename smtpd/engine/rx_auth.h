/*
 * AUTH, RFC 4954: what the driver asks keyd between two steps.
 *
 * RX_ASK says that a question is due; nothing goes on before rx_answered().
 * What a client said of its password is in the exchange only, which is wiped
 * when it ends.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_AUTH_H
#define MTAD_SMTPD_ENGINE_RX_AUTH_H

#include "common/smtp/smtp_sasl.h"
#include "smtpd/engine/rx.h"

#define RX_AUTH_NONCE_BYTES 24	/* of randomness, in each SCRAM exchange */
#define RX_AUTH_BINDING_MAX 64	/* octets of channel binding */

enum rx_question_kind { RX_ASK_PASSWORD, RX_ASK_SALT, RX_ASK_PROOF,
	RX_ASK_TOKEN	/* it is in `password'; the user may be empty */
};

struct rx_question {		/* borrowed until rx_answered() */
	enum rx_question_kind kind;
	const char *mechanism;
	struct span user;
	struct span password;
	struct span auth_message;
	struct span proof;
	bool is_bound;			/* with RX_ASK_SALT: `binding` too */
	enum sasl_binding binding;
};

enum rx_verdict { RX_VERDICT_GOOD, RX_VERDICT_BAD, RX_VERDICT_LATER };

struct rx_answer {
	enum rx_verdict verdict;
	uint32_t iterations;		/* of RX_ASK_SALT, as is salt */
	struct span salt;
	const uint8_t *nonce;		/* RX_AUTH_NONCE_BYTES random ones */
	struct span binding;		/* the TLS session's data */
	struct span signature;		/* of RX_ASK_PROOF */
	struct span user;		/* GOOD: who it is, if not who was asked
					 * for */
	struct span challenge;		/* BAD, of RX_ASK_TOKEN: why, in JSON */
};

void rx_question(const struct rx *rx, struct rx_question *out);

/* Nothing happens when none is due any more. */
void rx_answered(struct rx *rx, const struct rx_answer *answer,
    struct buf *out);

/* When TLS is open: the types of channel binding that its session has, a
 * set of 1U << enum sasl_binding. */
void rx_auth_bindings(struct rx *rx, unsigned set);

/* ... and whom the client's certificate says it is, for EXTERNAL: borrowed for
 * the dialogue's life. */
void rx_auth_certified(struct rx *rx, struct span user);

/* What was read since the last call may hold a secret: the driver wipes it. */
bool rx_take_secret(struct rx *rx);

/* Who the client is, and how it proved that; empty: it has not said. */
struct span rx_user(const struct rx *rx);
const char *rx_user_mechanism(const struct rx *rx);

#endif
