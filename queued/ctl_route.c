/*
 * The rules are walked in slices: there may be very many.  Then the question
 * goes to any deliverd that is there, by a cookie; whichever way that ends, its
 * answer, its death or our patience, the session is found by it.
 *
 * Nothing here is kept for the next question: a reload in between is seen.
 */
#include "queued/ctl_route.h"

#include "common/base/check.h"
#include "common/base/slots.h"
#include "common/conf/conf_schema.h"
#include "common/conf/conf_value.h"
#include "common/route/route_notes.h"
#include "common/route/route_why.h"
#include "queued/ctl_private.h"
#include "queued/plan/plan_look.h"
#include "queued/spool_time.h"

#include <stdlib.h>

enum {
	RULES_SHOWN = 5,		/* of those before, the nearest */
	PATTERNS_A_STEP = 4096,		/* about a millisecond's worth */
	FACTS_MAX = 80 * 1024,		/* as long as a question can be */
	PATTERN_MAX = 500,
	VIA_MAX = 8192,
	RULE_MAX = 16 * 1024,		/* a rule in words */
	PATIENCE_MS = 60 * 1000,	/* a deliverd has 45 s */
	WORKER_MS = 5 * 1000,		/* for one to be there: it may start */
};

struct ctl_route {
	struct buf bytes;		/* of facts */
	struct route_facts facts;
	struct route route;		/* borrowed from the table … */
	uint32_t generation;		/* … of this configuration */
	uint32_t next, end;		/* rules to be looked at */
	uint32_t shown;			/* from this one on they are told */
	unsigned decisive;		/* bits of what they have asked */
	bool requires_tls, is_whole;
	struct buf destination;		/* its key */
	bool is_told;			/* the rule; a deliverd comes next */
	uint64_t cookie;		/* asked of it; 0: there is none yet */
	const struct queued_peer *peer;
	int64_t until;
};

void
ctl_route_end(struct ctl_session *s)
{
	if (s->route == NULL)
		return;
	buf_clear(&s->route->bytes);
	buf_clear(&s->route->destination);
	free(s->route);
	s->route = NULL;
}

/* ---- a deliverd ---- */

static struct queued_peer *
find_worker(struct queued *q)
{
	for (size_t i = 0; i < QUEUED_WORKERS_MAX; i++)
		if (q->deliverds[i].channel != NULL &&
		    q->deliverds[i].is_presented)
			return &q->deliverds[i];
	return NULL;
}

static void
ask_worker(struct ctl_session *s, struct queued_peer *peer)
{
	struct ctl_route *r = s->route;
	struct msg m = { .type = MSG_route_ask };

	r->cookie = ++s->q->ctl->next_cookie;
	r->peer = peer;
	r->until = queued_now(s->q) + PATIENCE_MS;
	m.route_ask.cookie = r->cookie;
	m.route_ask.generation = r->generation;
	m.route_ask.route = r->route.index;
	m.route_ask.recipient = r->facts.recipient;
	m.route_ask.requires_tls = r->requires_tls;
	m.route_ask.is_whole = r->is_whole;
	channel_send_or_end(peer->channel, &m);
}

static void
begin_asking(struct ctl_session *s)
{
	struct queued_peer *peer = find_worker(s->q);

	s->route->is_told = true;
	s->route->until = queued_now(s->q) + WORKER_MS;
	if (peer != NULL)
		ask_worker(s, peer);
}

/* Words for the operator; empty: there is an answer. */
static struct span
result_text(uint8_t result)
{
	static const char *const texts[ROUTE_RESULT_COUNT] = {
		[ROUTE_RESULT_DONE] = "", [ROUTE_RESULT_CUT] = "",
		[ROUTE_RESULT_OTHER_CONF] = "a reload is under way: ask "
		    "again in a moment",
		[ROUTE_RESULT_BUSY] = "too many ask at a time: ask again in "
		    "a moment",
		[ROUTE_RESULT_NO_MEMORY] = "deliverd has no memory for the "
		    "answer",
		[ROUTE_RESULT_NO_NAME] = "the domain is none that the DNS "
		    "can hold",
	};

	return span_str(result < ROUTE_RESULT_COUNT ? texts[result] :
	    "deliverd gave an answer that means nothing");
}

