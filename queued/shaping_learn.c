/*
 * What the answers of next hops teach about their destinations.
 */
#include "common/base/mtime.h"
#include "common/base/units.h"
#include "common/log/log.h"
#include "queued/outcome_work.h"
#include "queued/plan/plan_advice.h"
#include "queued/shaping_private.h"

#include <stdio.h>
#include <stdlib.h>

enum { ALIASES_MAX = 20000 };

/* ---- groups ---- */

static struct span
group_of(const struct shaping_alias *alias)
{
	return span_of(alias->bytes + alias->key_n, alias->group_n);
}

struct span
shaping_group_of(const struct queued *q, struct span key)
{
	const struct shaping_alias *alias =
	    map_span_get(&q->shaping->aliases, key);

	return alias != NULL ? group_of(alias) : SPAN_NONE;
}

static void
forget(struct shaping *sh, struct shaping_alias *alias)
{
	(void)map_span_remove(&sh->aliases, span_of(alias->bytes,
	    alias->key_n));
	list_remove(&alias->link);
	free(alias);
}

/* Without memory it has no group. */
static void
keep(struct shaping *sh, struct span key, struct span group)
{
	struct shaping_alias *alias;

	if (map_span_count(&sh->aliases) >= ALIASES_MAX)
		forget(sh, CONTAINER_OF(list_first(&sh->told),
		    struct shaping_alias, link));
	alias = malloc(sizeof(*alias) + key.n + group.n);
	if (alias == NULL)
		return;
	alias->key_n = key.n;
	alias->group_n = group.n;
	memcpy(alias->bytes, key.p, key.n);
	memcpy(alias->bytes + key.n, group.p, group.n);
	list_init(&alias->link);
	if (map_span_add(&sh->aliases, alias) != OK) {
		free(alias);
		return;
	}
	list_add_last(&sh->told, &alias->link);
}

/* Nearly always as it was told before.  An empty one is not known: its hosts were
 * not asked for, and are what they were. */
void
shaping_group(struct queued *q, struct span key, struct span group)
{
	struct shaping *sh = q->shaping;
	struct shaping_alias *alias;

	if (group.n == 0 || key.n == 0)
		return;
	alias = map_span_get(&sh->aliases, key);
	if (alias != NULL && span_equal(group_of(alias), group)) {
		list_remove(&alias->link);
		list_add_last(&sh->told, &alias->link);
		return;
	}
	if (alias != NULL)
		forget(sh, alias);
	keep(sh, key, group);
	plan_advise(q->plan, key);
}

/* ---- breakers ---- */

static bool
is_refusal(const struct store_result *r)
{
	return r->outcome == OUTCOME_FAILED && r->code >= 500 && r->code < 600;
}

/* What makes a report: nobody of it was taken, and somebody refused.  The last of
 * these, or NULL. */
static const struct store_result *
last_refusal(const struct outcome_work *w, bool *is_taken)
{
	const struct store_result *last = NULL;

	*is_taken = false;
	for (size_t i = 0; i < w->count; i++) {
		*is_taken |= w->results[i].outcome == OUTCOME_DELIVERED;
		if (is_refusal(&w->results[i]))
			last = &w->results[i];
	}
	return *is_taken ? NULL : last;
}

static struct shape_breaker_limit
limit_of(const struct queued *q, const struct route *route)
{
	struct shape_breaker_limit limit = {
		.refused = q->conf->deliver.breaker,
		.share = q->conf->deliver.breaker_share,
	};

	if (route->index < q->conf->routes.n &&
	    q->conf->routes.v[route->index].limits_breaker.period_ms > 0)
		limit.refused =
		    q->conf->routes.v[route->index].limits_breaker;
	return limit;
}

/* "500 messages refused for good in 10m, the last: 550 5.7.1 no" */
static void
trip(struct queued *q, struct span name, uint32_t route,
    const struct shape_breaker_limit *limit, const struct store_result *last)
{
	char why[SHAPE_WHY_MAX], period[UNITS_TEXT_SIZE];
	struct shape_stop stop = { .name = name, .route = route,
	    .by = SHAPE_BY_BREAKER, .since = (int64_t)queued_wall(q) };
	int n;

	units_format_ms(limit->refused.period_ms, period);
	n = snprintf(why, sizeof(why), "%u messages refused for good in %s, "
	    "the last: %u %.*s", limit->refused.count, period, (unsigned)last->code,
	    (int)span_sub(last->text, 0, SHAPE_WHY_MAX).n,
	    last->text.n > 0 ? (const char *)last->text.p : "");
	stop.why = span_of(why, n < 0 ? 0 : (size_t)n < sizeof(why) ?
	    (size_t)n : sizeof(why) - 1);
	/* without room or disk it is told all the same, and the next trips it
	 * again */
	(void)shaping_suspend(q, &stop);
}

