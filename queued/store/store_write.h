/*
 * Records appended to the store's open group, and their effect in memory.
 *
 * What these calls change is in memory at once and on disk with the group
 * (store.h says when its effects may leave).  They fail with ERR_NOMEM,
 * ERR_FULL (the reserve is reached; verdicts and reports may use the reserve),
 * ERR_RANGE (a record beyond STORE_RECORD_MAX) or ERR_IO (the store is dead),
 * and then have changed nothing.
 */
#ifndef MTAD_QUEUED_STORE_STORE_WRITE_H
#define MTAD_QUEUED_STORE_STORE_WRITE_H

#include "queued/store/store.h"

enum { STORE_RECORD_MAX = 8 << 20 };	/* bytes, envelope and content */

struct store_submission {
	uint64_t token;			/* 0: our own (a report) */
	uint64_t arrived_at;
	struct span envelope;		/* checked with envelope_check() */
	struct span trace_head;		/* Received field, the queue id is … */
	struct span trace_tail;		/* … written between; empty: none */
	struct span body;		/* when not streamed */
	bool is_streamed;		/* the body was closed by store_body.h */
	uint8_t content_flags;
	bool is_report;			/* of ours: may use the reserve */
	uint64_t list_bytes;		/* recipients in front of the body … */
	uint32_t list_total;		/* … store_list.h; 0: in the envelope */
	/* The key that groups recipients into units: the destination (at most
	 * STORE_KEY_MAX bytes; borrowed until the next call).  It becomes
	 * unit->domain; the store gives it no meaning. */
	struct span (*key_of)(void *ctx, struct span recipient);
	void *ctx;
};

/* Messages and units that changed and are not in the index yet: they take
 * memory.  STORE_UNINDEXED_MANY is enough for two check-points. */
enum { STORE_UNINDEXED_MANY = 4096 };
size_t store_unindexed(const struct store *s);

/* They are more than that: whoever changes many at a time waits until they no
 * longer are, and a check-point comes at the next store_flush(). */
bool store_is_behind(struct store *s);

/* What the open group holds is waited for: it is synced as it is written. */
void store_want_sync(struct store *s);

/* All that was appended is waited for, verdicts too: the next store_flush()
 * begins to sync it. */
void store_want_all_synced(struct store *s);

/* Makes sure that what is appended until the next store_flush(), BYTES of
 * content at most, finds memory: a store_verdict() after it cannot fail (texts
 * of the remote may be dropped).  A report is submitted between the two, so
 * that result and report stand in one group or neither does (I-02). */
enum err store_reserve(struct store *s, size_t bytes);

/* Gives the message an id, groups its recipients into units by key_of(), all of
 * them due at arrived_at, or as much later as its envelope says (hold_ms).  *OUT is its first unit; units are numbered from 0
 * and reached by store_find_unit().  ERR_SYNTAX for a bad envelope or one
 * without recipients, ERR_NOT_FOUND for a streamed body that is not closed. */
enum err store_submit(struct store *s, const struct store_submission *sub,
    struct store_unit **out);

/* One settled or tried run of recipients of a unit. */
struct store_result {
	uint32_t first, last;		/* rows of unit->recipients */
	uint8_t outcome;		/* the caller's number, kept as it is */
	bool is_settled;		/* delivered, failed, …: done with */
	uint16_t code;
	struct span status;
	struct span text;
	struct span host;
};

/* B says the same as A, of the rows right behind it: one run has both. */
static inline bool
store_result_continues(const struct store_result *a,
    const struct store_result *b)
{
	return b->first == a->last + 1 && a->outcome == b->outcome &&
	    a->is_settled == b->is_settled && a->code == b->code &&
	    span_equal(a->status, b->status) &&
	    span_equal(a->text, b->text) && span_equal(a->host, b->host);
}

struct store_verdict {
	uint64_t begun_at;		/* of the attempt, wall ms */
	uint64_t due_at;		/* next time, of those not settled */
	uint32_t tries;			/* of the unit from now on */
	bool is_warned;			/* a delay notice stands in this group */
	struct span history;		/* attempts as told (ipc form); ≤ 64 KiB */
	const struct store_result *results;
	size_t count;
};

/* Applies results; *IS_OVER tells that the unit was settled wholly and is no
 * more (and its message, when it was the last). */
enum err store_verdict(struct store *s, struct store_unit *unit,
    const struct store_verdict *verdict, bool *is_over);

/* UNIT is about to be leased.  *IS_NOTED: a note stands in the open group, and
 * the lease may leave when that is written (rule 6).  Else none is needed: a
 * start would replay the message's own record, or find the row that the next
 * check-point writes of the unit. */
enum err store_lease(struct store *s, struct store_unit *unit,
    uint64_t lease, bool *is_noted);

/* The note, whatever else says it. */
enum err store_note_lease(struct store *s, struct store_unit *unit,
    uint64_t lease);

/* By an operator. */
enum err store_hold(struct store *s, struct store_message *m, bool is_held);
enum err store_reschedule(struct store *s, struct store_unit *unit,
    uint64_t due_at);

#endif
