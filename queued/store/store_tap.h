/*
 * The log told to somebody else, group by group: what a history is made of.
 *
 * Each group is told once it is synced, in order, and each that a start
 * replays is told again; several that were written only are told as one, with
 * the number of the last.  Whoever listens keeps up: a check-point is sent to
 * the index only when store_journaled() has passed it, so that what is missing
 * after a crash is always replayed.  Without a listener nothing waits.
 */
#ifndef MTAD_QUEUED_STORE_STORE_TAP_H
#define MTAD_QUEUED_STORE_STORE_TAP_H

#include "common/base/err.h"
#include "common/base/span.h"

struct store;
struct store_message;

/* None may be NULL; they may not call the store but for what is below. */
struct store_tap {
	void *ctx;
	/* Of store_open(): a replay of what lies behind GROUP begins.  Once
	 * more, from 0, when the index turns out to be unusable. */
	void (*on_replay)(void *ctx, const uint8_t uuid[16], uint64_t group);
	/* RECORDS are for store_record_next(), borrowed; WRITTEN_AT is wall
	 * ms. */
	void (*on_group)(void *ctx, const struct store *s, uint64_t group,
	    uint64_t written_at, struct span records);
	/* Of store_close(), and during a long replay: a check-point follows,
	 * the last chance for store_journaled(). */
	void (*on_flush)(void *ctx, struct store *s);
};

/* For on_group: the message of a record in it was settled wholly, by this
 * group or one that is told later. */
bool store_tap_is_over(const struct store *s, uint64_t id);

/* The listener has kept all up to GROUP; UINT64_MAX: do not wait for it. */
void store_journaled(struct store *s, uint64_t group);

/* The group that a check-point waits for the listener to pass; 0: none. */
uint64_t store_awaits_journal(const struct store *s);

#endif
