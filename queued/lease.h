/*
 * Leases: units given out to deliverd, and what it holds.
 *
 * A lease names the recipients of a unit that share today's route; its content
 * goes along when it is small.  After a start nothing is leased until the
 * living deliverds have said what they hold (SPOOL.md, handover).
 */
#ifndef MTAD_QUEUED_LEASE_H
#define MTAD_QUEUED_LEASE_H

#include "queued/queued.h"

/* Contents of leases that all deliverds together may hold in memory, as a
 * part of limits.body_memory: the planner shares it out. */
enum { LEASE_MEMORY_PART = 4 };

/* Contents up to this size go inline, larger ones are asked for. */
enum { LEASE_INLINE_MAX = 384 * 1024 };

struct lease {
	uint64_t id;
	struct store_unit *unit;
	uint32_t *rows;		/* of unit->recipients, count of them */
	uint32_t count;
	uint16_t peer;
	bool is_deleted;	/* by an operator: what is left is dropped */
	bool is_counted;	/* its destination's figures have its end */
	bool is_shared;		/* the unit had another when it was told of */
	bool is_unsent;		/* its note is not written yet */
};

/* Of the content of M, as much as goes along with each lease. */
uint32_t lease_inline_bytes(const struct store_message *m);

/* Leases what may be leased now. */
void lease_dispatch(struct queued *q);

void lease_open(struct queued *q, struct queued_peer *peer);
void lease_msg(struct queued *q, struct queued_peer *peer,
    const struct msg *m);

/* Its leases are in doubt. */
void lease_gone(struct queued *q, struct queued_peer *peer);

/* The lease with this id if PEER has it, else NULL. */
struct lease *lease_get(struct queued *q, const struct queued_peer *peer,
    uint64_t id);

/* The row that the next lease of UNIT begins with.  Since a reload its
 * recipients may go several ways: with each try another one comes first, so
 * that a dead way hides no other. */
uint32_t lease_first_row(const struct store_unit *unit);

/* The lease of this unit, or NULL; of several one that has left, if any. */
struct lease *lease_of_unit(struct queued *q, const struct store_unit *unit);

/* It is over, whatever became of its recipients. */
void lease_end(struct queued *q, struct lease *lease);

/*
 * The same; tells whether its unit has another one.  Deliverds may hold two of
 * one unit: our predecessor gave it out again and died before the result of
 * the attempt before was written.  It is not given out while one is left.
 */
bool lease_end_one(struct queued *q, struct lease *lease);

/* Those that are left of a unit that is no more: only its address counts. */
void lease_end_all(struct queued *q, const struct store_unit *unit);

/* An operator deletes the unit, which a deliverd has: it goes with the verdict,
 * and is not sent to another one as well. */
void lease_delete(struct queued *q, const struct store_unit *unit);

/* A line for the operator: M can't be given out, for E. */
void lease_log_unreadable(struct queued *q, const struct store_message *m,
    enum err e);

/* Its note is written: it may leave. */
void lease_noted(struct queued *q, uint64_t id);

void lease_clear(struct queued *q);

#endif
