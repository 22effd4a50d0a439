#include "queued/shaping.h"

#include "common/base/glob.h"
#include "common/base/mtime.h"
#include "common/log/log.h"
#include "common/os/file.h"
#include "common/os/random.h"
#include "queued/notice.h"
#include "queued/plan/plan_advice.h"
#include "queued/plan/plan_look.h"
#include "queued/residence.h"
#include "queued/shaping_private.h"

#include <stdio.h>
#include <stdlib.h>

/* proc has made the spool the working directory. */
#define SPOOL	AT_FDCWD
#define NAME	"shaping"
#define ASIDE	"shaping.damaged"

enum { SAVE_MS = 3000, TELL_MS = 60000, NOTICES_AN_HOUR = 10 };

static void
log_trouble(struct queued *q, const char *what, enum err e)
{
	if (!log_begin(q->log, LOG_SPOOL_FAILED, NULL))
		return;
	log_str(q->log, "what", what);
	log_str(q->log, "why", err_text(e));
	log_end(q->log);
}

/* ---- the file ---- */

static enum err
save(struct queued *q, enum err replace(int, const char *, mode_t,
    struct span))
{
	struct shaping *sh = q->shaping;
	struct buf file;
	enum err e;

	buf_init(&file, SHAPE_FILE_MAX);
	shape_put(sh->shape, &file);
	e = buf_failed(&file) ? ERR_NOMEM :
	    replace(SPOOL, NAME, 0600, buf_span(&file));
	if (e != OK && !sh->has_failed)
		log_trouble(q, "suspensions can't be kept", e);
	sh->has_failed = e != OK;
	sh->save_at_ms = mtime_add(queued_now(q), SAVE_MS);
	buf_clear(&file);
	return e;
}

enum err
shaping_save(struct queued *q)
{
	return save(q, file_replace);
}

/* What is in the way of the next one is kept for whoever wants to look. */
static void
load(struct queued *q)
{
	struct buf file;
	enum err e;

	buf_init(&file, SHAPE_FILE_MAX);
	e = file_read(SPOOL, NAME, SHAPE_FILE_MAX, &file, NULL);
	if (e == OK)
		e = shape_read(q->shaping->shape, buf_span(&file));
	buf_clear(&file);
	if (e == OK || e == ERR_NOT_FOUND)
		return;
	log_trouble(q, renameat(SPOOL, NAME, SPOOL, ASIDE) == 0 ?
	    "suspensions can't be read: nobody is suspended now; the file "
	    "was set aside as shaping.damaged" :
	    "suspensions can't be read: nobody is suspended now", e);
}

/* ---- what the planner asks ---- */

int64_t
shaping_plan_time(const struct queued *q, int64_t until)
{
	if (until == 0)
		return PLAN_NEVER;
	return mtime_add(queued_now(q),
	    mtime_sub(until, (int64_t)queued_wall(q)));
}

static void
advise_group(const struct queued *q, struct span key,
    struct plan_advice *advice)
{
	const struct conf_provider *provider;

	advice->group = shaping_group_of(q, key);
	if (advice->group.n == 0)
		return;
	provider = shape_provider(&q->conf->providers, advice->group);
	if (provider == NULL)
		return;
	advice->group = span_str(provider->name);
	advice->group_window = provider->window;
	advice->group_count = provider->rate.count;
	advice->group_ms = provider->rate.period_ms;
}

static void
advise(void *ctx, struct span key, struct plan_advice *advice)
{
	const struct queued *q = ctx;
	const struct shape *shape = q->shaping->shape;
	int64_t wall = (int64_t)queued_wall(q);
	struct shape_stop stop;
	struct shape_slow slow;

	if (shape_stop_of(shape, key, wall, &stop))
		advice->stopped_until = shaping_plan_time(q, stop.until);
	if (shape_slow_of(shape, key, wall, &slow)) {
		advice->window_max = slow.window;
		advice->rate_count = slow.rate.count;
		advice->rate_ms = slow.rate.period_ms;
	}
	advise_group(q, key, advice);
}

static void
slower(struct plan_limits *limits, const struct conf_rate *rate)
{
	if (limits->rate_count > 0 && (uint64_t)limits->rate_count *
	    rate->period_ms <= (uint64_t)rate->count * limits->rate_ms)
		return;
	limits->rate_count = rate->count;
	limits->rate_ms = rate->period_ms;
}

void
shaping_limit(struct queued *q, const struct route *route,
    struct plan_limits *limits)
{
	const struct shaping *sh = q->shaping;
	uint32_t id = shaping_route_id(q, route->index);
	int64_t wall = (int64_t)queued_wall(q);
	const struct conf_rates *curve;
	struct shape_stop stop;
	struct conf_rate rate;

