/*
 * The addresses that /etc/hosts gives to names.
 *
 * Bounded: HOSTS_NAMES_MAX names, HOSTS_ADDRESSES addresses of a family each;
 * what is beyond, and lines that make no sense, are left out.  localhost is
 * there in any case (RFC 6761 6.3).
 */
#ifndef MTAD_DNSD_HOSTS_H
#define MTAD_DNSD_HOSTS_H

#include "common/base/err.h"
#include "common/base/ipaddr.h"
#include "common/base/span.h"

#define HOSTS_NAMES_MAX	20000
#define HOSTS_ADDRESSES	8

struct hosts;

/* BYTES is the file's content.  ERR_NOMEM. */
enum err hosts_new(struct span bytes, const struct siphash_key *seed,
    struct hosts **out);
void hosts_free(struct hosts **h);

/*
 * The addresses of NAME (any case) in FAMILY, in the file's order; *N may be 0
 * when it has addresses of the other family only.  False when it isn't there.
 */
bool hosts_find(const struct hosts *h, struct span name,
    enum ipaddr_family family, const struct ipaddr **list, size_t *n);

#endif
