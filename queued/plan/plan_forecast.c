/*
 * The scheduler's own code, with a clock that jumps from one event to the
 * next: an attempt ends, a unit or a destination comes due.  What an attempt
 * does to unit and destination is what outcome.c does.
 *
 * A unit that stands for N others holds its place N times as long, costs N
 * times its rate and counts as N successes for the window, so that the whole
 * takes as long as the N would; those of them that are not answered go on as
 * fewer.  One that finds nobody to talk to holds its place once: the others are
 * not tried then.
 */
#include "queued/plan/plan_forecast.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "queued/plan/plan_private.h"
#include "queued/plan/plan_retry.h"
#include "queued/plan/plan_tell.h"

#include <stdlib.h>

/* What this relay itself takes for a message at the least. */
#define OWN_US INT64_C(100)

enum {
	SURE = 1000,
	UNKNOWN_US = 1000000,	/* of one nobody has spoken to of late */
	GROUP_LOOKS = 8,	/* for the place of a group */
	ROLLS_MAX = 64,		/* of the dice, for one attempt */
	SHARE_MAX = 1000,	/* leases that wait for one connection */
};

struct dest {
	struct forecast_rates rates;
	uint64_t recipients, expired, gone;
	int64_t gone_at;
	uint32_t connections;
	size_t key_bytes;
	uint8_t key[];
};

struct unit {
	struct heap_node clock;		/* its attempt ends */
	struct unit *next;		/* of all */
	struct plan_unit *pu;
	struct dest *dest;
	int64_t expires;
	uint32_t weight, recipients, tries;
	uint32_t answered;		/* by its attempt, of the weight */
	bool is_down;			/* or there was nobody to talk to */
	int64_t took;			/* for each */
};

/* Units that had one destination when they came: their routes need not be
 * looked up one by one. */
struct group {
	uint64_t hash;			/* 0: free */
	struct unit *unit;		/* the last that was added */
};

/* Whoever makes keys collide makes our guesses worse, and nothing else. */
static const struct siphash_key seed = { 1, 2 };

struct forecast {
	struct forecast_params params;
	struct plan *plan;
	struct heap running;
	struct map_span map;
	struct rng dice;
	struct group groups[FORECAST_GROUPS * 2];
	struct group *group;		/* of what was counted last */
	struct dest **dests;
	uint32_t dest_count, dest_room;
	struct unit *units;
	uint32_t unit_count;
	int64_t now, free_us;		/* when we could begin the next one */
	uint64_t attempts;
	struct forecast_result r;
};

static struct span
dest_key(const void *object)
{
	const struct dest *d = object;

	return span_of(d->key, d->key_bytes);
}

/* ---- life ---- */

enum err
forecast_new(const struct forecast_params *params, struct forecast **out)
{
	struct plan_params like = params->like->dests.params;
	struct forecast *f = calloc(1, sizeof(*f));
	enum err e;

	if (f == NULL)
		return ERR_NOMEM;
	f->params = *params;
	heap_init(&f->running);
	map_span_init(&f->map, &seed, dest_key);
	rng_init(&f->dice, 1);
	f->now = params->now;
	f->r.half_ms = f->r.most_ms = f->r.all_ms = -1;
	f->r.weight = (uint32_t)(params->units / FORECAST_UNITS + 1);
	like.seed = 1;
	if ((e = plan_new(&like, &f->plan)) != OK) {
		forecast_free(&f);
		return e;
	}
	*out = f;
	return OK;
}

void
forecast_free(struct forecast **f)
{
	struct unit *u;

	if (*f == NULL)
		return;
	heap_clear(&(*f)->running);
	plan_free(&(*f)->plan);
	while ((u = (*f)->units) != NULL) {
		(*f)->units = u->next;
		free(u);
	}
	map_span_clear(&(*f)->map);
	for (uint32_t i = 0; i < (*f)->dest_count; i++)
		free((*f)->dests[i]);
	free((*f)->dests);
	free(*f);
	*f = NULL;
}

/* ---- the queue ---- */

