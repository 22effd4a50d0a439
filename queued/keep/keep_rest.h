/*
 * The recipients of a list that were not begun, whatever of them can be read.
 *
 * Its file has a sum for each STORE_BODY_BLOCK bytes, so damage costs those of
 * whom some byte lies in such a block.  Where the first one behind it begins is
 * seen by his form: an address has none of the zeros that his lengths have.
 */
#ifndef MTAD_QUEUED_KEEP_KEEP_REST_H
#define MTAD_QUEUED_KEEP_KEEP_REST_H

#include "common/mail/envelope.h"
#include "queued/store/store.h"

struct keep_rest {
	struct store *store;
	const struct store_message *list;
	uint32_t flags;			/* of its envelope */
	uint64_t at;			/* the next byte to be read */
	struct buf bytes;
	struct span rest;		/* of them: not given out yet */
	bool is_gap;			/* no begin was found behind damage */
};

/* LIST stays in memory meanwhile. */
void keep_rest_init(struct keep_rest *r, struct store *s,
    const struct store_message *list);
void keep_rest_clear(struct keep_rest *r);

/* The next one, borrowed until the next call.  ERR_CORRUPT: here some are
 * missing, said once for those in a row; go on.  ERR_NOT_FOUND: that was all;
 * ERR_AGAIN, ERR_IO, ERR_NOMEM. */
enum err keep_rest_next(struct keep_rest *r, struct envelope_rcpt *out);

#endif
