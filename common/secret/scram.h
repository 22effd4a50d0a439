/*
 * SCRAM-SHA-256 (RFC 5802, RFC 7677): what its server computes, and how a
 * secret is made of a password.
 *
 * Arithmetic only: messages are taken apart elsewhere.  A secret proves nothing
 * to a server but its own one, yet whoever has it can pretend to be that
 * server, and can guess at the password: it is kept as a password is.
 *
 * In a file it is {SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey, the last
 * three in Base64.
 */
#ifndef MTAD_SECRET_SCRAM_H
#define MTAD_SECRET_SCRAM_H

#include "common/base/buf.h"

#include <stdint.h>

#define SCRAM_NAME		"{SCRAM-SHA-256}"
#define SCRAM_KEY_BYTES		32
#define SCRAM_SALT_MIN		8	/* octets */
#define SCRAM_SALT_MAX		64
#define SCRAM_ITERATIONS_MIN	4096u	/* RFC 7677 section 4 */
#define SCRAM_ITERATIONS_MAX	1000000u

struct scram_secret {
	uint32_t iterations;
	uint8_t salt_bytes;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t stored_key[SCRAM_KEY_BYTES];
	uint8_t server_key[SCRAM_KEY_BYTES];
};

/* The secret of a PASSWORD; takes as long as ITERATIONS want.  ERR_RANGE (salt,
 * iterations), ERR_NOMEM. */
enum err scram_make(struct span password, struct span salt,
    uint32_t iterations, struct scram_secret *out);

/* The text form, appended; read: ERR_SYNTAX, ERR_RANGE (salt, iterations). */
void scram_write(const struct scram_secret *s, struct buf *out);
enum err scram_read(struct span text, struct scram_secret *out);

/*
 * Whether PROOF fits AUTH_MESSAGE (RFC 5802 section 3), and the server's
 * signature of it, which its client gets if so.  Takes as long for a wrong
 * proof.
 */
bool scram_prove(const struct scram_secret *s, struct span auth_message,
    struct span proof, uint8_t signature[SCRAM_KEY_BYTES]);

/*
 * The client's side: the proof that one knows PASSWORD, and what the server is to
 * answer it with.  Takes as long as ITERATIONS want.  ERR_RANGE (a salt of no
 * octets or too many; fewer iterations than SCRAM_ITERATIONS_MIN, by which a
 * false server would guess, or more than SCRAM_ITERATIONS_MAX), ERR_NOMEM.
 */
enum err scram_answer(struct span password, struct span salt,
    uint32_t iterations, struct span auth_message,
    uint8_t proof[SCRAM_KEY_BYTES], uint8_t signature[SCRAM_KEY_BYTES]);

/* Whether it is the secret of PASSWORD: for who sends that itself. */
bool scram_fits(const struct scram_secret *s, struct span password);

/* HMAC-SHA-256, also for what is only to look like a secret.  False: no
 * memory. */
bool scram_hmac(struct span key, struct span text,
    uint8_t out[SCRAM_KEY_BYTES]);

#endif