static struct group *
group_of(struct forecast *f, struct span key)
{
	uint64_t hash = siphash(&seed, key) | 1;
	struct group *first = &f->groups[(hash >> 1) % COUNT_OF(f->groups)];

	for (size_t i = 0; i < GROUP_LOOKS; i++) {
		struct group *g = &f->groups[((hash >> 1) + i) %
		    COUNT_OF(f->groups)];

		if (g->hash == 0)
			g->hash = hash;
		if (g->hash == hash)
			return g;
	}
	return first;			/* it has some of others, too */
}

bool
forecast_count(struct forecast *f, struct span group, uint32_t recipients)
{
	struct unit *u;

	f->group = group_of(f, group);
	u = f->group->unit;
	if (u == NULL || u->weight >= f->r.weight)
		return true;
	u->weight++;
	u->recipients += recipients;
	u->dest->recipients += recipients;
	f->r.recipients += recipients;
	return false;
}

void
forecast_count_held(struct forecast *f, uint32_t recipients)
{
	f->r.held += recipients;
}

static enum err
dest_room(struct forecast *f)
{
	uint32_t room = f->dest_room > 0 ? f->dest_room * 2 : 64;
	struct dest **dests;

	if (f->dest_count < f->dest_room)
		return OK;
	dests = realloc(f->dests, room * sizeof(*dests));
	if (dests == NULL)
		return ERR_NOMEM;
	f->dests = dests;
	f->dest_room = room;
	return OK;
}

static struct dest *
dest_new(struct forecast *f, struct span key)
{
	struct dest *d;

	if (dest_room(f) != OK ||
	    (d = calloc(1, sizeof(*d) + key.n)) == NULL)
		return NULL;
	d->key_bytes = key.n;
	if (key.n > 0)
		memcpy(d->key, key.p, key.n);
	if (map_span_add(&f->map, d) != OK) {
		free(d);
		return NULL;
	}
	d->rates = f->params.rates(f->params.ctx, key);
	if (d->rates.attempts == 0) {
		d->rates.success = SURE;
		d->rates.duration_us = UNKNOWN_US;
	}
	f->dests[f->dest_count++] = d;
	return d;
}

