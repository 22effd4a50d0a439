/*
 * What a message's sender said about its time: when delivery may begin (RFC
 * 4865).  It stands in the envelope, as of its arrival; most messages have none
 * of it, and a flag of theirs says so.  All times are the spool's.
 */
#ifndef MTAD_QUEUED_TIMES_H
#define MTAD_QUEUED_TIMES_H

#include "common/mail/envelope.h"
#include "queued/queued.h"

/* CONTENT_TIMED, if E says anything. */
uint8_t times_flag(const struct envelope *e);

/* A moment of M's life as one of the planner; further away than queue.expire is
 * what its sender put off only. */
int64_t times_plan(const struct queued *q, const struct store_message *m,
    uint64_t at);

/* When its life begins, by which it gets old: when it came, or when delivery
 * could begin. */
uint64_t times_released(const struct store_message *m);

#endif
