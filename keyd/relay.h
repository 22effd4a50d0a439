/*
 * Our own passwords at next hops: given to deliverd for one exchange, or turned
 * into a proof, from which nobody learns it.
 */
#ifndef MTAD_KEYD_RELAY_H
#define MTAD_KEYD_RELAY_H

#include "common/base/buf.h"
#include "common/ipc/messages.h"

/* The parent's rows, as they came. */
struct relay {
	struct buf rows;
	uint32_t count;
};

/* A proof is made in the turn in which it is asked for: with more iterations
 * handshakes would wait for some tenths of a second. */
#define RELAY_ITERATIONS_MAX	100000u

void relay_init(struct relay *r);

/* Overwrites and frees. */
void relay_clear(struct relay *r);

/* Those of before are overwritten.  ERR_NOMEM: there is none then. */
enum err relay_take(struct relay *r, const struct msg_list *rows);

/* What a password or proof comes to; wipe OUT's proof when it was sent. */
struct relay_answer {
	uint8_t proof[32], signature[32];
};

/* The answer to M; its spans are borrowed from R and STORE. */
void relay_ask(const struct relay *r, const struct msg_hop_ask *m,
    struct relay_answer *store, struct msg *out);

#endif
