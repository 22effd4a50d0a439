/*
 * Large bodies: a file each, written beside the commit thread.
 *
 * A body is named by the token of its coming submission.  Its file counts for
 * nothing until a message record names it; files without one are removed at
 * the next start.  Bytes are checksummed in blocks, so that any part can be
 * verified before it is sent.  Progress and failure come by ops.on_body.
 */
#ifndef MTAD_QUEUED_STORE_STORE_BODY_H
#define MTAD_QUEUED_STORE_STORE_BODY_H

#include "queued/store/store.h"

/* Each has a sum of its own. */
enum { STORE_BODY_BLOCK = 64 * 1024 };

enum err store_body_open(struct store *s, uint64_t token);

/* Copies BYTES into the writer's queue; ERR_FULL past its ceiling: the caller
 * gives credit only as on_body tells. */
enum err store_body_add(struct store *s, uint64_t token, struct span bytes);

/* Asks for the sync; on_body(is_closed) tells when it may be submitted. */
enum err store_body_close(struct store *s, uint64_t token);

/* Forgets and removes it; unknown tokens are fine. */
void store_body_drop(struct store *s, uint64_t token);

#endif
