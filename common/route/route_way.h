/*
 * How next hops of a route are met: as whom, from where, over which family, in
 * which order; and with which sender of a mail.
 */
#ifndef MTAD_ROUTE_ROUTE_WAY_H
#define MTAD_ROUTE_ROUTE_WAY_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/conf/conf.h"

struct route_way {
	const char *helo;	/* "": deliver.helo */
	const struct ipaddr *sources;
	size_t n_sources;	/* 0: whatever the system takes */
	enum conf_family family;	/* deliver.address_family for `any` */
	uint32_t share;		/* of the first targets; 1: none */
	const char *const *masquerade;
	size_t n_masquerade;
	const char *srs;	/* "": senders stay */
	bool has_sources;	/* of its own, not those of `deliver` */
	bool has_family;
};

/* RULE is NULL for what no rule takes.  *OUT is in ARENA, as all it points to.
 * ERR_NOMEM. */
enum err route_way_make(struct arena *arena, const struct conf *conf,
    const struct conf_route *rule, const struct route_way **out);

/* Appends what tells it from another rule's, nothing for the defaults. */
void route_way_manner(const struct route_way *way, struct buf *out);

#endif
