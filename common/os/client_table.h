/*
 * How many connections each client has, and how often it did something of
 * late, over all workers, without a lock.
 *
 * The parent makes the table and passes its descriptor on.  Each worker writes
 * only its own region; a count is the sum over all of them.  A client is an
 * IPv4 address or an IPv6 /64.  Numbers of other workers are theirs to get
 * wrong: they can make a count wrong, never an access.
 */
#ifndef MTAD_OS_CLIENT_TABLE_H
#define MTAD_OS_CLIENT_TABLE_H

#include "common/base/err.h"
#include "common/base/ipaddr.h"
#include "common/base/siphash.h"

#include <stdint.h>

#define CLIENT_TABLE_WORKERS_MAX 256u
#define CLIENT_TABLE_CAPACITY_MAX 1000000u

struct client_table;

/* CAPACITY is how many clients one worker may have at once.  All processes
 * use the same WORKERS, CAPACITY and KEY.  ERR_RANGE, ERR_NOMEM, ERR_IO. */
enum err client_table_new(uint32_t workers, uint32_t capacity,
    const struct siphash_key *key, struct client_table **out);

/* FD becomes the table's; on failure it stays the caller's.  WORKER is the
 * region that this process writes.  ERR_DENIED: not such a table. */
enum err client_table_attach(int fd, uint32_t worker, uint32_t workers,
    uint32_t capacity, const struct siphash_key *key,
    struct client_table **out);

/* Unmaps; counts stay for the others. */
void client_table_free(struct client_table **t);

/* To be passed on; stays the table's. */
int client_table_fd(const struct client_table *t);

/* One more, one less connection of ADDR in this worker's region.  ERR_FULL:
 * the region has no room, nothing was counted.  Each enter that succeeded is
 * followed by one leave. */
enum err client_table_enter(struct client_table *t, const struct ipaddr *addr);
void client_table_leave(struct client_table *t, const struct ipaddr *addr);

/* Over all workers: of ADDR's client; of everybody. */
uint32_t client_table_count(const struct client_table *t,
    const struct ipaddr *addr);
uint32_t client_table_total(const struct client_table *t);

/* What is counted by time, each for itself. */
enum client_rate {
	CLIENT_RATE_CONNECTIONS,
	CLIENT_RATE_MESSAGES,
	CLIENT_RATE_RECIPIENTS,
};

/* ADDR's client did it N times more (noted in this worker's region); how often
 * in the PERIOD_MS that end at NOW_MS, over all workers.  Times are those of the
 * monotonic clock. */
void client_table_note(struct client_table *t, enum client_rate rate,
    const struct ipaddr *addr, uint32_t period_ms, int64_t now_ms,
    uint32_t n);
uint32_t client_table_rate(const struct client_table *t,
    enum client_rate rate, const struct ipaddr *addr, uint32_t period_ms,
    int64_t now_ms);

/* The parent's: forget what a worker that is dead had counted. */
void client_table_forget(struct client_table *t, uint32_t worker);

#endif
