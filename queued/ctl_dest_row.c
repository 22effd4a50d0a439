/*
 * A destination as mtactl gets it, and with it where its limits come from.
 */
#include "queued/ctl_dest.h"

#include "common/base/mtime.h"
#include "common/base/units.h"
#include "queued/shaping.h"
#include "queued/spool_time.h"

#include <stdio.h>

/* ---- small parts ---- */

/* A moment of the spool for people; 0 stays 0. */
static uint64_t
shown(const struct queued *q, int64_t at)
{
	return at > 0 ? spool_time_shown(q, (uint64_t)at) : 0;
}

/* One of the planner. */
static uint64_t
shown_plan(const struct queued *q, int64_t at)
{
	return at == 0 || at == PLAN_NEVER ? 0 : shown(q,
	    (int64_t)queued_wall(q) + mtime_sub(at, queued_now(q)));
}

struct span
ctl_dest_why(const struct shape_stop *stop, char text[CTL_DEST_WHY_SIZE])
{
	struct span why = span_sub(stop->why, 0, SHAPE_WHY_MAX);
	const char *by = stop->by == SHAPE_BY_BREAKER ?
	    "by its circuit breaker" : "by a rule of `shaping`";
	char operator[40];
	int n;

	if (stop->by == SHAPE_BY_OPERATOR) {
		(void)snprintf(operator, sizeof(operator),
		    "by an operator (uid %u)", (unsigned)stop->uid);
		by = operator;
	}
	n = snprintf(text, CTL_DEST_WHY_SIZE, "%s%s%.*s", by,
	    why.n > 0 ? ": " : "", (int)why.n,
	    why.n > 0 ? (const char *)why.p : "");
	return span_of(text, n > 0 ? (size_t)n : 0);
}

/* ---- limits ---- */

struct limits {
	struct buf *out;
	uint32_t n;
};

static void
put(struct limits *l, const char *name, const char *value, struct span from)
{
	const struct msg_ctl_dest_limit limit = { .name = span_str(name),
	    .value = span_str(value), .source = span_sub(from, 0, 256) };

	msg_put_ctl_dest_limit(l->out, &limit);
	l->n++;
}

static void
put_number(struct limits *l, const char *name, uint32_t value,
    const char *from)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", (unsigned)value);
	put(l, name, text, span_str(from));
}

static void
put_rate(struct limits *l, const char *name, const struct conf_rate *rate,
    struct span from)
{
	char text[UNITS_TEXT_SIZE + 16], period[UNITS_TEXT_SIZE];

	if (rate->count == 0) {
		put(l, name, "none", from);
		return;
	}
	units_format_ms(rate->period_ms, period);
	(void)snprintf(text, sizeof(text), "%u/%s", (unsigned)rate->count,
	    period);
	put(l, name, text, from);
}

/* "routes[2].limits.rate", or the key of all. */
static const char *
source(const struct conf_route *rule, uint32_t index, bool is_own,
    const char *key, char text[64])
{
	if (rule == NULL || !is_own)
		(void)snprintf(text, 64, "deliver.%s", key);
	else
		(void)snprintf(text, 64, "routes[%u].limits.%s",
		    (unsigned)index, key);
	return text;
}

static void
put_route(struct limits *l, const struct queued *q, uint32_t index)
{
	const struct conf_route *rule = index < q->conf->routes.n ?
	    &q->conf->routes.v[index] : NULL;
	bool has_rate = rule != NULL && rule->limits_rate.period_ms > 0;
	bool has_breaker = rule != NULL && rule->limits_breaker.period_ms > 0;
	uint32_t connections = rule != NULL ? rule->limits_connections : 0;
	uint32_t window = rule != NULL ? rule->limits_window : 0;
	uint32_t mails = rule != NULL ? rule->limits_messages_per_connection :
	    0;
	struct conf_rate rate;
	char text[64];
	uint32_t day;

	put_number(l, "connections", connections > 0 ? connections :
	    q->conf->deliver.connections, source(rule, index,
	    connections > 0, "connections", text));
	put_number(l, "window", window > 0 ? window : q->conf->deliver.window,
	    source(rule, index, window > 0, "window", text));
	put_number(l, "messages_per_connection", mails > 0 ? mails :
	    q->conf->deliver.messages_per_connection, source(rule, index,
	    mails > 0, "messages_per_connection", text));
	put_rate(l, "rate", has_rate ? &rule->limits_rate :
	    &q->conf->deliver.rate, span_str(source(rule, index, has_rate,
	    "rate", text)));
	put_rate(l, "breaker", has_breaker ? &rule->limits_breaker :
	    &q->conf->deliver.breaker, span_str(source(rule, index,
	    has_breaker, "breaker", text)));
	if (!shaping_warmth(q, index, &day, &rate))
		return;
	(void)snprintf(text, sizeof(text), "routes[%u].limits.warm_up, day %u",
	    (unsigned)index, (unsigned)day + 1);
	put_rate(l, "rate", &rate, span_str(text));
}