static struct ctl_session *
find_asking(struct queued *q, uint64_t cookie)
{
	struct ctl_session *s;
	uint32_t cursor = 0;

	while (q->ctl != NULL && cookie != 0 &&
	    (s = slots_next(q->ctl->sessions, &cursor)) != NULL)
		if (s->route != NULL && s->route->cookie == cookie)
			return s;
	return NULL;
}

void
ctl_route_hops(struct queued *q, const struct msg_route_hops *m)
{
	struct ctl_session *s = find_asking(q, m->cookie);
	struct msg out = { .type = MSG_route_hops };
	struct span why;

	if (s == NULL)
		return;
	why = result_text(m->result);
	if (why.n > 0) {
		ctl_end(s, CTL_FAILED, 0, why);
		return;
	}
	out.route_hops = *m;
	ctl_send(s, &out);
	ctl_end(s, CTL_DONE, m->hops.n, SPAN_NONE);
}

void
ctl_route_gone(struct queued *q, const struct queued_peer *peer)
{
	struct ctl_session *s;
	uint32_t cursor = 0;

	while (q->ctl != NULL &&
	    (s = slots_next(q->ctl->sessions, &cursor)) != NULL)
		if (s->route != NULL && s->route->cookie != 0 &&
		    s->route->peer == peer)
			ctl_end(s, CTL_FAILED, 0, SPAN_LIT("the deliverd "
			    "that was asked is gone: ask again in a moment"));
}

/* A deliverd may come meanwhile, or take too long. */
static void
keep_one(struct ctl_session *s)
{
	struct ctl_route *r = s->route;
	struct queued_peer *peer = find_worker(s->q);

	if (r->cookie == 0 && peer != NULL)
		ask_worker(s, peer);
	else if (r->until <= queued_now(s->q) && r->cookie == 0)
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("no deliverd is there now "
		    "that could say which hosts these are"));
	else if (r->until <= queued_now(s->q))
		ctl_end(s, CTL_FAILED, 0,
		    SPAN_LIT("deliverd does not answer"));
}

void
ctl_route_keep_house(struct queued *q)
{
	struct ctl_session *s;
	uint32_t cursor = 0;

	while (q->ctl != NULL &&
	    (s = slots_next(q->ctl->sessions, &cursor)) != NULL)
		if (s->route != NULL && s->route->is_told)
			keep_one(s);
}

/* ---- the rule ---- */

static void
put_targets(const struct conf_targets *via, struct buf *out)
{
	for (size_t i = 0; i < via->n; i++) {
		if (i > 0)
			buf_add_str(out, ", ");
		conf_value_print(CONF_TYPE_TARGET, &via->v[i], out);
	}
}

static void
put_policy(const struct route_policy *p, struct msg_ctl_route_found *out)
{
	out->first_retry_ms = (uint64_t)p->first_retry_ms;
	out->max_retry_ms = (uint64_t)p->max_retry_ms;
	out->warn_ms = (uint64_t)p->warn_ms;
	out->expire_ms = (uint64_t)p->expire_ms;
	out->connections = p->connections;
	out->window = p->window;
	out->rate_count = p->rate.count;
	out->rate_ms = p->rate.period_ms;
}

/* How its destination stands now. */
static void
put_state(const struct queued *q, struct span key,
    struct msg_ctl_route_found *out)
{
	struct plan_dest_view dest;
	int64_t wait;
	uint64_t ago;

	if (!plan_dest_look(q->plan, key, &dest) || dest.failures == 0)
		return;
	out->failures = dest.failures;
	out->reason = span_sub(dest.why, 0, 1024);
	ago = (uint64_t)(queued_now(q) - dest.failed_at);
	if (ago < queued_wall(q))
		out->failed_at = spool_time_shown(q, queued_wall(q) - ago);
	wait = dest.blocked_until - queued_now(q);
	if (dest.blocked_until != PLAN_NEVER && wait > 0)
		out->blocked_at = spool_time_shown(q,
		    queued_wall(q) + (uint64_t)wait);
}

