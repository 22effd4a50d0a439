/*
 * SASL messages of a client, taken apart: PLAIN (RFC 4616), LOGIN,
 * SCRAM-SHA-256 (RFC 5802, 7677) with or without channel binding, EXTERNAL (RFC
 * 4422) and OAUTHBEARER (RFC 7628).  Already decoded from base64.
 *
 * Only syntax: whether a password or proof is right is keyd's to say.  Fields
 * borrow the message, but for users that are unescaped.  What is
 * given is UTF-8 without control characters, and within bounds.
 */
#ifndef MTAD_SMTP_SMTP_SASL_H
#define MTAD_SMTP_SMTP_SASL_H

#include "common/base/buf.h"
#include "common/base/err.h"

#define SASL_USER_MAX		255
#define SASL_PASSWORD_MAX	1024
#define SASL_TOKEN_MAX		5120	/* with a user, Dovecot takes so much */
#define SASL_NONCE_MAX		256
#define SASL_MESSAGE_MAX	9216	/* of a line of 12288 in base64 */

enum sasl_mechanism {
	SASL_PLAIN, SASL_LOGIN, SASL_SCRAM_SHA_256,
	SASL_SCRAM_SHA_256_PLUS, SASL_EXTERNAL, SASL_OAUTHBEARER,
	SASL_XOAUTH2,			/* only to next hops */
	SASL_MECHANISM_COUNT
};

/* Types of channel binding (RFC 5929, 9266). */
enum sasl_binding {
	SASL_BINDING_EXPORTER, SASL_BINDING_END_POINT, SASL_BINDING_UNIQUE,
	SASL_BINDING_COUNT
};

/* By its name, in any case; false: none of these. */
bool sasl_find(struct span name, enum sasl_mechanism *out);
const char *sasl_name(enum sasl_mechanism m);

/* By its registered name; false: none of these. */
bool sasl_find_binding(struct span name, enum sasl_binding *out);

struct sasl_plain {
	struct span user, password;
};

/* ERR_SYNTAX: not two NULs, an empty user, an authorisation identity that is
 * another's, or octets that may not be; ERR_RANGE: too long. */
enum err sasl_plain(struct span message, struct sasl_plain *out);

/* EXTERNAL, RFC 4422 appendix A: MESSAGE is the identity to act as, and must be
 * empty or USER.  ERR_DENIED: another one; ERR_SYNTAX, ERR_RANGE: none. */
enum err sasl_external(struct span message, struct span user);

/* A user or password of LOGIN, or in general. */
enum err sasl_check_user(struct span user);
enum err sasl_check_password(struct span password);

enum sasl_gs2_flag {			/* RFC 5802 section 6 */
	SASL_GS2_NONE,			/* "n": the client can't bind */
	SASL_GS2_THOUGHT_NONE,		/* "y": ... and thinks we can't */
	SASL_GS2_BOUND,			/* "p=": this one is bound */
};

struct sasl_first {
	struct span gs2;		/* "n,,", "p=tls-exporter,," */
	enum sasl_gs2_flag flag;
	struct span binding;		/* SASL_GS2_BOUND: its type */
	struct span bare;		/* the rest */
	struct span nonce;		/* of the client */
	char user[SASL_USER_MAX];
	size_t user_n;
};

/* The first message of SCRAM; whether its flag and type may be is the
 * caller's to say.  ERR_SYNTAX, ERR_RANGE. */
enum err sasl_scram_first(struct span message, struct sasl_first *out);

/* The server's answer to it. */
void sasl_scram_put_first(struct span client_nonce, struct span server_nonce,
    struct span salt, uint32_t iterations, struct buf *out);

struct sasl_final {
	struct span without_proof;
	uint8_t proof[32];
};

/* The last message: it must name the GS2 header and both nonces, and behind the
 * header the data of BINDING (empty without), which are compared in constant
 * time.  ERR_SYNTAX; ERR_DENIED: other data. */
enum err sasl_scram_final(struct span message, struct span gs2,
    struct span binding, struct span client_nonce, struct span server_nonce,
    struct sasl_final *out);

/* b64token of RFC 6750 section 2.1, at most SASL_TOKEN_MAX. */
bool sasl_is_token(struct span s);

#define SASL_BEARER_PAIRS_MAX	16

struct sasl_bearer {
	struct span token;		/* empty: it asks what it would need */
	char user[SASL_USER_MAX];	/* none: the token says */
	size_t user_n;
};

/* OAUTHBEARER's first message, RFC 7628 section 3.1, with a token of RFC 6750
 * section 2.1.  Host, port and whatever else stands there means nothing to us.
 * ERR_SYNTAX, ERR_RANGE. */
enum err sasl_bearer(struct span message, struct sasl_bearer *out);

#endif
