/*
 * The retry curve [pure]: exponential, with jitter, between two bounds.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_RETRY_H
#define MTAD_QUEUED_PLAN_PLAN_RETRY_H

#include <stdint.h>

/* Milliseconds to wait after TRIES failed attempts (>= 1): FIRST doubled each
 * time up to MAX, then less by up to a fifth, chosen by the random bits
 * DICE, so that what failed together does not come back together. */
int64_t plan_retry_delay(int64_t first, int64_t max, uint32_t tries,
    uint64_t dice);

#endif
