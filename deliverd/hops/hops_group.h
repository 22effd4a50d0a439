/*
 * Who is behind a domain, as a round over its hosts has found out.
 */
#ifndef MTAD_DELIVERD_HOPS_HOPS_GROUP_H
#define MTAD_DELIVERD_HOPS_HOPS_GROUP_H

#include "common/base/buf.h"

#define HOPS_GROUP_MAX 2048	/* bytes of a group's name */

struct hops;

/* Appends the best exchangers ("mx1.example,mx2.example"), which domains behind
 * the same hosts have in common; nothing for explicit hosts, and for a domain
 * that is its own exchanger. */
void hops_group(const struct hops *h, struct buf *out);

#endif