	limits->origin = route->index;
	if (shape_stop_of_route(sh->shape, id, wall, &stop))
		limits->stopped_until = shaping_plan_time(q, stop.until);
	if (!sh->has_warm || route->index == ROUTE_BY_MX)
		return;
	curve = &q->conf->routes.v[route->index].limits_warm_up;
	if (curve->n > 0 && shape_warm_rate(curve,
	    shape_warm_since(sh->shape, id, wall), wall, &rate))
		slower(limits, &rate);
}

/* ---- stops ---- */

void
shaping_log_stop(struct queued *q, const struct shape_stop *stop)
{
	static const char *const by[SHAPE_BY_COUNT] = {
		[SHAPE_BY_OPERATOR] = "operator",
		[SHAPE_BY_BREAKER] = "breaker", [SHAPE_BY_RULE] = "rule",
	};

	if (!log_begin(q->log, LOG_DEST_SUSPENDED, NULL))
		return;
	log_text(q->log, "destination", stop->name);
	log_str(q->log, "by", by[stop->by]);
	if (stop->by == SHAPE_BY_OPERATOR)
		log_u64(q->log, "uid", stop->uid);
	if (stop->until > stop->since)
		log_ms(q->log, "for", stop->until - stop->since);
	log_text(q->log, "why", stop->why);
	log_str(q->log, "then", "its mail waits; `mtactl dest show` tells, "
	    "`mtactl dest resume` lets it go on");
	log_end(q->log);
}

static void
apply(struct queued *q, struct span name, bool is_route)
{
	if (is_route)
		plan_refresh(q->plan, residence_limits_of, q);
	else if (glob_has_wildcard(name))
		plan_advise_all(q->plan);
	else
		plan_advise(q->plan, name);
	queued_touch(q);
}

/* A rule that suspends for a minute, again and again, sends no mail each time;
 * what operators do they know themselves. */
static bool
may_notice(struct shaping *sh, const struct shape_stop *stop, int64_t now)
{
	if (stop->by == SHAPE_BY_OPERATOR)
		return false;
	if (sh->notices == 0 || now - sh->notices_from_ms >= MTIME_HOUR) {
		sh->notices_from_ms = now;
		sh->notices = 0;
	}
	return ++sh->notices <= NOTICES_AN_HOUR;
}

enum err
shaping_suspend(struct queued *q, const struct shape_stop *stop)
{
	enum err e = shape_stop(q->shaping->shape, stop);

	if (e != OK)
		return e;
	shaping_log_stop(q, stop);
	if (may_notice(q->shaping, stop, queued_now(q)))
		notice_held(q, stop);
	apply(q, stop->name, stop->route != 0);
	return shaping_save(q);
}

static bool
is_named(struct span pattern, struct span name)
{
	return span_equal_nocase(pattern, name) ||
	    (glob_has_wildcard(pattern) && glob_match(pattern, name));
}

/* STOP is gone afterwards; whoever trips a breaker next is counted anew. */
static void
end_stop(struct queued *q, const struct shape_stop *stop)
{
	struct shaping *sh = q->shaping;
	uint8_t bytes[SHAPE_NAME_MAX];
	bool is_route = stop->route != 0;
	struct span name = span_of(bytes, stop->name.n);

	memcpy(bytes, stop->name.p, stop->name.n);
	if (log_begin(q->log, LOG_DEST_RESUMED, NULL)) {
		log_text(q->log, "destination", name);
		log_end(q->log);
	}
	if (is_route)
		shape_breaker_reset_route(sh->breaker, stop->route);
	else
		shape_breaker_reset(sh->breaker, name);
	(void)shape_resume(sh->shape, name);
	apply(q, name, is_route);
}

uint32_t
shaping_resume(struct queued *q, struct span name, bool is_dry_run,
    enum err *e)
{
	struct shape_stop stop;
	size_t cursor = 0;
	uint32_t n = 0;

	*e = OK;
	while (shape_next_stop(q->shaping->shape, &cursor, &stop)) {
		if (!is_named(name, stop.name))
			continue;
		n++;
		if (!is_dry_run)
			end_stop(q, &stop);
	}
	if (n > 0 && !is_dry_run)
		*e = shaping_save(q);
	return n;
}

bool
shaping_stop_of(const struct queued *q, struct span key, uint32_t origin,
    struct shape_stop *out)
{
	int64_t wall = (int64_t)queued_wall(q);

	return shape_stop_of(q->shaping->shape, key, wall, out) ||
	    shape_stop_of_route(q->shaping->shape,
	    shaping_route_id(q, origin), wall, out);
}

const struct shape *
shaping_known(const struct queued *q)
{
	return q->shaping->shape;
}

/* ---- forgetting ---- */

