/*
 * What a lease is about: some recipients of its unit, as they go one way today.
 */
#ifndef MTAD_QUEUED_LEASE_ROWS_H
#define MTAD_QUEUED_LEASE_ROWS_H

#include "queued/lease.h"

/* Fills LEASE's rows, which are none yet, with those of UNIT that go the way of
 * its first row; gives that way. */
struct route lease_rows_choose(struct queued *q, const struct store_unit *unit,
    struct lease *lease);

/* Appends the envelope with these recipients; their numbers. */
void lease_rows_put_envelope(const struct store_unit *unit,
    const struct lease *lease, struct buf *out);
void lease_rows_put(const struct lease *lease, struct buf *out);

/* Fills LEASE's rows from what a deliverd says it holds; ERR_RANGE,
 * ERR_SYNTAX. */
enum err lease_rows_get(struct span bytes, const struct store_unit *unit,
    struct lease *lease);

#endif