/* What it said that was too much. */
static void
put_slow(struct limits *l, const struct queued *q, struct span name)
{
	char from[256], left[UNITS_TEXT_SIZE];
	int64_t wall = (int64_t)queued_wall(q);
	struct shape_slow slow;
	int n;

	if (!shape_slow_of(shaping_known(q), name, wall, &slow))
		return;
	units_format_ms((slow.until - wall + 999) / 1000 * 1000, left);
	n = snprintf(from, sizeof(from), "learned, for %s still: %.*s", left,
	    (int)slow.why.n, slow.why.n > 0 ? (const char *)slow.why.p : "");
	if (slow.rate.count > 0)
		put_rate(l, "rate", &slow.rate, span_of(from, n > 0 ?
		    (size_t)n : 0));
	if (slow.window > 0)
		put_number(l, "window", slow.window, from);
}

static void
put_group(struct limits *l, const struct plan_dest_view *view)
{
	const struct conf_rate rate = { view->group_count, view->group_ms };
	struct span group = span_sub(view->group, 0, 200);

	if (group.n == 0)
		return;
	if (view->group_window > 0)
		put_number(l, "group window", view->group_window,
		    "all of its group");
	put_rate(l, "group rate", &rate, SPAN_LIT("all of its group"));
}

/* ---- rows ---- */

static uint8_t
state_of(const struct queued *q, const struct plan_dest_view *view,
    const struct shape_stop *stop)
{
	if (stop != NULL)
		return DEST_SUSPENDED;
	if (view == NULL)
		return DEST_OK;
	if (view->blocked_until > queued_now(q))
		return DEST_BACK_OFF;
	return view->failures > 0 ? DEST_PROBE : DEST_OK;
}

static void
put_view(const struct queued *q, const struct plan_dest_view *v,
    struct msg_ctl_dest_row *out)
{
	out->is_here = 1;
	out->window = v->window;
	out->window_max = v->window_max;
	out->rate_count = v->rate_count;
	out->rate_ms = v->rate_ms;
	out->leased = v->leased;
	out->ready = v->ready;
	out->waiting = v->units - v->leased - v->ready;
	out->failures = v->failures;
	if (v->failures > 0)
		out->failed_at = shown_plan(q, v->failed_at);
	out->status = v->status;
	out->text = span_sub(v->why, 0, 256);
	out->group = span_sub(v->group, 0, 2048);
	out->group_members = v->group_members;
	out->group_leased = v->group_leased;
	out->group_window = v->group_window;
	out->group_count = v->group_count;
	out->group_ms = v->group_ms;
	if (out->state == DEST_BACK_OFF)
		out->until_at = shown_plan(q, v->blocked_until);
}

static void
put_stop(const struct queued *q, const struct shape_stop *stop,
    char why[CTL_DEST_WHY_SIZE], struct msg_ctl_dest_row *out)
{
	out->until_at = shown(q, stop->until);
	out->since_at = shown(q, stop->since);
	out->why = ctl_dest_why(stop, why);
	out->stop = stop->name;
}

static void
send_with(struct ctl_session *s, struct msg *m, const struct limits *limits)
{
	m->ctl_dest_row.limits.n = limits->n;
	m->ctl_dest_row.limits.bytes = buf_span(&s->rows);
	if (!buf_failed(&s->rows))
		ctl_send(s, m);
}

void
ctl_dest_send(struct ctl_session *s, struct span name,
    const struct plan_dest_view *view, const struct shape_stop *stop,
    bool is_whole, uint64_t indexed)
{
	struct limits limits = { .out = &s->rows };
	struct msg m = { .type = MSG_ctl_dest_row };
	char why[CTL_DEST_WHY_SIZE], route[SHAPING_ROUTE_SIZE];

	m.ctl_dest_row.name = span_sub(name, 0, SHAPE_NAME_MAX);
	m.ctl_dest_row.state = state_of(s->q, view, stop);
	m.ctl_dest_row.indexed = indexed;
	if (view != NULL) {
		put_view(s->q, view, &m.ctl_dest_row);
		m.ctl_dest_row.route = shaping_route_name(view->limits.origin,
		    route);
	}
	if (stop != NULL)
		put_stop(s->q, stop, why, &m.ctl_dest_row);
	buf_reset(&s->rows);
	if (is_whole && view != NULL)
		put_route(&limits, s->q, view->limits.origin);
	if (is_whole)
		put_slow(&limits, s->q, name);
	if (is_whole && view != NULL)
		put_group(&limits, view);
	send_with(s, &m, &limits);
}

void
ctl_dest_send_route(struct ctl_session *s, struct span name, uint32_t index,
    const struct shape_stop *stop)
{
	struct limits limits = { .out = &s->rows };
	struct msg m = { .type = MSG_ctl_dest_row };
	struct plan_dest_view view;
	char why[CTL_DEST_WHY_SIZE];
	size_t cursor = 0;

	m.ctl_dest_row.name = m.ctl_dest_row.route = name;
	m.ctl_dest_row.state = state_of(s->q, NULL, stop);
	while (plan_dest_next(s->q->plan, &cursor, &view)) {
		if (view.limits.origin != index)
			continue;
		m.ctl_dest_row.leased += view.leased;
		m.ctl_dest_row.ready += view.ready;
		m.ctl_dest_row.waiting += view.units - view.leased -
		    view.ready;
	}
	if (stop != NULL)
		put_stop(s->q, stop, why, &m.ctl_dest_row);
	buf_reset(&s->rows);
	put_route(&limits, s->q, index);
	send_with(s, &m, &limits);
}
