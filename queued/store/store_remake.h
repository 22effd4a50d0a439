/*
 * Makes a message what its moved record says it is: the replay's side of
 * store_move.h.
 */
#ifndef MTAD_QUEUED_STORE_STORE_REMAKE_H
#define MTAD_QUEUED_STORE_STORE_REMAKE_H

#include "queued/store/store_private.h"
#include "queued/store/store_record.h"

/* From R, whose fields are FIELDS and whose content lies in SEG at OFFSET.
 * *OLD is the segment of the older record that is not needed any more, 0 when
 * there is none.  A record that is not newer than the message changes nothing.
 * ERR_CORRUPT when it contradicts itself, ERR_NOMEM, ERR_IO. */
enum err store_remake(struct store *s, struct store_segment *seg,
    const struct store_record *r, const struct store_record_moved *fields,
    uint64_t offset, uint64_t *old);

/* The same in a segment of which no message lives: wherever the message went
 * from there, it is not where an older record says. */
enum err store_remake_none(struct store *s, const struct store_record *r,
    uint64_t *old);

#endif
