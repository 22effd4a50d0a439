/*
 * Large bodies, as the rest of the store needs them.
 */
#ifndef MTAD_QUEUED_STORE_STORE_BODY_PRIVATE_H
#define MTAD_QUEUED_STORE_STORE_BODY_PRIVATE_H

#include "queued/store/store_body.h"
#include "queued/store/store_private.h"
#include "queued/store/store_record.h"

enum err store_bodies_init(struct store *s);
void store_bodies_clear(struct store *s);

/* After the recovery: removes files that no message names. */
enum err store_bodies_sweep(struct store *s);

/* A closed body becomes a submission's: its id, and what its record says. */
enum err store_bodies_closed(struct store *s,
    const struct store_submission *sub, uint64_t *id,
    struct store_record_message *r);
void store_bodies_submitted(struct store *s, uint64_t token);

/* A message is over: its file goes when the open group is synced (unless it
 * is another one's too) ... */
void store_bodies_bury(struct store *s, const struct message *m);
/* ... which is seen here. */
void store_bodies_synced(struct store *s, uint64_t group);

/* Appends at most N bytes of the body from OFFSET on, each block's sum
 * verified.  ERR_CORRUPT, ERR_IO, ERR_NOMEM. */
enum err store_bodies_read(struct store *s, const struct message *m,
    uint64_t offset, size_t n, struct buf *out);
/* The same of the recipients that lie before it. */
enum err store_bodies_read_list(struct store *s, const struct message *m,
    uint64_t offset, size_t n, struct buf *out);

uint64_t store_bodies_bytes(const struct store *s);
uint64_t store_bodies_count(const struct store *s);

#endif
