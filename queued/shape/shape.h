/*
 * What holds destinations back besides their own answers, and outlives the
 * process [pure]: who is suspended, by whom and why; who is sent to more slowly
 * for a while; since when routes warm up.
 *
 * A destination is named by its key (common/route/route.h), or many by a pattern
 * (common/base/glob.h); a route by a number that lasts as long as what it says of
 * whom it is for.  Times are the spool's, ms; NOW never is kept.
 */
#ifndef MTAD_QUEUED_SHAPE_SHAPE_H
#define MTAD_QUEUED_SHAPE_SHAPE_H

#include "common/base/buf.h"
#include "common/base/siphash.h"
#include "common/conf/conf.h"

#define SHAPE_NAME_MAX	2048u		/* bytes of a key or a pattern */
#define SHAPE_WHY_MAX	200u		/* … of a reason: cut */
#define SHAPE_STOPS_MAX	2000u
#define SHAPE_SLOWS_MAX	5000u
#define SHAPE_WARMS_MAX	20000u
#define SHAPE_FILE_MAX	((size_t)32 * 1024 * 1024)

enum shape_by { SHAPE_BY_OPERATOR, SHAPE_BY_BREAKER, SHAPE_BY_RULE,
	SHAPE_BY_COUNT };

/* Who is suspended: nothing is sent before UNTIL (0: until it is resumed). */
struct shape_stop {
	struct span name;	/* key, pattern, or for people "route:3" */
	uint32_t route;		/* a route as a whole; 0: destinations */
	enum shape_by by;
	uint32_t uid;		/* of the operator */
	int64_t since, until;
	struct span why;
};

/* Who is sent to more slowly. */
struct shape_slow {
	struct span name;	/* a key */
	struct conf_rate rate;	/* count 0: any */
	uint32_t window;	/* 0: any */
	int64_t since, until;
	struct span why;
};

struct shape;

/* SEED: for its maps.  ERR_NOMEM. */
enum err shape_new(const struct siphash_key *seed, struct shape **out);
void shape_free(struct shape **s);

/* Copies STOP; one of the same name is replaced.  ERR_NOMEM, ERR_FULL,
 * ERR_RANGE (no name, or too long). */
enum err shape_stop(struct shape *s, const struct shape_stop *stop);

/* False: there is none of that name. */
bool shape_resume(struct shape *s, struct span name);

/* What stops the destination KEY, or a route: of several the one that ends last.
 * Borrowed until the next change.  False: nothing does. */
bool shape_stop_of(const struct shape *s, struct span key, int64_t now,
    struct shape_stop *out);
bool shape_stop_of_route(const struct shape *s, uint32_t route, int64_t now,
    struct shape_stop *out);

/* The same for slowing down; one that is known is replaced, and lasts at least
 * as long as before. */
enum err shape_slow(struct shape *s, const struct shape_slow *slow);
bool shape_hurry(struct shape *s, struct span key);
bool shape_slow_of(const struct shape *s, struct span key, int64_t now,
    struct shape_slow *out);

/* All, in no order: *CURSOR begins as 0; false behind the last.  Nothing may be
 * added meanwhile. */
bool shape_next_stop(const struct shape *s, size_t *cursor,
    struct shape_stop *out);
bool shape_next_slow(const struct shape *s, size_t *cursor,
    struct shape_slow *out);
size_t shape_stops(const struct shape *s);

/* The route ROUTE has mail: when it first had, which is now if it is new.  Without
 * room it is always new. */
int64_t shape_warm_since(struct shape *s, uint32_t route, int64_t now);
bool shape_cool(struct shape *s, uint32_t route);

/* The rate of day N of CURVE, from 0 on; false behind its end. */
bool shape_warm_rate(const struct conf_rates *curve, int64_t since,
    int64_t now, struct conf_rate *out);

/* Forgets what is over at NOW; true: that was something. */
bool shape_sweep(struct shape *s, int64_t now);

/* What is to outlive the process, and whether it has changed since it was put
 * last.  READ adds to an empty one: ERR_CORRUPT (nothing is known then),
 * ERR_VERSION (of a later version), ERR_NOMEM. */
bool shape_has_changed(const struct shape *s);
void shape_put(struct shape *s, struct buf *out);
enum err shape_read(struct shape *s, struct span bytes);

#endif
