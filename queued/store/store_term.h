/*
 * Terms: by what people look for messages, as rows of the index.
 *
 * Key: the kind, and one of 256 buckets by the hash of the text in lower case.
 * Each message that has the term is a pair of the key: id, unit, more of the
 * hash (the tag), sum.  So what is found is a candidate, and the message
 * itself decides.  Pairs of a bucket lie in order of ids: what is new goes to
 * 256 ends, and not to a page of its own for each sender.  They are written
 * when a message or unit gets its row and go with it, so mail that comes and
 * goes between two check-points pays nothing for them.
 */
#ifndef MTAD_QUEUED_STORE_STORE_TERM_H
#define MTAD_QUEUED_STORE_STORE_TERM_H

#include "queued/store/store_look.h"
#include "queued/store/store_private.h"

enum {
	STORE_TERM_TEXT = 1024,		/* hashed of longer ones */
	STORE_TERM_KEY = 9,
	STORE_TERM_PAIR = 20,
};

struct store_term_key {
	uint8_t p[STORE_TERM_KEY];
	uint8_t n;
	uint32_t tag;
};

void store_term_key(enum store_term term, struct span text,
    struct store_term_key *out);
/* Of the minute in which something arrived. */
void store_term_key_minute(uint64_t at_ms, struct store_term_key *out);

/* From the first pair that is of ID or a later message. */
void store_term_from(uint64_t id, uint8_t out[STORE_TERM_PAIR]);

/* Whether a pair of the key's bucket is of its text. */
bool store_term_is(const struct store_term_key *key, struct span pair);

/* The id of a pair of KEY; false when its sum is wrong. */
bool store_term_read(struct span key, struct span pair, uint64_t *id);

/* Appends to the bytes of a check-point; IS_THERE: put, else delete. */
void store_term_message(struct buf *ops, const struct message *m,
    bool is_there);
void store_term_held(struct buf *ops, const struct message *m, bool is_there);
void store_term_unit(struct buf *ops, const struct unit *u, bool is_there);

#endif
