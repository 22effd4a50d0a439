/*
 * Terms: by what people look for messages, as rows of the index.
 *
 * Key: the kind, then the text in lower case (at most STORE_TERM_TEXT bytes
 * of it, so what is found is a candidate: the message itself decides).  Each
 * message that has the term is a pair of the key: id, unit, sum.  They are
 * written when a message or unit gets its row and go with it, so mail that
 * comes and goes between two check-points pays nothing for them.
 */
#ifndef MTAD_QUEUED_STORE_STORE_TERM_H
#define MTAD_QUEUED_STORE_STORE_TERM_H

#include "queued/store/store_look.h"
#include "queued/store/store_private.h"

enum {
	STORE_TERM_TEXT = 500,		/* LMDB's keys end at 511 */
	STORE_TERM_KEY = 1 + STORE_TERM_TEXT,
	STORE_TERM_PAIR = 16,
};

struct store_term_key {
	uint8_t p[STORE_TERM_KEY];
	size_t n;
};

void store_term_key(enum store_term term, struct span text,
    struct store_term_key *out);
/* Of the minute in which something arrived. */
void store_term_key_minute(uint64_t at_ms, struct store_term_key *out);

/* From the first pair that is of ID or a later message. */
void store_term_from(uint64_t id, uint8_t out[STORE_TERM_PAIR]);

/* The id of a pair; false when its sum is wrong. */
bool store_term_read(struct span key, struct span pair, uint64_t *id);

/* Appends to the bytes of a check-point; IS_THERE: put, else delete. */
void store_term_message(struct buf *ops, const struct message *m,
    bool is_there);
void store_term_held(struct buf *ops, const struct message *m, bool is_there);
void store_term_unit(struct buf *ops, const struct unit *u, bool is_there);

#endif
