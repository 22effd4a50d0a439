/*
 * How often something happened of late, by key, in shared memory: a part of
 * each worker's region of a client_table.
 *
 * One worker writes a table, all read it.  Time is cut into periods; what
 * happened in the last one counts by the part of it that is still within a
 * period of now, so that a limit holds over any period, not only over those
 * that begin with the clock's.  When it is full, who did least is forgotten.
 */
#ifndef MTAD_OS_CLIENT_RATES_H
#define MTAD_OS_CLIENT_RATES_H

#include <stddef.h>
#include <stdint.h>

struct client_rates;

/* Bytes of a table of SETS sets, a power of two; all zero it is empty. */
size_t client_rates_bytes(uint32_t sets);

/* The owner's: it happened N times more, at a moment of the monotonic clock
 * that all workers share.  PERIOD_MS is at least 1. */
void client_rates_add(struct client_rates *r, uint32_t sets, uint64_t key,
    uint32_t period_ms, int64_t now_ms, uint32_t n);

/* In the period that ends now, as well as can be told; whatever is in the
 * memory, nothing but the number is wrong. */
uint32_t client_rates_count(const struct client_rates *r, uint32_t sets,
    uint64_t key, uint32_t period_ms, int64_t now_ms);

#endif