/* At RCPT smtpd knows neither size nor header, and asks the same table. */
static enum route_deed
deed_of(const struct queued *q, const struct ctl_route *r)
{
	struct route early;

	switch (r->route.targets[0].scheme) {
	case CONF_SCHEME_DISCARD:
		return ROUTE_DEED_DISCARD;
	case CONF_SCHEME_HOLD:
		return ROUTE_DEED_HOLD;
	case CONF_SCHEME_REFUSE:
		return route_table_find_early(q->routes, &r->facts, &early) &&
		    early.index == r->route.index ? ROUTE_DEED_REFUSE_RCPT :
		    ROUTE_DEED_REFUSE;
	default:
		return ROUTE_DEED_SEND;
	}
}

static void
add_pattern(const struct conf_route *rule, enum route_why of,
    struct buf *bytes, struct span *out)
{
	size_t before = bytes->n;

	route_why_put(rule, of, PATTERN_MAX, bytes);
	*out = span_from(buf_span(bytes), before);
}

/* BYTES, which does not grow meanwhile, is what OUT points into. */
static void
put_rule(const struct conf_route *rule, struct buf *bytes,
    struct msg_ctl_route_found *out)
{
	size_t before;

	out->line = rule->line;
	add_pattern(rule, ROUTE_WHY_CLIENT, bytes, &out->clients);
	add_pattern(rule, ROUTE_WHY_USER, bytes, &out->users);
	add_pattern(rule, ROUTE_WHY_SIZE, bytes, &out->sizes);
	add_pattern(rule, ROUTE_WHY_HEADER, bytes, &out->headers);
	before = bytes->n;
	put_targets(&rule->via, bytes);
	out->via = span_sub(span_from(buf_span(bytes), before), 0, VIA_MAX);
}

static void
put_route(const struct ctl_session *s, struct buf *tls,
    struct msg_ctl_route_found *out)
{
	const struct ctl_route *r = s->route;
	const struct route *route = &r->route;

	conf_value_print(CONF_TYPE_ROUTE_TLS, &route->tls, tls);
	out->index = route->index;
	out->to = span_sub(span_str(route->to), 0, 1024);
	out->from = span_sub(span_str(route->from), 0, 1024);
	out->decisive = (uint16_t)r->decisive;
	out->deed = (uint8_t)deed_of(s->q, r);
	out->status = span_str(route->status);
	out->text = span_sub(span_str(route->text), 0, 256);
	out->tls = buf_span(tls);
	out->destination = buf_span(&r->destination);
	put_policy(route->policy, out);
	put_state(s->q, out->destination, out);
}

/* False without memory. */
static bool
send_found(struct ctl_session *s)
{
	const struct ctl_route *r = s->route;
	const struct conf *conf = s->q->conf;
	struct msg m = { .type = MSG_ctl_route_found };
	struct msg_ctl_route_found *out = &m.ctl_route_found;
	struct buf bytes, tls;
	bool is_good;

	buf_init(&bytes, RULE_MAX);
	buf_init(&tls, 64);
	/* what was added must not move */
	is_good = buf_reserve(&bytes, RULE_MAX) != NULL;
	if (is_good && r->route.index < conf->routes.n)
		put_rule(&conf->routes.v[r->route.index], &bytes, out);
	out->rules = (uint32_t)conf->routes.n;
	out->file = span_sub(span_str(conf->file), 0, 4096);
	put_route(s, &tls, out);
	is_good = is_good && !buf_failed(&bytes) && !buf_failed(&tls);
	if (is_good)
		ctl_send(s, &m);
	buf_clear(&bytes);
	buf_clear(&tls);
	return is_good;
}

static void
send_rule(struct ctl_session *s, uint32_t index, enum route_why why)
{
	const struct conf *conf = s->q->conf;
	const struct conf_route *rule = &conf->routes.v[index];
	struct msg m = { .type = MSG_ctl_route_rule };
	struct buf pattern;

	_Static_assert((int)ROUTE_WHY_COUNT == (int)ROUTE_MISS_COUNT &&
	    (int)ROUTE_WHY_HEADER == (int)ROUTE_MISS_HEADER, "one order");
	buf_init(&pattern, PATTERN_MAX + 12);
	route_why_put(rule, why, PATTERN_MAX, &pattern);
	m.ctl_route_rule.index = index;
	m.ctl_route_rule.line = rule->line;
	m.ctl_route_rule.file = span_sub(span_str(conf->file), 0, 4096);
	m.ctl_route_rule.miss = (uint8_t)why;
	m.ctl_route_rule.pattern = buf_span(&pattern);
	ctl_send(s, &m);
	buf_clear(&pattern);
}

