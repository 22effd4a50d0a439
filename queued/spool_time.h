/*
 * The time in which the spool keeps arrivals and due times: the wall clock, had
 * nobody set it (plan/plan_clock.h).  queued_wall() is its present.
 *
 * People see them as of today's wall clock.  When an attempt was made is not
 * scheduled by: it is kept as the wall clock was then.
 */
#ifndef MTAD_QUEUED_SPOOL_TIME_H
#define MTAD_QUEUED_SPOOL_TIME_H

#include "queued/queued.h"

/* Before the store is opened, from its directory.  ERR_NOMEM. */
enum err spool_time_open(struct queued *q);

/* Keeps what is known of the clocks, and lets it go. */
void spool_time_close(struct queued *q);

/* Milliseconds since 1970, by the spool. */
int64_t spool_time_now(const struct queued *q);

/* Keeps a jump of the wall clock before anything that follows it, else what
 * is known from time to time. */
void spool_time_keep(struct queued *q);

/* A moment that the spool has as today's wall time. */
uint64_t spool_time_shown(const struct queued *q, uint64_t at);

#endif
