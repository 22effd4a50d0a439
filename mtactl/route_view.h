/*
 * `route explain` for people and for programs: fed with the answer's messages
 * as they come.
 */
#ifndef MTAD_MTACTL_ROUTE_VIEW_H
#define MTAD_MTACTL_ROUTE_VIEW_H

#include "common/ipc/messages.h"
#include "mtactl/output.h"

/* What other rules would do with the same mail; for `--config NEW.yaml`. */
struct route_other {
	const char *file;
	uint32_t line;			/* of the rule that matches there */
	uint32_t number;		/* it is there, from 1; 0: by MX */
	struct span destination;
};

struct route_view {
	struct output *out;		/* borrowed */
	struct json json;
	uint64_t now;			/* wall */
	struct buf destination;		/* as it was told; for route_other */
	uint32_t rules;			/* told of those before */
	unsigned said;			/* of the mail: bits by route_miss */
	bool has_found;
	bool has_hops;
	bool has_host;			/* some would be tried, or none need be */
};

/* QUESTION is echoed: a mistyped option is seen then. */
void route_view_init(struct route_view *v, struct output *out, uint64_t now,
    const struct msg_ctl_route *question);
void route_view_clear(struct route_view *v);

void route_view_rule(struct route_view *v, const struct msg_ctl_route_rule *m);
void route_view_found(struct route_view *v,
    const struct msg_ctl_route_found *m);
void route_view_hops(struct route_view *v, const struct msg_route_hops *m);

/* OTHER may be NULL. */
void route_view_end(struct route_view *v, const struct route_other *other);

#endif