/* The one that matches as well: what it asked has decided, too. */
static void
look_at(struct ctl_session *s, uint32_t index)
{
	struct ctl_route *r = s->route;
	const struct conf_route *rule = &s->q->conf->routes.v[index];
	enum route_why why = route_why(rule, &r->facts);

	if (why != ROUTE_WHY_TO && why != ROUTE_WHY_FROM)
		r->decisive |= route_why_asks(rule);
	if (index != r->route.index && index >= r->shown)
		send_rule(s, index, why);
}

/* Of what is done here, no deliverd knows anything. */
static void
finish(struct ctl_session *s)
{
	if (!send_found(s))
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("no memory"));
	else if (route_is_ours(&s->route->route))
		ctl_end(s, CTL_DONE, 0, SPAN_NONE);
	else
		begin_asking(s);
}

/* A reload between two slices has taken the table away. */
static bool
step_rules(struct ctl_session *s)
{
	struct ctl_route *r = s->route;

	if (r->generation != s->q->generation) {
		ctl_end(s, CTL_FAILED, 0,
		    result_text(ROUTE_RESULT_OTHER_CONF));
		return true;
	}
	for (size_t n = 0; n < PATTERNS_A_STEP && r->next < r->end;) {
		const struct conf_route *rule =
		    &s->q->conf->routes.v[r->next];

		n += rule->to.n + rule->from.n;
		look_at(s, r->next++);
	}
	if (r->next < r->end)
		return false;
	finish(s);
	return true;
}

/* ---- asking ---- */

/* What is next in BYTES, from *AT on. */
static struct span
piece(struct span bytes, size_t *at, struct span like)
{
	struct span s = span_sub(bytes, *at, like.n);

	*at += like.n;
	return s;
}

static bool
copy_facts(struct ctl_route *r, const struct route_table *table,
    const struct msg_ctl_route *m)
{
	size_t at = 0, before;
	struct span all;

	buf_add_span(&r->bytes, m->recipient);
	buf_add_span(&r->bytes, m->sender);
	buf_add_span(&r->bytes, m->client);
	buf_add_span(&r->bytes, m->user);
	before = r->bytes.n;
	route_notes(table, m->header, &r->bytes);
	if (buf_failed(&r->bytes))
		return false;
	all = buf_span(&r->bytes);
	r->facts.recipient = piece(all, &at, m->recipient);
	r->facts.sender = piece(all, &at, m->sender);
	r->facts.client = piece(all, &at, m->client);
	r->facts.user = piece(all, &at, m->user);
	r->facts.headers = span_from(all, before);
	r->facts.size = m->size;
	r->facts.is_released = m->is_released != 0;
	r->requires_tls = m->requires_tls != 0;
	r->is_whole = m->is_whole != 0;
	return true;
}

/* The nearest ones before it. */
static uint32_t
shown_from(const struct ctl_route *r)
{
	uint32_t before = r->route.index < r->end ? r->route.index : r->end;

	return before > RULES_SHOWN ? before - RULES_SHOWN : 0;
}

static bool
find_route(struct ctl_session *s)
{
	struct ctl_route *r = s->route;
	const struct queued *q = s->q;

	r->route = route_table_find(q->routes, &r->facts);
	r->generation = q->generation;
	route_key(&r->route, r->facts.recipient, &r->destination);
	if (r->requires_tls)
		route_key_require_tls(&r->destination);
	r->end = r->route.index < q->conf->routes.n ? r->route.index + 1 :
	    (uint32_t)q->conf->routes.n;
	if (!r->is_whole)
		r->shown = shown_from(r);
	return !buf_failed(&r->destination);
}

void
ctl_route(struct ctl_session *s, const struct msg_ctl_route *m)
{
	s->route = calloc(1, sizeof(*s->route));
	if (s->route != NULL) {
		buf_init(&s->route->bytes, FACTS_MAX);
		buf_init(&s->route->destination, ROUTE_KEY_MAX);
	}
	if (s->route == NULL || !copy_facts(s->route, s->q->routes, m) ||
	    !find_route(s)) {
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("no memory"));
		return;
	}
	s->job.verb = CTL_LIST;		/* changes nothing: waits for nobody */
	s->job.step = step_rules;
}