/* So that as many in a unit as that stands for go as fast. */
static uint32_t
stretched(const struct forecast *f, uint32_t period_ms)
{
	uint64_t ms = (uint64_t)period_ms * f->r.weight;

	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

/* What an operator or a rule holds it back by; groups are not foreseen. */
static void
advise(struct forecast *f, struct plan_dest *d, const struct plan_dest *model)
{
	struct plan_advice advice = model->advice;

	advice.rate_ms = stretched(f, advice.rate_ms);
	plan_dest_set_advice(&f->plan->dests, d, &advice);
}

/* As FROM, and its destination as that stands now: with its window, back-off
 * and place in the rate. */
static enum err
plan_one(struct forecast *f, struct unit *u, const struct forecast_unit *from)
{
	struct plan_entry entry = from->entry;
	const struct plan_dest *model;
	enum err e;

	entry.owner = u;
	entry.overdue = from->expires;
	entry.limits.rate_ms = stretched(f, entry.limits.rate_ms);
	if ((e = plan_add(f->plan, &entry, &u->pu)) != OK)
		return e;
	model = map_span_get(&f->params.like->dests.map, entry.key);
	if (model == NULL || u->pu->dest->units > 1)
		return OK;
	advise(f, u->pu->dest, model);
	plan_dest_become(&f->plan->dests, u->pu->dest, model);
	return OK;
}

static enum err
unit_new(struct forecast *f, struct dest *d, const struct forecast_unit *from,
    struct unit **out)
{
	struct unit *u = calloc(1, sizeof(*u));
	enum err e;

	if (u == NULL)
		return ERR_NOMEM;
	u->dest = d;
	u->expires = from->expires;
	u->tries = from->tries;
	u->weight = 1;
	u->recipients = from->recipients;
	e = heap_reserve(&f->running, f->unit_count + 1);
	if (e == OK)
		e = plan_one(f, u, from);
	if (e != OK) {
		free(u);
		return e;
	}
	f->unit_count++;
	u->next = f->units;
	f->units = u;
	*out = u;
	return OK;
}

enum err
forecast_add(struct forecast *f, const struct forecast_unit *from)
{
	struct dest *d = map_span_get(&f->map, from->entry.key);
	enum err e;

	if (d == NULL && (d = dest_new(f, from->entry.key)) == NULL)
		return ERR_NOMEM;
	if ((e = unit_new(f, d, from, &f->group->unit)) != OK)
		return e;
	d->connections = from->connections;
	d->recipients += from->recipients;
	f->r.recipients += from->recipients;
	return OK;
}

void
forecast_begin(struct forecast *f)
{
	f->r.destinations = f->dest_count;
	if (f->r.recipients == 0)
		f->r.half_ms = f->r.most_ms = f->r.all_ms = 0;
	f->params.like = NULL;
}

/* ---- an attempt ends ---- */

static void
mark(const struct forecast *f, int64_t *at, uint64_t wanted)
{
	if (*at < 0 && f->r.delivered + f->r.expired >= wanted)
		*at = f->now - f->params.now;
}

/* RECIPIENTS of U are. */
static void
gone(struct forecast *f, struct unit *u, uint32_t recipients, bool is_expired)
{
	u->recipients -= recipients;
	u->dest->gone += recipients;
	u->dest->gone_at = f->now;
	if (is_expired) {
		u->dest->expired += recipients;
		f->r.expired += recipients;
	} else {
		f->r.delivered += recipients;
	}
	mark(f, &f->r.half_ms, (f->r.recipients + 1) / 2);
	mark(f, &f->r.most_ms, f->r.recipients - f->r.recipients / 10);
	mark(f, &f->r.all_ms, f->r.recipients);
	if (u->recipients == 0)
		plan_remove(f->plan, &u->pu);
}

/* Those that wait for the same destination and are too old go with it. */
static void
down(struct forecast *f, struct unit *u)
{
	struct plan_telling telling = { .next = NULL };
	struct plan_unit *other;
	struct unit *o;

	(void)plan_dest_failed(f->plan, u->pu, f->now);
	plan_tell(f->plan, u->pu);
	while (plan_next_untold(f->plan, &telling, &other)) {
		o = plan_unit_owner(other);
		gone(f, o, o->recipients, true);
	}
}

static void
again(struct forecast *f, struct unit *u)
{
	const struct plan_limits *limits = &u->pu->dest->limits;
	int64_t due;

	if (f->now >= u->expires) {
		gone(f, u, u->recipients, true);
		return;
	}
	u->tries++;
	due = mtime_add(f->now, plan_retry_delay(limits->first_retry_ms,
	    limits->max_retry_ms, u->tries, rng_u64(&f->dice)));
	plan_later(f->plan, u->pu,
	    mtime_max(due, plan_unit_blocked_until(f->plan, u->pu)));
}

/* The destination hears of each that is answered, within reason; a refusal
 * shows that it talks as well. */
static void
answered(struct forecast *f, struct unit *u)
{
	uint32_t n = u->answered, recipients = n == u->weight ? u->recipients :
	    (uint32_t)((uint64_t)u->recipients * n / u->weight);

	for (uint32_t i = 0; i == 0 || (i < n && i < ROLLS_MAX); i++)
		plan_dest_note_ok(&f->plan->dests, u->pu->dest, u->took);
	u->weight -= n;
	if (recipients > 0)
		gone(f, u, recipients, false);
}

static void
end_attempt(struct forecast *f, struct unit *u)
{
	heap_remove(&f->running, &u->clock);
	if (u->is_down)
		down(f, u);
	else
		answered(f, u);
	if (u->pu != NULL)
		again(f, u);
}

/* ---- an attempt begins ---- */

static bool
happens(struct forecast *f, uint64_t share, uint64_t of)
{
	return rng_below(&f->dice, of) < share;
}

/* One who finds nobody finds nobody for all; else each has its own luck. */
static void
roll(struct forecast *f, struct unit *u)
{
	const struct forecast_rates *r = &u->dest->rates;
	uint32_t success = r->success < SURE ? r->success : SURE;
	uint32_t down = r->down < SURE - success ? r->down : SURE - success;
	uint32_t rolls = u->weight < ROLLS_MAX ? u->weight : ROLLS_MAX;
	uint32_t hits = 0;

	u->answered = 0;
	u->is_down = happens(f, down, SURE);
	for (uint32_t i = 0; i < rolls && !u->is_down; i++)
		hits += happens(f, success, SURE - down);
	u->answered = (uint32_t)((uint64_t)u->weight * hits / rolls);
}

/* How many leases have to share a connection, at the least one. */
static uint64_t
sharing(uint32_t leases, uint32_t connections)
{
	uint64_t n = connections > 0 ? leases / connections : 1;

	return n < 1 ? 1 : n < SHARE_MAX ? n : SHARE_MAX;
}

/* A destination with fewer units here than places has places for those that
 * they stand for. */
static uint32_t
in_turn(const struct unit *u)
{
	const struct plan_dest *d = u->pu->dest;
	uint32_t at_once = plan_dest_window(d) / d->units;

	if (u->is_down || at_once >= u->weight)
		return 1;
	return at_once > 1 ? u->weight / at_once : u->weight;
}

/* It takes as long as its destination needs, longer when it has to wait for a
 * connection, and we do not begin more at a time than we can. */
static void
begin_attempt(struct forecast *f, struct unit *u)
{
	const struct dest *d = u->dest;
	uint64_t share = sharing(u->pu->dest->leased, d->connections);
	uint64_t all = sharing(f->plan->dests.leased, f->params.connections);
	uint64_t took_us = d->rates.duration_us * (share > all ? share : all);

	f->attempts++;
	roll(f, u);
	u->took = (int64_t)(took_us / 1000);
	f->free_us = mtime_max(f->free_us, (f->now - f->params.now) * 1000) +
	    OWN_US * u->weight;
	MUST(heap_add(&f->running, &u->clock, mtime_max(f->now +
	    (int64_t)(took_us * in_turn(u) / 1000),
	    f->params.now + f->free_us / 1000)) == OK);
}

/* ---- time ---- */

/* That of a destination that is not empty by then is never. */
static int64_t
gone_at(const struct dest *d)
{
	return d->gone < d->recipients ? INT64_MAX : d->gone_at;
}

static int
by_time(const void *a, const void *b)
{
	const struct dest *x = *(struct dest *const *)a;
	const struct dest *y = *(struct dest *const *)b;

	if (gone_at(x) != gone_at(y))
		return gone_at(x) < gone_at(y) ? 1 : -1;
	return (x->recipients < y->recipients) - (x->recipients > y->recipients);
}

static bool
end(struct forecast *f)
{
	f->r.left = f->r.recipients - f->r.delivered - f->r.expired;
	for (uint32_t i = 0; i < f->dest_count; i++)
		if (f->dests[i]->rates.attempts == 0)
			f->r.untried += f->dests[i]->recipients;
	if (f->dest_count > 0)
		qsort(f->dests, f->dest_count, sizeof(struct dest *), by_time);
	return true;
}

/* The planner's time counts if it is one to come: what may be leased now and
 * was not has to wait for others. */
static int64_t
next_event(const struct forecast *f)
{
	const struct heap_node *node = heap_min(&f->running);
	int64_t wake = plan_wake_at(f->plan);

	if (wake <= f->now)
		wake = PLAN_NEVER;
	return node != NULL ? mtime_min(node->key, wake) : wake;
}

bool
forecast_run(struct forecast *f, uint32_t steps)
{
	struct plan_unit *pu;

	while (steps-- > 0) {
		struct heap_node *node = heap_min(&f->running);

		if (f->attempts >= FORECAST_ATTEMPTS)
			return end(f);
		if (node != NULL && node->key <= f->now)
			end_attempt(f, CONTAINER_OF(node, struct unit, clock));
		else if (plan_next(f->plan, f->now, &pu))
			begin_attempt(f, plan_unit_owner(pu));
		else if (next_event(f) == PLAN_NEVER)
			return end(f);
		else
			f->now = next_event(f);
	}
	return false;
}

/* ---- results ---- */

void
forecast_result(const struct forecast *f, struct forecast_result *out)
{
	*out = f->r;
}

bool
forecast_dest(const struct forecast *f, uint32_t row,
    struct forecast_dest *out)
{
	const struct dest *d;

	if (row >= f->dest_count)
		return false;
	d = f->dests[row];
	*out = (struct forecast_dest){ .key = dest_key(d),
	    .recipients = d->recipients, .expired = d->expired,
	    .left = d->recipients - d->gone, .rates = d->rates };
	out->gone_ms = d->gone < d->recipients ? -1 :
	    d->gone_at - f->params.now;
	return true;
}
