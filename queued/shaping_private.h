/*
 * The inside of struct shaping, for shaping.c, shaping_learn.c and
 * shaping_routes.c.
 */
#ifndef MTAD_QUEUED_SHAPING_PRIVATE_H
#define MTAD_QUEUED_SHAPING_PRIVATE_H

#include "queued/shape/shape_breaker.h"
#include "queued/shaping.h"

/* Which hosts are behind a destination: as told last. */
struct shaping_alias {
	struct list link;		/* those told last at the end */
	size_t key_n, group_n;
	uint8_t bytes[];		/* key, group */
};

struct shaping {
	struct shape *shape;
	struct shape_breaker *breaker;
	struct map_span aliases;
	struct list told;
	uint32_t *ids;			/* of conf->routes.v, and by MX */
	size_t n_ids;
	bool has_warm;			/* some route warms up */
	uint32_t warm_day;		/* changes as curves go on */
	int64_t save_at_ms, tell_at_ms;
	bool has_failed;		/* to be saved; was told */
	int64_t notices_from_ms;	/* this hour, … */
	unsigned notices;		/* … in which so many were sent */
};

/* Writes the file at once. */
enum err shaping_save(struct queued *q);

/* shaping_routes.c: the numbers of CONF's routes.  ERR_NOMEM. */
enum err shaping_routes_take(struct shaping *sh, const struct conf *conf);

/* A moment of the spool as the planner's: 0 (no end) is PLAN_NEVER. */
int64_t shaping_plan_time(const struct queued *q, int64_t until);

/* A line for the operator about STOP, which began or ended just now. */
void shaping_log_stop(struct queued *q, const struct shape_stop *stop);

#endif