static void
reset_one(struct queued *q, struct span key)
{
	uint8_t bytes[ROUTE_KEY_MAX * 2];
	struct span copy = span_sub(key, 0, sizeof(bytes));

	/* it may go with what is forgotten */
	memcpy(bytes, copy.p, copy.n);
	copy.p = bytes;
	(void)shape_hurry(q->shaping->shape, copy);
	shape_breaker_reset(q->shaping->breaker, copy);
	plan_advise(q->plan, copy);
	(void)plan_reset(q->plan, copy);
}

/* What was learned of those that have no mail now. */
static uint32_t
reset_absent(struct queued *q, struct span name, bool is_dry_run)
{
	struct plan_dest_view view;
	struct shape_slow slow;
	size_t cursor = 0;
	uint32_t n = 0;

	while (shape_next_slow(q->shaping->shape, &cursor, &slow)) {
		if (!is_named(name, slow.name) ||
		    plan_dest_look(q->plan, slow.name, &view))
			continue;
		n++;
		if (!is_dry_run)
			reset_one(q, slow.name);
	}
	return n;
}

static uint32_t
reset_route(struct queued *q, struct span name, bool is_dry_run)
{
	uint32_t id = shaping_route_named(q, name);

	if (id == 0 || is_dry_run)
		return id != 0;
	shape_breaker_reset_route(q->shaping->breaker, id);
	(void)shape_cool(q->shaping->shape, id);
	apply(q, name, true);
	return 1;
}

uint32_t
shaping_reset(struct queued *q, struct span name, bool is_dry_run)
{
	uint32_t n = reset_route(q, name, is_dry_run);
	struct plan_dest_view view;
	size_t cursor = 0;

	if (n > 0)
		return n;
	while (plan_dest_next(q->plan, &cursor, &view)) {
		if (!is_named(name, view.key))
			continue;
		n++;
		if (!is_dry_run)
			reset_one(q, view.key);
	}
	n += reset_absent(q, name, is_dry_run);
	queued_touch(q);
	return n;
}

/* ---- time ---- */

/* What is over is over for the planner as well; a curve has its next step. */
void
shaping_keep_house(struct queued *q)
{
	struct shaping *sh = q->shaping;
	int64_t wall = (int64_t)queued_wall(q), now = queued_now(q);

	if (shape_sweep(sh->shape, wall)) {
		plan_refresh(q->plan, residence_limits_of, q);
		plan_advise_all(q->plan);
	} else if (sh->has_warm &&
	    (uint32_t)(wall / MTIME_HOUR) != sh->warm_day) {
		plan_refresh(q->plan, residence_limits_of, q);
	}
	sh->warm_day = (uint32_t)(wall / MTIME_HOUR);
	if (shape_stops(sh->shape) > 0 && now >= sh->tell_at_ms) {
		plan_tell_stopped(q->plan, now);
		sh->tell_at_ms = mtime_add(now, TELL_MS);
	}
	/* a power cut may leave a part of what is written soon */
	if ((shape_has_changed(sh->shape) || sh->has_failed) &&
	    now >= sh->save_at_ms)
		(void)save(q, shape_stops(sh->shape) > 0 || sh->has_failed ?
		    file_replace : file_replace_soon);
}

/* ---- life ---- */

static struct span
alias_key(const void *object)
{
	const struct shaping_alias *alias = object;

	return span_of(alias->bytes, alias->key_n);
}

enum err
shaping_open(struct queued *q)
{
	struct siphash_key seed;
	struct shaping *sh;
	enum err e = random_key(&seed);

	if (e != OK)
		return e;
	if ((sh = q->shaping = calloc(1, sizeof(*sh))) == NULL)
		return ERR_NOMEM;
	map_span_init(&sh->aliases, &seed, alias_key);
	list_init(&sh->told);
	if ((e = shape_new(&seed, &sh->shape)) != OK ||
	    (e = shape_breaker_new(&seed, &sh->breaker)) != OK)
		return e;
	load(q);
	return OK;
}

void
shaping_close(struct queued *q)
{
	struct shaping *sh = q->shaping;
	struct list *node;

	if (sh == NULL)
		return;
	if (sh->shape != NULL &&
	    (shape_has_changed(sh->shape) || sh->has_failed))
		(void)shaping_save(q);
	while ((node = list_take_first(&sh->told)) != NULL)
		free(CONTAINER_OF(node, struct shaping_alias, link));
	map_span_clear(&sh->aliases);
	shape_breaker_free(&sh->breaker);
	shape_free(&sh->shape);
	free(sh->ids);
	free(sh);
	q->shaping = NULL;
}

enum err
shaping_reload(struct queued *q)
{
	struct shaping *sh = q->shaping;
	enum err e = shaping_routes_take(sh, q->conf);

	if (e != OK)
		return e;
	sh->has_warm = false;
	for (size_t i = 0; i < q->conf->routes.n; i++)
		sh->has_warm |= q->conf->routes.v[i].limits_warm_up.n > 0;
	plan_set_advisor(q->plan, advise, q);
	plan_advise_all(q->plan);
	return OK;
}
