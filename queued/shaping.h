/*
 * What holds destinations back besides their own answers: suspensions by hand, by
 * rule and by circuit breakers, what was learned of refusals, groups behind the
 * same hosts, routes that warm up.
 *
 * What is to outlive the process lies in the spool's file `shaping`
 * (docs/SPOOL.md).  A suspension is on disk when it is told; what was learned some
 * seconds later.  A file that can't be read is set aside as `shaping.damaged`.
 */
#ifndef MTAD_QUEUED_SHAPING_H
#define MTAD_QUEUED_SHAPING_H

#include "queued/queued.h"
#include "queued/shape/shape.h"
#include "queued/shape/shape_rules.h"

struct outcome_work;

/* ERR_NOMEM, ERR_IO. */
enum err shaping_open(struct queued *q);
void shaping_close(struct queued *q);

/* Before plan_set_params(), after a new configuration.  ERR_NOMEM: as before. */
enum err shaping_reload(struct queued *q);

/* Once a second, and whenever what is over must be. */
void shaping_keep_house(struct queued *q);

/* Limits of mail on ROUTE, besides those of its policy. */
void shaping_limit(struct queued *q, const struct route *route,
    struct plan_limits *limits);

/* ---- what verdicts tell: shaping_learn.c ---- */

/* The hosts behind the destination KEY. */
void shaping_group(struct queued *q, struct span key, struct span group);
struct span shaping_group_of(const struct queued *q, struct span key);

/*
 * The verdict W of an attempt at KEY on ROUTE; IS_NEWS: it was not told before.
 * It counts for the breakers; refusals behind one that is open are deferred.
 * What its first temporary refusal teaches is in W->lesson.  The scope of what is
 * left to the planner.
 */
uint8_t shaping_take(struct queued *q, struct outcome_work *w,
    struct span key, const struct route *route, uint8_t scope,
    bool is_news);

/* ---- operators ---- */

/* ERR_NOMEM, ERR_FULL, ERR_RANGE, or that it is not on disk (ERR_IO, …): in that
 * case it holds until the process ends. */
enum err shaping_suspend(struct queued *q, const struct shape_stop *stop);

/* Ends all suspensions that NAME, which may be a pattern, names; how many. */
uint32_t shaping_resume(struct queued *q, struct span name, bool is_dry_run,
    enum err *e);

/* Forgets how the destinations did that NAME names, and what was learned of
 * them; of "route:N" since when it warms up.  How many. */
uint32_t shaping_reset(struct queued *q, struct span name, bool is_dry_run);

/* What stops KEY, which was last seen on the route ORIGIN. */
bool shaping_stop_of(const struct queued *q, struct span key, uint32_t origin,
    struct shape_stop *out);
const struct shape *shaping_known(const struct queued *q);

/* "route:3", "route:mx" of a row of conf.routes; its lasting number; 0 for a
 * text that names none. */
#define SHAPING_ROUTE_SIZE 32
struct span shaping_route_name(uint32_t index, char text[SHAPING_ROUTE_SIZE]);
uint32_t shaping_route_id(const struct queued *q, uint32_t index);
uint32_t shaping_route_named(const struct queued *q, struct span name);

/* Its row; false for a text that names none. */
bool shaping_route_find(const struct queued *q, struct span name,
    uint32_t *index);

/* The curve of the row INDEX gives now; false: it is warm, or has none. */
bool shaping_warmth(const struct queued *q, uint32_t index, uint32_t *day,
    struct conf_rate *rate);

#endif
