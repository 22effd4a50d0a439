/*
 * A question for a signature and its answer, as they travel between a process
 * that speaks TLS and keyd: one packet each way over a SOCK_SEQPACKET pair.
 *
 * The asker hashes; keyd sees a digest of the named kind and signs nothing
 * else, so that a taken-over asker gets TLS signatures and no raw operation
 * of the key.  Only Ed25519 signs the text itself; that of a client in TLS 1.2
 * is its whole handshake.
 * Both sides are untrusted input to each other.
 */
#ifndef MTAD_TLS_SIGN_WIRE_H
#define MTAD_TLS_SIGN_WIRE_H

#include "common/base/buf.h"
#include "common/base/err.h"

#define SIGN_ID_BYTES		32	/* SHA-256 of SubjectPublicKeyInfo */
#define SIGN_TEXT_MAX		32768	/* of Ed25519 */
#define SIGN_SIGNATURE_MAX	1024	/* RSA of 8192 bits */
#define SIGN_QUESTION_MAX	(SIGN_TEXT_MAX + 64)
#define SIGN_ANSWER_MAX		(SIGN_SIGNATURE_MAX + 64)

enum sign_scheme {
	SIGN_RSA_PKCS1 = 1,
	SIGN_RSA_PSS,			/* MGF1 and salt as the digest */
	SIGN_ECDSA,			/* DER */
	SIGN_ED25519,			/* digest: SIGN_NO_DIGEST */
};

enum sign_digest {
	SIGN_NO_DIGEST, SIGN_SHA256, SIGN_SHA384, SIGN_SHA512,
	SIGN_DIGEST_COUNT
};

struct sign_question {
	uint8_t key_id[SIGN_ID_BYTES];
	uint8_t scheme;			/* enum sign_scheme */
	uint8_t digest;			/* enum sign_digest */
	struct span text;		/* digest, or Ed25519's text */
};

/* Bytes of a digest; 0 for SIGN_NO_DIGEST. */
size_t sign_digest_bytes(uint8_t digest);

void sign_put_question(const struct sign_question *q, struct buf *out);

/* Borrows.  ERR_SYNTAX: form, unknown numbers, a length that doesn't fit. */
enum err sign_get_question(struct span packet, struct sign_question *out);

/* An empty signature says that there is none. */
void sign_put_answer(struct span signature, struct buf *out);
enum err sign_get_answer(struct span packet, struct span *signature);

#endif
