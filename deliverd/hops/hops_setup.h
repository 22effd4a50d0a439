/*
 * What a round over hosts (hops.h) begins with.
 */
#ifndef MTAD_DELIVERD_HOPS_HOPS_SETUP_H
#define MTAD_DELIVERD_HOPS_HOPS_SETUP_H

#include "common/base/endpoint.h"
#include "common/base/span.h"
#include "common/route/route.h"

struct hops_setup {
	const struct route_target *targets;	/* of the route; borrowed */
	size_t n_targets;
	uint32_t share;		/* of the first of them, by lot; 1, 0: none */
	bool is_ipv6_first;	/* of a host's families, which take turns */
	struct span domain;	/* for MX; borrowed for hops_new() only */
	bool has_ipv4, has_ipv6;	/* there is a route to that world */
	bool lacks_ipv6;	/* there is none now, but might be later */
	bool may_loopback;	/* for exchangers too */
	bool wants_dane;	/* else nothing is asked for it */
	bool refuses_private;	/* exchangers in private networks */
	const char *own_name;	/* borrowed, as is own */
	const struct endpoint *own;	/* where this host listens */
	size_t n_own;
	uint64_t seed;		/* for the shuffle */
	bool wants_notes;	/* hops_note.h */
	bool is_whole;		/* give out all, up to HOPS_WHOLE_MAX */
};

#endif
