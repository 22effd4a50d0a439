/*
 * SASL messages of ours, to a next hop: PLAIN (RFC 4616), LOGIN,
 * SCRAM-SHA-256 (RFC 5802, 7677) without channel binding, OAUTHBEARER (RFC
 * 7628) and its forerunner XOAUTH2.  Not in base64.
 */
#ifndef MTAD_SMTP_SMTP_SASL_CLIENT_H
#define MTAD_SMTP_SMTP_SASL_CLIENT_H

#include "common/smtp/smtp_sasl.h"

#define SASL_CLIENT_SALT_MAX	64	/* octets, as scram.h */

/* The mechanisms that the parameters of AUTH in an EHLO reply name: a set of 1
 * << enum sasl_mechanism. */
uint8_t sasl_client_offered(struct span parameters);

/* NUL user NUL password. */
void sasl_client_put_plain(struct span user, struct span password,
    struct buf *out);

/* "n=USER,r=NONCE": the first message behind its "n,,". */
void sasl_client_put_bare(struct span user, struct span nonce,
    struct buf *out);

/* "n,a=USER," and the token, RFC 7628 section 3.1. */
void sasl_client_put_bearer(struct span user, struct span token,
    struct buf *out);

/* "user=USER" and the token, as some large providers invented it. */
void sasl_client_put_xoauth2(struct span user, struct span token,
    struct buf *out);

struct sasl_server_first {
	struct span nonce;		/* both parts; borrowed */
	uint32_t iterations;
	size_t salt_n;
	uint8_t salt[SASL_CLIENT_SALT_MAX];
};

/* ERR_SYNTAX: no such message, or a nonce that does not begin with ours and go
 * on; ERR_RANGE: numbers too large. */
enum err sasl_client_read_first(struct span message, struct span our_nonce,
    struct sasl_server_first *out);

/* "c=biws,r=NONCE": the last message before its proof. */
void sasl_client_put_without_proof(struct span nonce, struct buf *out);

/* What the server proves with; ERR_SYNTAX also when it is an error of its
 * ("e="). */
enum err sasl_client_read_final(struct span message, uint8_t signature[32]);

#endif
