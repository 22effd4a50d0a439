/*
 * The lines of the log that tell what became of recipients.
 */
#ifndef MTAD_QUEUED_OUTCOME_LOG_H
#define MTAD_QUEUED_OUTCOME_LOG_H

#include "queued/outcome_work.h"
#include "queued/queued.h"

/* A line for each result; counts them in q->figures. */
void outcome_log(struct queued *q, const struct outcome_work *w,
    const struct store_unit *unit, uint64_t due_at);

/* A verdict on message ID could not be taken, and will come again. */
void outcome_log_trouble(struct queued *q, uint64_t id, enum err e);

#endif
