/*
 * The file `clock' of the spool has how far it is from the wall clock.  It is
 * written when that has changed, in the turn in which it was seen and before
 * the group of that turn; and now and then, so that a clock that was set back
 * while we were away is noticed.  A spool without it has wall time.
 */
#include "queued/spool_time.h"

#include "common/base/mtime.h"
#include "common/log/log.h"
#include "queued/plan/plan_clock.h"
#include "queued/store/store_clock.h"

#include <stdlib.h>

/* proc has made the spool the working directory. */
#define SPOOL "."

#define KEEP_MS (10 * MTIME_MINUTE)

struct spool_time {
	struct plan_clock clock;
	uint64_t kept_jumps;
	int64_t kept_at;		/* monotonic */
};

static void
log_trouble(struct queued *q, const char *what, enum err e)
{
	if (!log_begin(q->log, LOG_SPOOL_FAILED, NULL))
		return;
	log_str(q->log, "what", what);
	log_str(q->log, "why", err_text(e));
	log_end(q->log);
}

enum err
spool_time_open(struct queued *q)
{
	struct store_clock file = { .offset_ms = 0 };
	enum err e;

	q->time = calloc(1, sizeof(*q->time));
	if (q->time == NULL)
		return ERR_NOMEM;
	e = store_clock_read(NULL, SPOOL, &file);
	if (e != OK && e != ERR_NOT_FOUND)
		log_trouble(q, "its clock can't be read: wall time counts", e);
	plan_clock_begin(&q->time->clock, file.offset_ms, file.seen_at,
	    loop_wall_ms(q->loop), queued_now(q));
	q->time->kept_at = mtime_sub(queued_now(q), KEEP_MS);
	return OK;
}

int64_t
spool_time_now(const struct queued *q)
{
	return plan_clock_now(&q->time->clock, loop_wall_ms(q->loop),
	    queued_now(q));
}

uint64_t
spool_time_shown(const struct queued *q, uint64_t at)
{
	int64_t wall = at > INT64_MAX ? INT64_MAX :
	    plan_clock_shown(&q->time->clock, (int64_t)at);

	return wall > 0 ? (uint64_t)wall : 0;
}

/* ---- keeping ---- */

static void
log_jump(struct queued *q, int64_t by)
{
	if (!log_begin(q->log, LOG_CLOCK_JUMPED, NULL))
		return;
	log_str(q->log, "way", by > 0 ? "forward" : "back");
	log_ms(q->log, "by", by > 0 ? by : mtime_sub(0, by));
	log_end(q->log);
}

/* A failure is told once for each time: a spool that can't be written has
 * other words for it. */
static void
keep(struct queued *q)
{
	struct spool_time *t = q->time;
	const struct store_clock file = {
		.offset_ms = t->clock.offset_ms,
		.seen_at = mtime_max(loop_wall_ms(q->loop), 0),
	};
	enum err e = store_clock_write(NULL, SPOOL, &file);

	if (e != OK)
		log_trouble(q, "its clock can't be kept", e);
	t->kept_jumps = t->clock.jumps;
	t->kept_at = queued_now(q);
}

void
spool_time_keep(struct queued *q)
{
	struct spool_time *t = q->time;

	(void)spool_time_now(q);
	if (t->clock.jumps != t->kept_jumps)
		log_jump(q, t->clock.jumped_ms);
	else if (queued_now(q) - t->kept_at < KEEP_MS)
		return;
	keep(q);
}

void
spool_time_close(struct queued *q)
{
	if (q->time == NULL)
		return;
	(void)spool_time_now(q);
	keep(q);
	free(q->time);
	q->time = NULL;
}