static void
count(struct queued *q, const struct outcome_work *w, struct span key,
    const struct route *route)
{
	struct shape_breaker *b = q->shaping->breaker;
	struct shape_breaker_limit limit = limit_of(q, route);
	uint32_t id = shaping_route_id(q, route->index);
	bool is_taken;
	const struct store_result *last = last_refusal(w, &is_taken);
	char text[SHAPING_ROUTE_SIZE];
	uint32_t refused = last != NULL ? 1 : 0, taken = is_taken ? 1 : 0;
	struct shape_stop stop;

	if (refused + taken == 0)
		return;
	if (shape_breaker_note(b, key, &limit, refused, taken,
	    queued_now(q)) && last != NULL &&
	    !shaping_stop_of(q, key, route->index, &stop))
		trip(q, key, 0, &limit, last);
	if (shape_breaker_note_route(b, id, key, &limit, refused, taken,
	    queued_now(q)) && last != NULL &&
	    !shape_stop_of_route(q->shaping->shape, id,
	    (int64_t)queued_wall(q), &stop))
		trip(q, shaping_route_name(route->index, text), id, &limit,
		    last);
}

/* Its sender hears of it when somebody has looked. */
static void
shield(struct queued *q, struct outcome_work *w, struct span key,
    const struct route *route)
{
	struct shape_stop stop;
	bool is_taken;

	if (shape_stops(q->shaping->shape) == 0 ||
	    last_refusal(w, &is_taken) == NULL ||
	    !shaping_stop_of(q, key, route->index, &stop) ||
	    stop.by != SHAPE_BY_BREAKER)
		return;
	for (size_t i = 0; i < w->count; i++) {
		if (!is_refusal(&w->results[i]))
			continue;
		w->results[i].outcome = OUTCOME_DEFERRED;
		w->results[i].status = SPAN_LIT("4.7.0");
	}
}

/* ---- lessons ---- */

static const struct store_result *
first_refusal(const struct outcome_work *w)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->results[i].outcome == OUTCOME_DEFERRED &&
		    w->results[i].code >= 400 && w->results[i].code < 500)
			return &w->results[i];
	return NULL;
}

static struct shape_lesson
find_lesson(const struct queued *q, const struct outcome_work *w,
    struct span key)
{
	const struct store_result *r = first_refusal(w);
	struct shape_lesson lesson = { .action = CONF_SHAPE_NONE };
	struct shape_reply reply;

	if (r == NULL)
		return lesson;
	reply = (struct shape_reply){ r->code, r->status, r->text };
	(void)shape_rules_find(&q->conf->shaping, key, &reply, &lesson);
	return lesson;
}

static void
log_slow(struct queued *q, const struct shape_slow *slow, const char *rule)
{
	if (!log_begin(q->log, LOG_DEST_SLOWED, NULL))
		return;
	log_text(q->log, "destination", slow->name);
	if (slow->rate.count > 0) {
		log_u64(q->log, "messages", slow->rate.count);
		log_ms(q->log, "in", slow->rate.period_ms);
	}
	if (slow->window > 0)
		log_u64(q->log, "window", slow->window);
	log_ms(q->log, "for", slow->until - slow->since);
	log_str(q->log, "rule", rule);
	log_text(q->log, "reply", slow->why);
	log_end(q->log);
}

/* Told when it begins, not with each that says the same. */
static void
slow_down(struct queued *q, const struct shape_lesson *lesson, struct span key,
    struct span why)
{
	int64_t wall = (int64_t)queued_wall(q);
	struct shape_slow before, slow = { .name = key, .rate = lesson->rate,
	    .window = lesson->window, .since = wall, .why = why,
	    .until = mtime_add(wall, lesson->time_ms) };
	bool is_known = shape_slow_of(q->shaping->shape, key, wall, &before);

	/* each second's refusal needs no new end */
	if (is_known && slow.until - before.until < MTIME_SECOND &&
	    before.window == slow.window &&
	    before.rate.count == slow.rate.count)
		return;
	if (shape_slow(q->shaping->shape, &slow) != OK)
		return;
	if (!is_known)
		log_slow(q, &slow, lesson->pattern);
	plan_advise(q->plan, key);
}

/* To slow down and to suspend, which last; the others are the planner's. */
static void
learn(struct queued *q, const struct shape_lesson *lesson,
    const struct outcome_work *w, struct span key)
{
	const struct store_result *r = first_refusal(w);
	int64_t wall = (int64_t)queued_wall(q);
	struct shape_stop stop, before;

	if (r == NULL)
		return;
	if (lesson->action == CONF_SHAPE_SLOW)
		slow_down(q, lesson, key, r->text);
	if (lesson->action != CONF_SHAPE_SUSPEND ||
	    shape_stop_of(q->shaping->shape, key, wall, &before))
		return;
	stop = (struct shape_stop){ .name = key, .by = SHAPE_BY_RULE,
	    .since = wall, .until = lesson->time_ms == 0 ? 0 :
	    mtime_add(wall, lesson->time_ms), .why = r->text };
	(void)shaping_suspend(q, &stop);
}

uint8_t
shaping_take(struct queued *q, struct outcome_work *w, struct span key,
    const struct route *route, uint8_t scope, bool is_news)
{
	if (is_news)
		count(q, w, key, route);
	shield(q, w, key, route);
	w->lesson = find_lesson(q, w, key);
	if (is_news)
		learn(q, &w->lesson, w, key);
	switch (w->lesson.action) {
	case CONF_SHAPE_RETRY:
		return SCOPE_RECIPIENTS;
	case CONF_SHAPE_BACK_OFF:
		return SCOPE_DESTINATION;
	default:
		return scope;
	}
}
