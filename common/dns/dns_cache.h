/*
 * Answers kept for as long as their TTL allows, bounded in bytes; whoever was
 * not asked for longest goes first.
 *
 * Negative answers live by their SOA (RFC 2308 5); failures are not kept.
 * Time is given, in monotonic milliseconds.  Names are compared without case.
 */
#ifndef MTAD_DNS_DNS_CACHE_H
#define MTAD_DNS_DNS_CACHE_H

#include "common/base/siphash.h"
#include "common/dns/dns_wire.h"

#define DNS_CACHE_TTL_MAX_S	86400
#define DNS_CACHE_NEGATIVE_MAX_S 3600

struct dns_cache;

/* KEY seeds the hash; BYTES_MAX covers entries with their overhead.  Gives
 * NULL without memory. */
struct dns_cache *dns_cache_new(size_t bytes_max,
    const struct siphash_key *key);
void dns_cache_free(struct dns_cache **cache);

/* Keeps a copy, replacing an older one; an answer with TTL 0, a failure or a
 * truncated one isn't kept.  ERR_NOMEM, ERR_RANGE (a name too long). */
enum err dns_cache_put(struct dns_cache *cache, struct span name,
    uint16_t type, const struct dns_wire_answer *a, int64_t now_ms);

/* Copies a living answer, its TTLs reduced by its age; ERR_NOT_FOUND. */
enum err dns_cache_get(struct dns_cache *cache, struct span name,
    uint16_t type, int64_t now_ms, struct dns_wire_answer *out);

void dns_cache_flush(struct dns_cache *cache);

/* inspection */
size_t dns_cache_count(const struct dns_cache *cache);
size_t dns_cache_bytes(const struct dns_cache *cache);

#endif
