/*
 * What a message's sender said about its time: when delivery may begin (RFC
 * 4865), and until when it is of use (RFC 2852).  It stands in the envelope, as
 * of its arrival; most messages have none of it, and a flag of theirs says so.
 * All times are the spool's.
 */
#ifndef MTAD_QUEUED_TIMES_H
#define MTAD_QUEUED_TIMES_H

#include "common/mail/envelope.h"
#include "queued/queued.h"

/* CONTENT_TIMED, if E says anything. */
uint8_t times_flag(const struct envelope *e);

/* When its life begins, by which it gets old: when it came, or when delivery
 * could begin; and when it ends. */
uint64_t times_released(const struct store_message *m);
uint64_t times_end(struct queued *q, const struct store_unit *unit);

/* A moment of M's life as one of the planner; further away than queue.expire is
 * what its sender put off only. */
int64_t times_plan(const struct queued *q, const struct store_message *m,
    uint64_t at);

/* The sender's time is over, and is to be dealt with: to be returned (BY=…;R),
 * or told of (BY=…;N). */
bool times_is_late(const struct queued *q, const struct store_message *m);
bool times_is_returned(const struct queued *q, const struct store_message *m);

/* DUE, or the time at which it is returned if that comes before. */
uint64_t times_cut(const struct queued *q, const struct store_message *m,
    uint64_t due);

/* A unit has come to memory: it is dealt with when its time is over.  Once a
 * second: deals with those. */
void times_watch(struct queued *q, const struct store_unit *unit);
void times_turn(struct queued *q);

#endif
